package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

// point is a finding in words, under a heading of its own.
type point struct {
	Head      string
	Sentences []string
}

// points say what LoRA gives and costs, as far as these runs show it. What the verdict says of ranks is not said again. A
// sentence without its figures is left out, and a heading without sentences too.
func (s *study) points() []point {
	ps := []point{
		{"What LoRA saves", []string{s.share(), s.file(), s.state(), s.moments()}},
		{"What a larger rank gives", []string{s.learned(), s.scalings()}},
		{"What a larger rank costs", append([]string{s.arithmetic()}, s.memory()...)},
		{"Against training every weight", []string{s.full()}},
	}
	for i := range ps {
		ps[i].Sentences = slices.DeleteFunc(ps[i].Sentences, func(s string) bool { return s == "" })
	}
	return slices.DeleteFunc(ps, func(p point) bool { return len(p.Sentences) == 0 })
}

// adapters are the arms with an adapter, one for each number of trained parameters.
func (s *study) adapters() []*table.Arm {
	return slices.DeleteFunc(sizes(s.arms), func(a *table.Arm) bool { return a.Full() || a.Runs[0].Trainable <= 0 })
}

func (s *study) fullArm() *table.Arm {
	if i := slices.IndexFunc(s.arms, (*table.Arm).Full); i >= 0 {
		return s.arms[i]
	}
	return nil
}

// each lists what is said of the arms; "" where nothing is.
func each(arms []*table.Arm, say func(*table.Arm) string) string {
	var parts []string
	for _, a := range arms {
		if said := say(a); said != "" {
			parts = append(parts, said)
		}
	}
	return format.List(parts)
}

// parameters is the whole model's number.
func (s *study) parameters() float64 { return float64(s.arms[0].Runs[0].Model.Parameters) }

func (s *study) share() string {
	total := s.parameters()
	list := each(s.adapters(), func(a *table.Arm) string {
		n := a.Runs[0].Trainable
		return fmt.Sprintf("%s (%s) at %s", format.Whole(n), format.Percent(float64(n)/total), a.Label)
	})
	if !(total > 0) || list == "" {
		return ""
	}
	return fmt.Sprintf("Of the model's %s parameters LoRA trains %s.", format.Fixed(total, 0), list)
}

// file compares adapters with the whole model, as rank full saved it or in float32.
func (s *study) file() string {
	whole := 4 * s.parameters()
	if f := s.fullArm(); f != nil && f.Runs[0].AdapterBytes > 0 {
		whole = float64(f.Runs[0].AdapterBytes)
	}
	list := each(s.adapters(), func(a *table.Arm) string {
		b := float64(a.Runs[0].AdapterBytes)
		if !(b > 0) {
			return ""
		}
		return fmt.Sprintf("%s at %s (%s of it)", format.Bytes(b), a.Label, format.Percent(b/whole))
	})
	if !(whole > 0) || list == "" {
		return ""
	}
	return fmt.Sprintf("The whole model's file has %s; for each task one keeps only the adapter's, %s.", format.Bytes(whole), list)
}

// state is what training holds besides activations: weights, and for each trained parameter itself, its gradient and AdamW's
// two moments in float32.
func (s *study) state() string {
	full, weight := 16*s.parameters(), 4.0
	list := each(s.adapters(), func(a *table.Arm) string {
		if a.Runs[0].Settings.DType == "bfloat16" {
			weight = 2
		}
		lora := weight*s.parameters() + 16*float64(a.Runs[0].Trainable)
		return fmt.Sprintf("%s at %s (%s of that)", format.Bytes(lora), a.Label, format.Percent(lora/full))
	})
	if !(full > 0) || list == "" {
		return ""
	}
	return fmt.Sprintf("Training every weight holds four numbers for each of them (itself, its gradient and AdamW's two moments): "+
		"%s by arithmetic. LoRA holds the last three only for the adapter: %s.", format.Bytes(full), list)
}

func (s *study) moments() string {
	list := each(s.adapters(), func(a *table.Arm) string {
		if m := bytesOf(a, record.Optimizer, measured); m > 0 {
			return format.Bytes(m) + " at " + a.Label
		}
		return ""
	})
	if list == "" {
		return ""
	}
	return fmt.Sprintf("AdamW's moments were measured at %s; for every weight they would use %s.", list, format.Bytes(8*s.parameters()))
}

// learned is how far the held-out loss fell.
func (s *study) learned() string {
	base := s.arms[0].Over(func(r *record.Record) float64 { return table.Number(r.Data.EvalLossBase) }).Median
	list := each(s.arms, func(a *table.Arm) string {
		v := a.Over(table.EvalLoss).Median
		if !format.Finite(v) {
			return ""
		}
		return fmt.Sprintf("%s with %s", format.Fixed(v, 4), a.Label)
	})
	if !format.Finite(base) || list == "" {
		return ""
	}
	return fmt.Sprintf("The base model's held-out loss of %s became %s (medians).", format.Fixed(base, 4), list)
}

// scalings says why ranks may look alike: with one alpha a larger rank is held back.
func (s *study) scalings() string {
	list := each(s.adapters(), func(a *table.Arm) string {
		if v := a.Runs[0].Scaling; v > 0 {
			return fmt.Sprintf("%s at %s", format.Number(v, 3), a.Label)
		}
		return ""
	})
	if !oneAlpha(s.arms) || list == "" {
		return ""
	}
	return fmt.Sprintf("All ranks have lora_alpha %s, so that BA is scaled by %s: over a short training ranks are then expected to end near "+
		"each other. Run -alpha=2r to compare them at one scale, -alpha=sqrt for one in between.",
		format.All(s.adapters()[0].Runs[0].Settings.Alpha), list)
}

func (s *study) arithmetic() string {
	flops := func(a *table.Arm) float64 {
		return a.Over(func(r *record.Record) float64 { return table.Positive(r.TotalFLOPs) }).Median
	}
	adapters := s.adapters()
	list := each(adapters[min(1, len(adapters)):], func(a *table.Arm) string {
		if d := flops(a)/flops(adapters[0]) - 1; format.Finite(d) {
			return format.Change(d) + " at " + a.Label
		}
		return ""
	})
	if list == "" {
		return ""
	}
	return fmt.Sprintf("By arithmetic alone (total_flos) a step takes longer than at %s: %s.", adapters[0].Label, list)
}

// memory says which categories make the difference between peaks.
func (s *study) memory() (out []string) {
	known, unknown := categories(s.arms)
	names := slices.Concat(known, unknown)
	adapters := s.adapters()
	for _, a := range adapters[min(1, len(adapters)):] {
		difference := func(name string) float64 {
			if d := bytesOf(a, name, measured) - bytesOf(adapters[0], name, measured); format.Finite(d) {
				return d
			}
			return 0
		}
		largest := slices.Clone(names)
		slices.SortStableFunc(largest, func(x, y string) int {
			return int(max(-1, min(1, math.Abs(difference(y))-math.Abs(difference(x)))))
		})
		sum, parts := 0.0, []string{}
		for i, n := range largest {
			d := difference(n)
			if sum += d; d != 0 && i < 4 {
				parts = append(parts, n+" "+format.Plus(d, format.Bytes(d)))
			}
		}
		if len(parts) == 0 {
			continue
		}
		more := "more"
		if sum < 0 {
			more = "less"
		}
		out = append(out, fmt.Sprintf("At %s training holds %s %s than at %s, most of the difference being %s.",
			a.Label, format.Bytes(math.Abs(sum)), more, adapters[0].Label, format.List(parts)))
	}
	return out
}

// full compares training every weight with the arm that the verdict would take, or with the first.
func (s *study) full() string {
	f, adapters := s.fullArm(), s.adapters()
	if f == nil || len(adapters) == 0 {
		return ""
	}
	to := adapters[0]
	for _, a := range s.arms {
		if a.Key == s.a.Verdict.Smallest && !a.Full() {
			to = a
		}
	}
	peak := peakOf(s.arms)
	var parts []string
	for _, q := range []struct {
		quantity
		shown table.Shown
	}{
		{quantity{"held-out loss", table.EvalLoss}, table.Fixed(4)},
		{quantity{"samples per second", func(r *record.Record) float64 { return r.SamplesPerSecond }}, table.Digits(4)},
		{peak, format.Bytes},
		{quantity{"file", func(r *record.Record) float64 { return table.Positive(float64(r.AdapterBytes)) }}, format.Bytes},
	} {
		if ours, theirs := f.Over(q.of).Median, to.Over(q.of).Median; format.Finite(ours) && theirs > 0 {
			parts = append(parts, fmt.Sprintf("%s %s instead of %s (%s)", q.name, q.shown(ours), q.shown(theirs), format.Change(ours/theirs-1)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("%s%s against %s: %s (medians).", strings.ToUpper(f.Label[:1]), f.Label[1:], to.Label, format.List(parts))
}
