package bench

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/record"
	"lorabench/data"
	"lorabench/internal/torch"
)

// Recipe is a way of training: the values of settings that are not set.
type Recipe struct {
	Name                    string
	Prompt                  data.Prompt
	MaxLength, Batch, Accum int
	Ranks, LRs, Alpha       string // as flags have them
	Steps                   int    // the schedule's length where -benchtime gives none
}

// Recipes holds the reference run as its own figures show it, the run as it was asked for, and one from which the repository's small model
// learns: at the reference's rates it learns next to nothing in some hundred steps. testdata/small/choose.sh shows how it was chosen.
var Recipes = []Recipe{
	{Name: "reported", Prompt: data.Reported, MaxLength: 1024, Batch: 4, Accum: 4,
		Ranks: "8,128,256", LRs: "2e-4", Alpha: "16", Steps: 1000},
	{Name: "assigned", Prompt: data.Assigned, MaxLength: 128, Batch: 8, Accum: 1,
		Ranks: "8,128,256", LRs: "2e-5", Alpha: "32", Steps: 1000},
	{Name: smallRecipe, Prompt: data.Reported, MaxLength: 1024, Batch: 8, Accum: 1,
		Ranks: "1,8,64,full", LRs: "1e-3,1e-2,3e-2", Alpha: "16", Steps: 100},
}

const smallRecipe = "small"

// Settings holds the flags' values: what all runs share, and lists of what is compared. The embedded alpha, rate and targets are the first
// arm's.
type Settings struct {
	record.Settings
	Ranks          []string
	Alphas         []string // numbers, multiples of the rank such as 2r, and sqrt
	LRs            []float64
	Modules        [][]string // target_modules
	GraphsRequired bool       // -graphs=on: a failure to record CUDA graphs ends the run
	Snapshot       bool       // write PyTorch's memory snapshot of each run beside its record
	SaveAdapter    bool       // keep each run's adapter beside its record
	SaveSteps      int        `json:"-"` // steps between checkpoints; Unset is by time, 0 none
}

// rowTokens is the default of -row-tokens on a CPU, half of CUDA's: the reference run's micro-batches have some 450 tokens, too few for
// matrix products at full speed. On 2 cores at OPT-350m's shape 1024 is 8 % faster than 0 and uses 9 % more memory, 2048 another 3 % for
// 43 %.
const rowTokens = 1024

// Unset marks a number that the recipe or the model sets.
const Unset = -1

func fill[T int | float64](v *T, recipe T) {
	if *v == Unset {
		*v = recipe
	}
}

func (s Settings) Prompt() data.Prompt { return s.recipe().Prompt }

func (s Settings) recipe() Recipe {
	i := slices.IndexFunc(Recipes, func(r Recipe) bool { return r.Name == s.Recipe })
	if i < 0 {
		return Recipe{}
	}
	return Recipes[i]
}

// complete fills in unset values from the recipe, checks the result and resolves auto. steps is as for Parsed.
func (s *Settings) complete(steps int) error {
	r, cuda := s.recipe(), strings.HasPrefix(s.Device, "cuda")
	fill(&s.Batch, r.Batch)
	fill(&s.Accum, r.Accum)
	fill(&s.MaxLength, r.MaxLength)
	if cuda {
		fill(&s.RowTokens, 2*rowTokens)
	}
	fill(&s.RowTokens, rowTokens)
	s.Steps = cmp.Or(steps, r.Steps)
	if s.SaveSteps == Unset && (s.Out == "" || steps == 0) {
		s.SaveSteps = 0
	}
	if s.TargetLoss > 0 && s.EvalEvery == 0 {
		s.EvalEvery = max(1, s.Steps/20)
	}
	if err := s.check(cuda, steps); err != nil {
		return err
	}
	s.GraphsRequired = s.Graphs == "on"
	if s.Graphs == "auto" {
		if s.Graphs = "off"; cuda {
			s.Graphs = "on"
		}
	}
	switch {
	case s.DType == "float32":
		s.AdapterDType = "" // the base's
	case s.AdapterDType != "" && s.AdapterDType != "auto":
	case !s.DoRA && (cuda || torch.CPU.HasBFloat16()):
		s.AdapterDType = "bfloat16"
	default:
		s.AdapterDType = "float32"
	}
	s.Settings = s.Arms()[0].settings(s.Settings)
	return nil
}

// line returns the settings under their flags' names, without those that have a line of their own or are part of an arm's name.
func (s Settings) line() string {
	var pairs []string
	for _, p := range []struct {
		name  string
		value any
		given bool
	}{
		{"batch", s.Batch, true}, {"accum", s.Accum, true}, {"max-length", s.MaxLength, true},
		{"alpha", s.Alphas[0], len(s.Alphas) == 1}, {"lr", short(s.LRs[0]), len(s.LRs) == 1},
		{"targets", shortTargets(s.Modules[0]), len(s.Modules) == 1},
		{"dropout", short(s.Dropout), true}, {"model-dropout", short(s.ModelDropout), true}, {"order", s.Order, true},
		{"limit", s.Limit, true}, {"eval", s.Eval, true}, {"steps", s.Steps, true}, {"graphs", s.Graphs, true},
		{"row-tokens", s.RowTokens, true}, {"adapter-dtype", s.AdapterDType, s.AdapterDType != ""},
		{"dora", "on", s.DoRA}, {"checkpoint", "on", s.Checkpoint},
		{"adapter", shown(s.Adapter), s.Adapter != ""}, {"forget", shown(s.Forget), s.Forget != ""},
		{"eval-every", s.EvalEvery, s.EvalEvery > 0}, {"target-loss", short(s.TargetLoss), s.TargetLoss > 0},
	} {
		if p.given {
			pairs = append(pairs, fmt.Sprintf("%s=%v", p.name, p.value))
		}
	}
	return strings.Join(pairs, " ")
}

var dtypes = map[string]torch.DType{"float32": torch.Float32, "bfloat16": torch.BFloat16}

// check refuses settings that are out of range or do not go together.
func (s Settings) check(cuda bool, steps int) error {
	_, known := dtypes[s.DType]
	share := func(v float64) bool { return v >= 0 && v < 1 }
	for _, f := range []struct {
		flag  string
		value any
		ok    bool
		want  string
	}{
		{"-dropout", s.Dropout, share(s.Dropout), "0 to below 1"},
		{"-model-dropout", s.ModelDropout, s.ModelDropout == Unset || share(s.ModelDropout), "0 to below 1"},
		{"-batch", s.Batch, s.Batch >= 1, "at least 1"},
		{"-accum", s.Accum, s.Accum >= 1, "at least 1"},
		{"-max-length", s.MaxLength, s.MaxLength >= 2, "at least 2: the beginning of the text and one token to predict"},
		{"-row-tokens", s.RowTokens, s.RowTokens >= 0, "at least 0"},
		{"-limit", s.Limit, s.Limit >= 0, "at least 0"},
		{"-eval", s.Eval, s.Eval >= 0 || s.Eval == Unset, "at least 0"},
		{"-eval-every", s.EvalEvery, s.EvalEvery >= 0, "at least 0"},
		{"-save-steps", s.SaveSteps, s.SaveSteps >= Unset, "at least 0"},
		{"-target-loss", s.TargetLoss, s.TargetLoss >= 0, "more than 0, and 0 for none"},
		{"-order", s.Order, s.Order == "random" || s.Order == "sequential", "random or sequential"},
		{"-graphs", s.Graphs, slices.Contains([]string{"auto", "on", "off"}, s.Graphs), "auto, on or off"},
		{"-dtype", s.DType, known, "float32 or bf16"},
		{"-adapter-dtype", s.AdapterDType, slices.Contains([]string{"", "auto", "float32", "bfloat16"}, s.AdapterDType), "auto, bf16 or float32"},
	} {
		if !f.ok {
			return fmt.Errorf("%s is %#v, want %s", f.flag, f.value, f.want) // strings quoted
		}
	}
	if err := s.checkLists(); err != nil {
		return err
	}
	halfAdapter := s.AdapterDType == "bfloat16"
	switch reason := s.noFull(); {
	case reason != "" && slices.Contains(s.Ranks, record.Full):
		return fmt.Errorf("-ranks has %q and %s", record.Full, reason)
	case s.TF32 && !cuda:
		return fmt.Errorf("-tf32 is for CUDA devices, -device is %s", s.Device)
	case s.Snapshot && (!cuda || s.Out == ""):
		return fmt.Errorf("-memory-snapshot is of CUDA's allocator and is written to -out: -device is %s and -out %q", s.Device, s.Out)
	case halfAdapter && s.DType == "float32":
		return fmt.Errorf("-adapter-dtype is bf16 and -dtype float32: products in bfloat16 are for a base in bfloat16, so give -dtype=bf16 too")
	case halfAdapter && s.DoRA:
		return fmt.Errorf("-adapter-dtype is bf16 and -dora is on: DoRA's products were further off float32 than autocast's, " +
			"so give -adapter-dtype=float32")
	case s.SaveSteps > 0 && (s.Out == "" || steps == 0):
		return fmt.Errorf("-save-steps is %d: checkpoints are of a number of steps and lie in -out, so give -benchtime=Nx and -out", s.SaveSteps)
	case s.SaveAdapter && s.Out == "":
		return fmt.Errorf("-save-adapter keeps adapters beside the records: give -out")
	case s.TargetLoss > 0 && s.Eval == 0:
		return fmt.Errorf("-target-loss is %v and -eval 0: without held-out records there is no held-out loss", s.TargetLoss)
	}
	return nil
}

// noFull returns the setting that rules out full training, "" if there is none.
func (s Settings) noFull() string {
	switch {
	case s.DType != "float32":
		return fmt.Sprintf("-dtype is %s: full training keeps its weights in float32", s.DType)
	case s.DoRA:
		return "-dora is on: full training has no adapter"
	case s.Adapter != "":
		return fmt.Sprintf("-adapter is %s: full training has no adapter to start from", s.Adapter)
	}
	return ""
}

// checkLists refuses invalid values of arms, and two arms of one name.
func (s Settings) checkLists() error {
	for _, r := range s.Ranks {
		if n, err := strconv.Atoi(r); r != record.Full && (err != nil || n < 1 || r != strconv.Itoa(n)) {
			return fmt.Errorf("-ranks has %q, want whole numbers of at least 1, and %q", r, record.Full)
		}
	}
	for _, spec := range s.Alphas {
		if _, _, err := s.alpha(spec, "1"); err != nil {
			return err
		}
	}
	for _, lr := range s.LRs {
		if !(lr > 0) || math.IsInf(lr, 0) {
			return fmt.Errorf("-lr is %v, want more than 0", lr)
		}
	}
	if slices.ContainsFunc(s.Modules, func(t []string) bool { return len(t) == 0 }) {
		return fmt.Errorf("-targets has an empty list, want names of linear layers such as q_proj,v_proj, and a colon between two lists")
	}
	for _, l := range []struct {
		flag   string
		values []string
	}{{"-ranks", s.Ranks}, {"-alpha", s.Alphas}, {"-lr", each(s.LRs, short)}, {"-targets", each(s.Modules, shortTargets)}} {
		if len(l.values) == 0 {
			return fmt.Errorf("%s is empty: leave it out for the recipe's", l.flag)
		}
		for i, v := range l.values {
			if slices.Contains(l.values[:i], v) {
				return fmt.Errorf("%s has %s twice", l.flag, v)
			}
		}
	}
	return nil
}
