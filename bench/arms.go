package bench

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/record"
	"lorabench/lora"
)

// Arm is one combination of what is compared: a sub-benchmark.
type Arm struct {
	Name    string // rank=8, and the keys that vary: rank=8/alpha=2r/lr=1e-4/targets=q,v
	Rank    string
	Alpha   float64
	RSLoRA  bool // B A is scaled by alpha/sqrt(r) instead of alpha/r
	LR      float64
	Targets []string
}

// settings is s with the arm's own.
func (a Arm) settings(s record.Settings) record.Settings {
	s.Alpha, s.RSLoRA, s.LR, s.Targets = a.Alpha, a.RSLoRA, a.LR, a.Targets
	return s
}

// Config is the adapter that the arm trains; rank full has none.
func (a Arm) Config(s Settings) (lora.Config, error) {
	r, err := strconv.Atoi(a.Rank)
	if err != nil {
		return lora.Config{}, fmt.Errorf("rank %s has no adapter", a.Rank)
	}
	return lora.Config{R: r, LoraAlpha: a.Alpha, LoraDropout: s.Dropout, TargetModules: a.Targets, UseRSLoRA: a.RSLoRA, UseDoRA: s.DoRA,
		BFloat16: s.AdapterDType == "bfloat16"}, nil
}

// Arms is every combination of ranks, alphas, rates and targets, ranks outermost. Rank full has no
// adapter: only rates vary it. Settings that Complete has checked have at least one.
func (s Settings) Arms() []Arm {
	var arms []Arm
	for _, rank := range s.Ranks {
		alphas, modules := s.Alphas, s.Modules
		if rank == record.Full {
			alphas, modules = s.Alphas[:1], s.Modules[:1]
		}
		for _, spec := range alphas {
			for _, lr := range s.LRs {
				for _, targets := range modules {
					a := Arm{Name: "rank=" + rank, Rank: rank, LR: lr, Targets: targets}
					a.Alpha, a.RSLoRA, _ = s.alpha(spec, rank)
					if len(alphas) > 1 {
						a.Name += "/alpha=" + spec
					}
					if len(s.LRs) > 1 {
						a.Name += "/lr=" + short(lr)
					}
					if len(modules) > 1 {
						a.Name += "/targets=" + shortTargets(targets)
					}
					arms = append(arms, a)
				}
			}
		}
	}
	return arms
}

// alpha is lora_alpha of one rank: a number, a multiple of the rank (2r), or sqrt, the recipe's alpha
// with rank-stabilised scaling (Kalajdzievski 2023, arXiv:2312.03732).
func (s Settings) alpha(spec, rank string) (alpha float64, rslora bool, err error) {
	if spec == "sqrt" {
		return s.recipe().Alpha, true, nil
	}
	number, times := strings.CutSuffix(spec, "r")
	if times && number == "" {
		number = "1"
	}
	alpha, err = strconv.ParseFloat(number, 64)
	if err != nil || !(alpha > 0) || math.IsInf(alpha, 0) {
		return 0, false, fmt.Errorf("-alpha has %q, want numbers of more than 0, multiples of the rank such as 2r, and sqrt (the recipe's alpha over the root of the rank)", spec)
	}
	if r, err := strconv.ParseFloat(rank, 64); times && err == nil {
		alpha *= r
	}
	return alpha, false, nil
}

func (s Settings) checkArms() error {
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
	for _, l := range []struct {
		flag   string
		values []string
	}{{"-alpha", s.Alphas}, {"-lr", each(s.LRs, short)}, {"-targets", each(s.Modules, shortTargets)}} {
		for i, v := range l.values {
			if slices.Contains(l.values[:i], v) {
				return fmt.Errorf("%s has %s twice", l.flag, v)
			}
		}
	}
	if len(s.Modules) == 0 || slices.ContainsFunc(s.Modules, func(t []string) bool { return len(t) == 0 }) {
		return fmt.Errorf("-targets has an empty list, want names of linear layers such as q_proj,v_proj, and a colon between two lists")
	}
	if s.Adapter != "" && (len(s.Alphas) > 1 || len(s.Modules) > 1) {
		return fmt.Errorf("-adapter %s brings its own alpha and targets: give one -alpha and one -targets", shown(s.Adapter))
	}
	return nil
}

func each[T, U any](in []T, f func(T) U) []U {
	var out []U
	for _, v := range in {
		out = append(out, f(v))
	}
	return out
}

// short is a number as people write it: 2e-4, 16, 0.5.
func short(v float64) string {
	if v == 0 || v >= 1e-3 && v < 1e6 {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
	n, err := strconv.Atoi(exponent)
	if err != nil { // infinite
		return mantissa
	}
	return mantissa + "e" + strconv.Itoa(n)
}

// shortTargets is q,v for q_proj and v_proj. A slash would end the key in a benchmark's name.
func shortTargets(targets []string) string {
	return strings.ReplaceAll(strings.Join(each(targets, func(t string) string { return strings.TrimSuffix(t, "_proj") }), ","), "/", "_")
}
