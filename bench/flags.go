package bench

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"lorabench/internal/root"
	"lorabench/internal/torch"
)

// The defaults of -model and -data: the reference run's with a GPU, the repository's own without.
const (
	hubModel   = "facebook/opt-350m"
	hubData    = "lucasmccabe-lmi/CodeAlpaca-20k"
	smallModel = "testdata/small"
	smallData  = "testdata/small/train.jsonl.gz"
	smallOther = "testdata/small/pretrain.jsonl.gz"
)

// Flags are the command line's settings before defaults.
type Flags struct {
	Settings
	ranks, alphas, rates, targets string
	fs                            *flag.FlagSet
}

// Register defines the harness's flags.
func Register(fs *flag.FlagSet) *Flags {
	f := &Flags{fs: fs}
	s := &f.Settings
	fs.StringVar(&s.Model, "model", "", "model `folder`, Hub id (owner/name or owner/name@revision), or hash:CONFIG.json for weights made by hash;\n"+
		"default "+hubModel+" with CUDA, "+smallModel+" without. Paths are relative to the module's root")
	fs.StringVar(&s.Tokenizer, "tokenizer", "", "`folder` of the tokenizer's files (default the model's)")
	fs.StringVar(&s.Data, "data", "", "instruction records: a file or folder (JSON, JSON lines, parquet; plain or .gz) or a Hub data set `id`;\n"+
		"default "+hubData+" with CUDA, "+smallData+" without")
	fs.StringVar(&s.Recipe, "recipe", "", "text, loss and the defaults below: reported (as the reference run was), assigned (as it was asked for) or\n"+
		"small, which compares each rank at several learning rates (default small where neither -model nor -data is given and there is no\n"+
		"CUDA, else reported)")
	fs.StringVar(&f.ranks, "ranks", "", "LoRA ranks (default the recipe's: 8,128,256 or 1,8,64,full); full trains every weight.\n"+
		"Every combination of -ranks, -alpha, -lr and -targets is a sub-benchmark")
	fs.StringVar(&f.alphas, "alpha", "", "lora_alpha, or a list: B A is scaled by alpha/r; numbers, multiples of the rank (2r), and sqrt,\n"+
		"the recipe's alpha over the root of the rank (default the recipe's: 16 or 32)")
	fs.Float64Var(&s.Dropout, "dropout", Unset, "lora_dropout (default the recipe's: 0.1)")
	fs.Float64Var(&s.ModelDropout, "model-dropout", Unset, "the base model's own dropout while training (default config.json's)")
	fs.StringVar(&f.rates, "lr", "", "learning rate, or a list, falling linearly to 0 (default the recipe's: 2e-4, 2e-5 or 1e-3,1e-2,3e-2);\n"+
		"in a list one at which training diverges ends without a result instead of an error")
	fs.StringVar(&f.targets, "targets", "q_proj,v_proj", "target_modules: names of linear layers, or endings of them; several lists with a colon between them:\n"+
		"q_proj,v_proj:q_proj,k_proj,v_proj,out_proj")
	fs.BoolVar(&s.DoRA, "dora", false, "weight-decomposed adapters (DoRA) instead of LoRA")
	fs.IntVar(&s.Batch, "batch", Unset, "sequences in a micro-batch (default the recipe's: 4 or 8)")
	fs.IntVar(&s.Accum, "accum", Unset, "micro-batches in a step (default the recipe's: 4 or 1)")
	fs.IntVar(&s.MaxLength, "max-length", Unset, "tokens a record is cut at (default the recipe's: 1024 or 128; never more than the model's)")
	fs.StringVar(&s.Order, "order", "random", "random, drawn from the seed, or sequential, the records as they stand")
	fs.StringVar(&s.Adapter, "adapter", "", "PEFT adapter `folder` to start from; its r is the rank")
	fs.StringVar(&s.Device, "device", "auto", "auto, cpu, cuda or cuda:N")
	fs.StringVar(&s.DType, "dtype", "float32", "element type of the frozen base weights: float32 or bf16; what is trained and the loss are float32")
	fs.StringVar(&s.AdapterDType, "adapter-dtype", "auto", "with -dtype=bf16, the type of the adapter's matrix products: bf16, as Trainer(bf16=True) has it, float32,\n"+
		"or auto, which is bf16 with CUDA and on CPUs with instructions for it, and float32 with -dora")
	fs.BoolVar(&s.TF32, "tf32", false, "let CUDA round the factors of float32 matrix products to TF32 (10 bits of mantissa)")
	fs.StringVar(&s.Graphs, "graphs", "auto", "record the work on a row as CUDA graphs: on, which fails where that fails, off, or auto,\n"+
		"which is on with CUDA but goes on without them; on a CPU on only rounds rows up as graphs would have them")
	fs.BoolVar(&s.Checkpoint, "checkpoint", false, "keep only each layer's input and masks and compute it again for the gradient: the lowest peak, about a third slower")
	fs.IntVar(&s.RowTokens, "row-tokens", Unset, "join micro-batches of a step into rows of up to `N` tokens, computed together: the same gradient; 0 joins none (default 1024, with CUDA 2048)")
	fs.Int64Var(&s.Seed, "seed", 42, "seed of the first run; run k of every rank has seed+k")
	fs.IntVar(&s.Limit, "limit", 0, "use only the first `N` records (default all)")
	fs.IntVar(&s.Eval, "eval", Unset, "records held out for eval-loss, never trained on; 0 is none (default 256, or a tenth of the records if less)")
	fs.StringVar(&s.Forget, "forget", "auto", "`records` that are not of the task, named as for -data: the loss on up to 256 of them, after training, is forget-loss\n"+
		"(before training it is in the record); or none; or auto: the small model's pre-training text where that model is the default's")
	fs.IntVar(&s.EvalEvery, "eval-every", 0, "take the held-out loss every `N` steps too, outside the clock (default only at the end; with -target-loss a twentieth of the steps)")
	fs.Float64Var(&s.TargetLoss, "target-loss", 0, "report sec-to-loss, the training time until the held-out loss is at most this (default none)")
	fs.BoolVar(&s.Snapshot, "memory-snapshot", false, "write PyTorch's snapshot of the CUDA allocator beside each run's record, for its memory viewer (pytorch.org/memory_viz); slower")
	fs.StringVar(&s.Out, "out", "", "`folder` for the run records and exact results (default none are written); the same command goes on with an unfinished study\n"+
		"there, and moves any other to a folder old-N in it")
	return f
}

// Parsed completes the flags once they are parsed: which device, model and data, and paths.
// note says which default was taken, if one was. steps is as for Settings.Complete.
func (f *Flags) Parsed(steps int) (s Settings, note string, err error) {
	s = f.Settings
	s.Alphas = list(f.alphas)
	if f.ranks != "" {
		s.Ranks = append([]string{}, list(f.ranks)...) // never nil, which is the recipe's
	}
	for _, v := range list(f.rates) {
		lr, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return s, "", fmt.Errorf("-lr has %q, want numbers such as 2e-4", v)
		}
		s.LRs = append(s.LRs, lr)
	}
	for _, v := range strings.Split(f.targets, ":") {
		s.Modules = append(s.Modules, list(v))
	}
	for _, d := range []*string{&s.DType, &s.AdapterDType} {
		if *d == "bf16" {
			*d = "bfloat16"
		}
	}
	dir, err := Root()
	if err != nil {
		return s, "", err
	}
	on, err := torch.OpenDevice(s.Device)
	if err != nil {
		return s, "", err
	}
	s.Device = on.String()
	recipe, other := Recipes[0].Name, ""
	switch {
	case s.Model == "" && s.Data == "" && on.CUDA():
		s.Model, s.Data = hubModel, hubData
	case s.Model == "" && s.Data == "":
		s.Model, s.Data = smallModel, smallData
		recipe, other = smallRecipe, smallOther
		note = "no CUDA device in use, so the small model and data of the repository stand in for " + hubModel + " on " + hubData
		if s.Recipe == "" {
			note += ", and recipe small for the reported one: each rank at several learning rates"
		}
	case s.Model == "":
		return s, "", fmt.Errorf("-data is given without -model: name both, so that neither is taken by accident")
	case s.Data == "":
		return s, "", fmt.Errorf("-model is given without -data: name both, so that neither is taken by accident")
	}
	s.Recipe = cmp.Or(s.Recipe, recipe)
	switch s.Forget {
	case "auto":
		s.Forget = other
	case "none":
		s.Forget = ""
	}
	spec, hashed := strings.CutPrefix(s.Model, "hash:")
	for _, p := range []*string{&spec, &s.Data, &s.Tokenizer, &s.Adapter, &s.Forget} {
		*p = inRoot(dir, *p)
	}
	if s.Model = spec; hashed {
		s.Model = "hash:" + spec
	}
	if s.Out != "" && !filepath.IsAbs(s.Out) {
		if root.Bundled() {
			dir = "" // relative to where the user is
		}
		if s.Out, err = filepath.Abs(filepath.Join(dir, s.Out)); err != nil {
			return s, "", fmt.Errorf("-out: %w", err)
		}
	}
	s, err = s.Complete(steps)
	return s, note, err
}

// inRoot makes a relative path that exists below dir, the module's root, absolute. go test runs in the package's own folder,
// where what a user typed in the root would not be found. In a bundle no program changes its folder: there the user's comes first.
func inRoot(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	from := []string{dir}
	if root.Bundled() {
		from = []string{"", dir}
	}
	for _, d := range from {
		if abs, err := filepath.Abs(filepath.Join(d, path)); err == nil {
			if _, err := os.Stat(abs); err == nil {
				return abs
			}
		}
	}
	return path
}

// Root returns the folder that relative paths start from: the checkout's or the bundle's.
func Root() (string, error) { return root.Dir() }

// StepsOf is N where -benchtime is Nx, and 0 where it is a duration.
func StepsOf(benchtime string) (int, error) {
	n, ok := strings.CutSuffix(benchtime, "x")
	if !ok {
		return 0, nil
	}
	steps, err := strconv.Atoi(n)
	if err != nil || steps < 1 {
		return 0, fmt.Errorf("-benchtime is %q: want Nx with N at least 1, or a duration", benchtime)
	}
	return steps, nil
}
