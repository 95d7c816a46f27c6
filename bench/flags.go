package bench

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"lorabench/bench/record"
	"lorabench/internal/kernels"
	"lorabench/internal/root"
	"lorabench/internal/smollm2"
	"lorabench/internal/torch"
	"lorabench/lora"
)

// The defaults of -model and -data: the reference run's with a GPU, the repository's own without.
const (
	hubModel   = "facebook/opt-350m"
	hubData    = "lucasmccabe-lmi/CodeAlpaca-20k"
	smallModel = "testdata/small"
	smallData  = "testdata/small/train.jsonl.gz"
	smallOther = "testdata/small/pretrain.jsonl.gz"
)

type Flags struct {
	Settings
	ranks, alphas, rates, targets string
	set                           *flag.FlagSet
}

// Register defines the harness's flags; docs/use.md has more on each.
func Register(fs *flag.FlagSet) *Flags {
	f := &Flags{set: fs}
	s := &f.Settings
	fs.StringVar(&s.Model, "model", "", "`folder`, Hub id (owner/name or owner/name@revision), "+smollm2.Name+" (make smollm2 prepares it), or\n"+
		"hash:CONFIG.json for made weights; default "+hubModel+" with CUDA, "+smallModel+" without. Paths are relative to the module's root")
	fs.StringVar(&s.Tokenizer, "tokenizer", "", "`folder` of the tokenizer's files (default the model's)")
	fs.StringVar(&s.Data, "data", "", "instruction records (JSON, JSON lines, parquet; plain or .gz): file, folder or Hub data set `id`;\n"+
		"default "+hubData+" with CUDA, "+smallData+" without")
	fs.StringVar(&s.Recipe, "recipe", "", "text, loss and defaults: reported (as the reference run was), assigned (as asked for) or small,\n"+
		"with several rates a rank (default small where neither -model nor -data is given and there is no CUDA, else reported)")
	fs.StringVar(&f.ranks, "ranks", "", "LoRA ranks; full trains every weight (default the recipe's: 8,128,256 or 1,8,64,full)")
	fs.StringVar(&f.alphas, "alpha", "", "lora_alpha: numbers, multiples of the rank (2r), and sqrt: alpha/sqrt(r) (default the recipe's)")
	fs.Float64Var(&s.Dropout, "dropout", 0.1, "lora_dropout")
	fs.Float64Var(&s.ModelDropout, "model-dropout", Unset, "the base model's own dropout while training (default config.json's)")
	fs.StringVar(&f.rates, "lr", "", "learning rates, falling linearly to 0 (default the recipe's: 2e-4, 2e-5 or 1e-3,1e-2,3e-2)")
	fs.StringVar(&f.targets, "targets", "q_proj,v_proj", "names of linear layers, or endings of them, or all-linear; a colon between several lists")
	fs.BoolVar(&s.DoRA, "dora", false, "weight-decomposed adapters (DoRA) instead of LoRA")
	fs.IntVar(&s.Batch, "batch", Unset, "sequences in a micro-batch (default the recipe's: 4 or 8)")
	fs.IntVar(&s.Accum, "accum", Unset, "micro-batches in a step (default the recipe's: 4 or 1)")
	fs.IntVar(&s.MaxLength, "max-length", Unset, "tokens a record is cut at (default the recipe's: 1024 or 128; never more than the model's)")
	fs.StringVar(&s.Order, "order", "random", "random, drawn from the seed, or sequential, the records as they stand")
	fs.StringVar(&s.Adapter, "adapter", "", "PEFT adapter `folder` to start from, whose rank, alpha, dropout and targets are used")
	fs.StringVar(&s.Device, "device", "auto", "auto, cpu, cuda or cuda:N")
	fs.StringVar(&s.DType, "dtype", "float32", "type of the frozen base weights: float32 or bf16; what is trained and the loss are float32")
	fs.StringVar(&s.AdapterDType, "adapter-dtype", "auto", "with -dtype=bf16, of the adapter's matrix products: bf16, float32 or auto")
	fs.BoolVar(&s.TF32, "tf32", false, "let CUDA round the factors of float32 matrix products to TF32 (10 bits of mantissa)")
	fs.StringVar(&s.Kernels, "kernels", kernels.Auto, "what computes on a CPU, as results name it; auto measures once which is the fastest")
	fs.StringVar(&s.Graphs, "graphs", "auto", "CUDA graphs: on, off, or auto, which goes on without them if recording fails")
	fs.BoolVar(&s.Checkpoint, "checkpoint", false, "gradient checkpointing: the lowest peak, about a third slower")
	fs.IntVar(&s.RowTokens, "row-tokens", Unset, "join micro-batches into rows of up to `N` tokens; 0 joins none (default 1024, CUDA 2048)")
	fs.Int64Var(&s.Seed, "seed", 42, "seed of the first run; run k of every rank has seed+k")
	fs.IntVar(&s.Limit, "limit", 0, "use only the first `N` records (default all)")
	fs.IntVar(&s.Eval, "eval", Unset, "records held out for eval-loss; 0 is none (default 256, or a tenth of the records if less)")
	fs.StringVar(&s.Forget, "forget", "auto", "`records` that are not of the task, as for -data, whose loss (on up to 256) is forget-loss;\n"+
		"or none; or auto: the small model's pre-training text where recipe small trains it")
	fs.IntVar(&s.EvalEvery, "eval-every", 0, "take the held-out loss every `N` steps (default at the end; with -target-loss 20 times)")
	fs.Float64Var(&s.TargetLoss, "target-loss", 0, "report sec-to-loss, the time until the held-out loss is at most this (default none)")
	fs.BoolVar(&s.Snapshot, "memory-snapshot", false, "write CUDA's allocator snapshot beside each record (pytorch.org/memory_viz); slower")
	fs.IntVar(&s.SaveSteps, "save-steps", Unset, "with -out, checkpoint a run every `N` steps, for the same command to go on with;\n"+
		"0 is never (default about once a minute)")
	fs.BoolVar(&s.SaveAdapter, "save-adapter", false, "keep each run's adapter, as PEFT's folder, beside its record")
	fs.StringVar(&s.Out, "out", "", "`folder` for run records and exact results (default none); the same command goes on with an unfinished\n"+
		"study there, and moves any other to a folder old-N in it")
	return f
}

// Parsed completes the flags after parsing: the device, the model, the data and paths. note says if the small model stands in for the
// default one. steps is the number that -benchtime gives, 0 for a duration.
func (f *Flags) Parsed(steps int) (s Settings, note string, err error) {
	s = f.Settings
	for _, d := range []*string{&s.DType, &s.AdapterDType} {
		if *d == "bf16" {
			*d = "bfloat16"
		}
	}
	on, err := torch.OpenDevice(s.Device)
	if err != nil {
		return s, "", err
	}
	s.Device = on.String()
	if note, err = s.chooseModel(on.CUDA()); err != nil {
		return s, "", err
	}
	if err := f.lists(&s); err != nil {
		return s, "", err
	}
	if err := inOrder(s.findPaths, func() error { return f.fromAdapter(&s) }); err != nil {
		return s, "", err
	}
	return s, note, s.complete(steps)
}

// fromAdapter sets what no flag sets from the adapter's config. A flag that contradicts it is an error.
func (f *Flags) fromAdapter(s *Settings) error {
	if s.Adapter == "" {
		return nil
	}
	p, err := lora.ReadConfig(s.Adapter)
	if err != nil {
		return err
	}
	typed := map[string]bool{}
	f.set.Visit(func(f *flag.Flag) { typed[f.Name] = true })
	for _, arm := range s.Arms() {
		c, err := arm.Config(*s)
		if err != nil {
			break // check has a better sentence for it
		}
		if err := p.Conflict(c, func(flag string) bool { return typed[flag] }); err != nil {
			return fmt.Errorf("-adapter %s: %w", shown(s.Adapter), err)
		}
	}
	if !typed["ranks"] {
		s.Ranks = []string{strconv.Itoa(p.R)}
	}
	s.Alphas, s.Modules = []string{short(p.LoraAlpha)}, [][]string{p.Targets}
	s.RSLoRA, s.Dropout, s.DoRA = p.UseRSLoRA, p.LoraDropout, p.UseDoRA
	return nil
}

// lists sets the values that arms are made of, from the flags or the recipe.
func (f *Flags) lists(s *Settings) error {
	r := s.recipe()
	if r.Name == "" {
		return fmt.Errorf("-recipe is %q, want reported, assigned or %s", s.Recipe, smallRecipe)
	}
	s.Ranks, s.Alphas = list(cmp.Or(f.ranks, r.Ranks)), list(cmp.Or(f.alphas, r.Alpha))
	if f.ranks == "" && s.noFull() != "" {
		s.Ranks = slices.DeleteFunc(s.Ranks, func(rank string) bool { return rank == record.Full })
	}
	for _, v := range list(cmp.Or(f.rates, r.LRs)) {
		lr, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return fmt.Errorf("-lr has %q, want numbers such as 2e-4", v)
		}
		s.LRs = append(s.LRs, lr)
	}
	s.Modules = each(strings.Split(f.targets, ":"), list)
	return nil
}

func list(v string) []string {
	return strings.FieldsFunc(v, func(c rune) bool { return c == ',' || unicode.IsSpace(c) })
}

// chooseModel sets the defaults of model, data, recipe and forget. Without CUDA they are the repository's own, and note says so.
func (s *Settings) chooseModel(cuda bool) (note string, err error) {
	recipe, other := Recipes[0].Name, ""
	switch {
	case s.Model != "" && s.Data != "":
	case s.Model != "" || s.Data != "":
		return "", fmt.Errorf("-model is %q and -data %q: name both, so that neither is taken by accident", s.Model, s.Data)
	case cuda:
		s.Model, s.Data = hubModel, hubData
	default:
		s.Model, s.Data, recipe, other = smallModel, smallData, smallRecipe, smallOther
		note = "no CUDA device in use, so the small model and data of the repository stand in for " + hubModel + " on " + hubData
		if s.Recipe == "" {
			note += ", and recipe small for the reported one: each rank at several learning rates"
		}
	}
	s.Recipe = cmp.Or(s.Recipe, recipe)
	switch s.Forget {
	case "auto":
		if s.Forget = other; s.Recipe != smallRecipe { // the others' results stay comparable with those from before forget-loss
			s.Forget = ""
		}
	case "none":
		s.Forget = ""
	}
	return note, nil
}

// findPaths makes paths of existing files absolute. It looks where root.Abs starts, and in a bundle also in the bundle's folder. A name
// that does not exist may be a Hub id.
func (s *Settings) findPaths() error {
	dir, err := root.Dir()
	if err != nil {
		return err
	}
	config, hashed := strings.CutPrefix(s.Model, "hash:")
	for _, p := range []*string{&config, &s.Data, &s.Tokenizer, &s.Adapter, &s.Forget} {
		here, _ := root.Abs(*p)
		for _, path := range []string{here, filepath.Join(dir, *p)} {
			if _, err := os.Stat(path); err == nil && *p != "" && !filepath.IsAbs(*p) {
				*p = path
			}
		}
	}
	if s.Model = config; hashed {
		s.Model = "hash:" + config
	}
	if s.Out != "" {
		s.Out, err = root.Abs(s.Out)
	}
	return err
}

// StepsOf returns N for a -benchtime of Nx, and 0 for a duration.
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
