package bench

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/record"
	"lorabench/data"
	"lorabench/internal/torch"
)

// Recipe is a way of training that has been reported or assigned somewhere: it gives the settings
// that were not set their values.
type Recipe struct {
	Name           string
	Prompt         data.Prompt
	MaxLength      int
	Batch, Accum   int
	Ranks          []string
	LRs            []float64
	Alpha, Dropout float64
	Steps          int // the schedule's length where -benchtime gives none
}

var referenceRanks = []string{"8", "128", "256"}

// Recipes are the reference run as its own figures show it, as it was asked for, and what the repository's small model learns from:
// at the reference's rates it has learned next to nothing after some hundred steps. testdata/small/choose.sh shows how that was chosen.
var Recipes = []Recipe{
	{Name: "reported", Prompt: data.Reported, MaxLength: 1024, Batch: 4, Accum: 4,
		Ranks: referenceRanks, LRs: []float64{2e-4}, Alpha: 16, Dropout: 0.1, Steps: 1000},
	{Name: "assigned", Prompt: data.Assigned, MaxLength: 128, Batch: 8, Accum: 1,
		Ranks: referenceRanks, LRs: []float64{2e-5}, Alpha: 32, Dropout: 0.1, Steps: 1000},
	{Name: smallRecipe, Prompt: data.Reported, MaxLength: 1024, Batch: 8, Accum: 1,
		Ranks: []string{"1", "8", "64", record.Full}, LRs: []float64{1e-3, 1e-2, 3e-2}, Alpha: 16, Dropout: 0.1, Steps: 100},
}

// smallRecipe is the small model's.
const smallRecipe = "small"

// Settings is what the flags say: what all runs have in common, and lists of what is compared. The
// embedded settings' alpha, rate and targets are an arm's: Arms says which.
type Settings struct {
	record.Settings
	Ranks   []string
	Alphas  []string // numbers, multiples of the rank such as 2r, and sqrt
	LRs     []float64
	Modules [][]string // target_modules
	// GraphsRequired makes a failure to record CUDA graphs end the run: -graphs=on was asked for by name.
	GraphsRequired bool
	// Snapshot writes PyTorch's memory snapshot of each run beside its record.
	Snapshot bool
}

// rowTokens is the default of -row-tokens on a CPU, half of CUDA's: micro-batches of the reference run
// have some 450 tokens, too few to keep matrix products at their best speed. On 2 cores at OPT-350m's
// shape 1024 is 8 % faster than 0 and takes 9 % more memory, 2048 another 3 % for 43 %.
const rowTokens = 1024

// Unset is the value of a number that takes the recipe's or the model's own.
const Unset = -1

// Prompt is the recipe's.
func (s Settings) Prompt() data.Prompt { return s.recipe().Prompt }

func (s Settings) recipe() Recipe {
	i := slices.IndexFunc(Recipes, func(r Recipe) bool { return r.Name == s.Recipe })
	if i < 0 {
		return Recipe{}
	}
	return Recipes[i]
}

// Complete gives what is unset the recipe's value and checks the whole. steps is the number of
// steps that -benchtime says, 0 where it says a duration.
func (s Settings) Complete(steps int) (Settings, error) {
	r := s.recipe()
	if r.Name == "" {
		return s, fmt.Errorf("-recipe is %q, want reported, assigned or %s", s.Recipe, smallRecipe)
	}
	if s.Dropout == Unset {
		s.Dropout = r.Dropout
	}
	if s.Ranks == nil {
		s.Ranks = slices.Clone(r.Ranks)
		if s.DType != "float32" || s.DoRA || s.Adapter != "" { // which full training cannot have
			s.Ranks = slices.DeleteFunc(s.Ranks, func(rank string) bool { return rank == record.Full })
		}
	}
	if len(s.Alphas) == 0 {
		s.Alphas = []string{short(r.Alpha)}
	}
	if len(s.LRs) == 0 {
		s.LRs = r.LRs
	}
	for _, f := range []struct {
		v      *int
		recipe int
	}{{&s.Batch, r.Batch}, {&s.Accum, r.Accum}, {&s.MaxLength, r.MaxLength}} {
		if *f.v == Unset {
			*f.v = f.recipe
		}
	}
	if s.Steps = steps; steps == 0 {
		s.Steps = r.Steps
	}
	if s.TargetLoss > 0 && s.EvalEvery == 0 {
		s.EvalEvery = max(1, s.Steps/20)
	}
	cuda := strings.HasPrefix(s.Device, "cuda")
	if s.RowTokens == Unset {
		if s.RowTokens = rowTokens; cuda {
			s.RowTokens = 2 * rowTokens
		}
	}
	switch {
	case s.TF32 && !cuda:
		return s, fmt.Errorf("-tf32 is for CUDA devices, -device is %s", s.Device)
	case s.Snapshot && (!cuda || s.Out == ""):
		return s, fmt.Errorf("-memory-snapshot is of CUDA's allocator and is written to -out: -device is %s and -out %q", s.Device, s.Out)
	case s.Graphs == "on":
		s.GraphsRequired = true
	case s.Graphs == "auto" && cuda:
		s.Graphs = "on"
	case s.Graphs == "auto":
		s.Graphs = "off"
	}
	if err := s.completeAdapterDType(); err != nil {
		return s, err
	}
	if err := s.check(); err != nil {
		return s, err
	}
	s.Settings = s.Arms()[0].settings(s.Settings)
	return s, nil
}

func (s Settings) check() error {
	for _, f := range []struct {
		name     string
		value    float64
		ok       bool
		expected string
	}{
		{"-dropout", s.Dropout, s.Dropout >= 0 && s.Dropout < 1, "0 to below 1"},
		{"-model-dropout", s.ModelDropout, s.ModelDropout == Unset || s.ModelDropout >= 0 && s.ModelDropout < 1, "0 to below 1"},
		{"-batch", float64(s.Batch), s.Batch >= 1, "at least 1"},
		{"-accum", float64(s.Accum), s.Accum >= 1, "at least 1"},
		{"-max-length", float64(s.MaxLength), s.MaxLength >= 2, "at least 2: the beginning of the text and one token to predict"},
		{"-row-tokens", float64(s.RowTokens), s.RowTokens >= 0, "at least 0"},
		{"-limit", float64(s.Limit), s.Limit >= 0, "at least 0"},
		{"-eval", float64(s.Eval), s.Eval >= 0 || s.Eval == Unset, "at least 0"},
		{"-eval-every", float64(s.EvalEvery), s.EvalEvery >= 0, "at least 0"},
		{"-target-loss", s.TargetLoss, s.TargetLoss >= 0, "more than 0, and 0 for none"},
	} {
		if !f.ok {
			return fmt.Errorf("%s is %v, want %s", f.name, f.value, f.expected)
		}
	}
	if s.Order != "random" && s.Order != "sequential" {
		return fmt.Errorf("-order is %q, want random or sequential", s.Order)
	}
	if s.Graphs != "on" && s.Graphs != "off" {
		return fmt.Errorf("-graphs is %q, want auto, on or off", s.Graphs)
	}
	if _, err := s.Torch(); err != nil {
		return err
	}
	if s.TargetLoss > 0 && s.Eval == 0 {
		return fmt.Errorf("-target-loss is %v and -eval 0: without held-out records there is no held-out loss", s.TargetLoss)
	}
	if err := s.checkArms(); err != nil {
		return err
	}
	if len(s.Ranks) == 0 {
		return fmt.Errorf("-ranks is empty, want numbers and %q, such as 8,128,%s", record.Full, record.Full)
	}
	seen := map[string]bool{}
	for _, r := range s.Ranks {
		n, err := strconv.Atoi(r)
		switch {
		case r != record.Full && (err != nil || n < 1 || r != strconv.Itoa(n)):
			return fmt.Errorf("-ranks has %q, want whole numbers of at least 1, and %q", r, record.Full)
		case seen[r]:
			return fmt.Errorf("-ranks has %q twice", r)
		case r == record.Full && s.DType != "float32":
			return fmt.Errorf("-ranks has %q and -dtype is %s: full training keeps its weights in float32", record.Full, s.DType)
		case r == record.Full && s.DoRA:
			return fmt.Errorf("-ranks has %q and -dora is on: full training has no adapter", record.Full)
		case r == record.Full && s.Adapter != "":
			return fmt.Errorf("-ranks has %q and -adapter is %s: full training has no adapter to start from", record.Full, s.Adapter)
		}
		seen[r] = true
	}
	return nil
}

// Torch is the element type of the base weights.
func (s Settings) Torch() (torch.DType, error) {
	switch s.DType {
	case "float32":
		return torch.Float32, nil
	case "bfloat16":
		return torch.BFloat16, nil
	}
	return 0, fmt.Errorf("-dtype is %q, want float32 or bf16", s.DType)
}

// completeAdapterDType resolves auto, which for DoRA is float32. Where the base is float32 so is the adapter, and there is nothing to say.
func (s *Settings) completeAdapterDType() error {
	switch s.AdapterDType {
	case "", "auto", "float32", "bfloat16":
	default:
		return fmt.Errorf("-adapter-dtype is %q, want auto, bf16 or float32", s.AdapterDType)
	}
	if s.DType != "bfloat16" {
		if s.AdapterDType == "bfloat16" {
			return fmt.Errorf("-adapter-dtype is bf16 and -dtype %s: products in bfloat16 are for a base in bfloat16, so give -dtype=bf16 too", s.DType)
		}
		s.AdapterDType = ""
		return nil
	}
	if s.AdapterDType == "bfloat16" && s.DoRA {
		return fmt.Errorf("-adapter-dtype is bf16 and -dora is on: DoRA's products were further off float32 than autocast's, so give -adapter-dtype=float32")
	}
	if s.AdapterDType != "" && s.AdapterDType != "auto" {
		return nil
	}
	if s.AdapterDType = "float32"; !s.DoRA && (strings.HasPrefix(s.Device, "cuda") || torch.CPU.HasBFloat16()) {
		s.AdapterDType = "bfloat16"
	}
	return nil
}

// list splits a comma-separated flag.
func list(v string) []string {
	var l []string
	for _, e := range strings.Split(v, ",") {
		if e = strings.TrimSpace(e); e != "" {
			l = append(l, e)
		}
	}
	return l
}

// line is the settings in a line, under the names of their flags: those that have no line of their own and
// that no arm's name tells.
func (s Settings) line() string {
	pairs := [][2]string{{"batch", strconv.Itoa(s.Batch)}, {"accum", strconv.Itoa(s.Accum)}, {"max-length", strconv.Itoa(s.MaxLength)}}
	if len(s.Alphas) == 1 {
		pairs = append(pairs, [2]string{"alpha", s.Alphas[0]})
	}
	if len(s.LRs) == 1 {
		pairs = append(pairs, [2]string{"lr", short(s.LRs[0])})
	}
	if len(s.Modules) == 1 {
		pairs = append(pairs, [2]string{"targets", shortTargets(s.Modules[0])})
	}
	pairs = append(pairs, [2]string{"dropout", short(s.Dropout)}, [2]string{"model-dropout", short(s.ModelDropout)}, [2]string{"order", s.Order},
		[2]string{"limit", strconv.Itoa(s.Limit)}, [2]string{"eval", strconv.Itoa(s.Eval)}, [2]string{"steps", strconv.Itoa(s.Steps)},
		[2]string{"graphs", s.Graphs}, [2]string{"row-tokens", strconv.Itoa(s.RowTokens)})
	if s.AdapterDType != "" {
		pairs = append(pairs, [2]string{"adapter-dtype", s.AdapterDType})
	}
	for _, on := range []struct {
		name string
		on   bool
	}{{"dora", s.DoRA}, {"checkpoint", s.Checkpoint}} {
		if on.on {
			pairs = append(pairs, [2]string{on.name, "on"})
		}
	}
	if s.Adapter != "" {
		pairs = append(pairs, [2]string{"adapter", shown(s.Adapter)})
	}
	if s.Forget != "" {
		pairs = append(pairs, [2]string{"forget", shown(s.Forget)})
	}
	if s.EvalEvery > 0 {
		pairs = append(pairs, [2]string{"eval-every", strconv.Itoa(s.EvalEvery)})
	}
	if s.TargetLoss > 0 {
		pairs = append(pairs, [2]string{"target-loss", short(s.TargetLoss)})
	}
	return strings.Join(each(pairs, func(p [2]string) string { return p[0] + "=" + p[1] }), " ")
}
