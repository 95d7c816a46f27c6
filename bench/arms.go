package bench

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"lorabench/bench/record"
	"lorabench/lora"
)

// Arm is one combination of the compared settings; each is a sub-benchmark.
type Arm struct {
	Name    string // rank=8, and the keys that vary: rank=8/alpha=2r/lr=1e-4/targets=q,v
	Rank    string
	Alpha   float64
	RSLoRA  bool // B A is scaled by alpha/sqrt(r) instead of alpha/r
	LR      float64
	Targets []string
}

func (a Arm) settings(s record.Settings) record.Settings {
	s.Alpha, s.RSLoRA, s.LR, s.Targets = a.Alpha, a.RSLoRA, a.LR, a.Targets
	return s
}

// Config returns the config of the arm's adapter. Rank full has none, which is an error.
func (a Arm) Config(s Settings) (lora.Config, error) {
	r, err := strconv.Atoi(a.Rank)
	if err != nil {
		return lora.Config{}, fmt.Errorf("rank %s has no adapter", a.Rank)
	}
	return lora.Config{R: r, LoraAlpha: a.Alpha, LoraDropout: s.Dropout, TargetModules: a.Targets, UseRSLoRA: a.RSLoRA, UseDoRA: s.DoRA,
		BFloat16: s.AdapterDType == "bfloat16"}, nil
}

// Arms returns every combination of ranks, alphas, rates and targets, ranks outermost. Rank full has no adapter: only rates vary it.
func (s Settings) Arms() []Arm {
	var arms []Arm
	for _, rank := range s.Ranks {
		alphas, modules := s.Alphas, s.Modules
		if rank == record.Full {
			alphas, modules = s.Alphas[:1], s.Modules[:1]
		}
		for _, spec := range alphas {
			alpha, rslora, _ := s.alpha(spec, rank) // checked
			for _, lr := range s.LRs {
				for _, targets := range modules {
					name := "rank=" + rank + varied("alpha", spec, len(alphas)) + varied("lr", short(lr), len(s.LRs)) +
						varied("targets", shortTargets(targets), len(modules))
					arms = append(arms, Arm{Name: name, Rank: rank, Alpha: alpha, RSLoRA: rslora || s.Adapter != "" && s.RSLoRA, LR: lr, Targets: targets})
				}
			}
		}
	}
	return arms
}

// varied returns a key's part of an arm's name, "" unless the key has several values.
func varied(key, value string, n int) string {
	if n < 2 {
		return ""
	}
	return "/" + key + "=" + value
}

// alpha returns lora_alpha for a rank. spec is a number, a multiple of the rank (2r), or sqrt: the recipe's alpha with rank-stabilised
// scaling (Kalajdzievski 2023, arXiv:2312.03732).
func (s Settings) alpha(spec, rank string) (alpha float64, rslora bool, err error) {
	if rslora = spec == "sqrt"; rslora {
		spec = s.recipe().Alpha
	}
	number, times := strings.CutSuffix(spec, "r")
	if times && number == "" {
		number = "1"
	}
	alpha, err = strconv.ParseFloat(number, 64)
	if err != nil || !(alpha > 0) || math.IsInf(alpha, 0) {
		return 0, false, fmt.Errorf("-alpha has %q, want numbers of more than 0, multiples of the rank such as 2r, "+
			"and sqrt (the recipe's alpha over the root of the rank)", spec)
	}
	if r, err := strconv.ParseFloat(rank, 64); times && err == nil {
		alpha *= r
	}
	return alpha, rslora, nil
}

func each[T, U any](in []T, f func(T) U) []U {
	var out []U
	for _, v := range in {
		out = append(out, f(v))
	}
	return out
}

// short formats a number as people write it: 2e-4, 16, 0.5.
func short(v float64) string {
	if v == 0 || v >= 1e-3 && v < 1e6 {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strings.NewReplacer("e+0", "e", "e+", "e", "e-0", "e-").Replace(strconv.FormatFloat(v, 'e', -1, 64))
}

// shortTargets returns q,v for q_proj and v_proj. It replaces slashes, which would end the key in a benchmark's name.
func shortTargets(targets []string) string {
	return strings.ReplaceAll(strings.Join(each(targets, func(t string) string { return strings.TrimSuffix(t, "_proj") }), ","), "/", "_")
}
