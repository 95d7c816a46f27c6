package report

import (
	"fmt"
	"slices"
	"strings"

	"lorabench/bench/compare"
	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

// point is a finding in words, under a heading of its own.
type point struct {
	Head      string
	Sentences []string
}

// study is what is written about: the runs and what was concluded from them.
type study struct {
	arms []*table.Arm
	a    *compare.Analysis
}

// words is what LoRA saves and costs, as far as these runs show it. A sentence without its figures is
// not there, and a heading without sentences neither.
func (s study) words() []point {
	points := []point{
		{"What LoRA saves", slices.Concat(s.share(), s.file(), s.state())},
		{"What a larger rank gives", slices.Concat(s.learned(), s.losses(), s.target(), s.scalings())},
		{"What a larger rank costs", slices.Concat(s.speed(), s.memory())},
		{"Against training every weight", s.full()},
	}
	return slices.DeleteFunc(points, func(p point) bool { return len(p.Sentences) == 0 })
}

// adapters are the arms with an adapter, one for each number of trained parameters.
func (s study) adapters() []*table.Arm {
	var out []*table.Arm
	seen := map[int64]bool{}
	for _, a := range s.arms {
		if n := a.Runs[0].Trainable; !a.Full() && n > 0 && !seen[n] {
			seen[n] = true
			out = append(out, a)
		}
	}
	return out
}

func (s study) fullArm() *table.Arm {
	for _, a := range s.arms {
		if a.Full() {
			return a
		}
	}
	return nil
}

func (s study) share() []string {
	total := s.arms[0].Runs[0].Model.Parameters
	var parts []string
	for _, a := range s.adapters() {
		n := a.Runs[0].Trainable
		parts = append(parts, fmt.Sprintf("%s (%s) at %s", format.Whole(n), format.Percent(float64(n)/float64(total)), a.Label))
	}
	if total <= 0 || len(parts) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Of the model's %s parameters LoRA trains as many as %s.", format.Whole(total), format.List(parts))}
}

// modelBytes is the whole model as a file: as rank full saved it, or in float32.
func (s study) modelBytes() (bytes float64, said string) {
	if f := s.fullArm(); f != nil && f.Runs[0].AdapterBytes > 0 {
		return float64(f.Runs[0].AdapterBytes), "the whole model, as rank full has to keep it, takes "
	}
	return 4 * float64(s.arms[0].Runs[0].Model.Parameters), "the whole model in float32 takes "
}

func (s study) file() []string {
	whole, said := s.modelBytes()
	var parts []string
	for _, a := range s.adapters() {
		if b := float64(a.Runs[0].AdapterBytes); b > 0 {
			parts = append(parts, fmt.Sprintf("%s at %s (%s of it)", format.Bytes(b), a.Label, format.Percent(b/whole)))
		}
	}
	if !(whole > 0) || len(parts) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("For each task one keeps only the adapter's file, %s; %s%s.", format.List(parts), said, format.Bytes(whole))}
}

// state is what training holds besides activations: weights, and for each trained parameter a
// gradient and AdamW's two moments, all float32.
func (s study) state() []string {
	r := s.arms[0].Runs[0]
	n := float64(r.Model.Parameters)
	adapters := s.adapters()
	if !(n > 0) || len(adapters) == 0 {
		return nil
	}
	weight := 4.0
	if adapters[0].Runs[0].Settings.DType == "bfloat16" {
		weight = 2
	}
	full := 16 * n
	var parts []string
	for _, a := range adapters {
		lora := weight*n + 16*float64(a.Runs[0].Trainable)
		parts = append(parts, fmt.Sprintf("%s at %s (%s of that)", format.Bytes(lora), a.Label, format.Percent(lora/full)))
	}
	out := []string{fmt.Sprintf("Training every weight holds four numbers for each of them (itself, its gradient and AdamW's two moments): %s by arithmetic. "+
		"LoRA holds the last three only for the adapter: %s.", format.Bytes(full), format.List(parts))}
	var moments []string
	for _, a := range adapters {
		if m := bytesOf(a, record.Optimizer, measured); m > 0 {
			moments = append(moments, format.Bytes(m)+" at "+a.Label)
		}
	}
	if len(moments) > 0 {
		out = append(out, fmt.Sprintf("AdamW's moments were measured at %s; for every weight they would take %s.",
			format.List(moments), format.Bytes(8*n)))
	}
	return out
}

// learned is how far the held-out loss fell.
func (s study) learned() []string {
	base := s.arms[0].Over(func(r *record.Record) float64 { return table.Number(r.Data.EvalLossBase) }).Median
	var parts []string
	for _, a := range s.arms {
		if v := a.Over(table.EvalLoss).Median; format.Finite(v) {
			parts = append(parts, fmt.Sprintf("%s with %s", format.Fixed(v, 4), a.Label))
		}
	}
	if !format.Finite(base) || len(parts) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("The base model's held-out loss of %s became %s.", format.Fixed(base, 4), format.List(parts))}
}

// against says an arm's difference with how sure it is, without its unit.
func against(at *table.Arm, p compare.Pair, a *compare.Analysis) string {
	d := format.Change(p.Diff) + " at " + at.Label
	switch {
	case p.Exact:
		return d + ", exactly"
	case p.Call == compare.CannotTell:
		return d + ", which so few runs cannot tell from noise"
	case p.Call == compare.NoDifference && format.Finite(p.Detectable):
		return fmt.Sprintf("%s, no difference found (%s %s; these seeds would have shown %s)",
			d, level(a), interval(p.Low, p.High), format.Percent(p.Detectable))
	case format.Finite(p.Low) && format.Finite(p.Corrected):
		return fmt.Sprintf("%s (%s %s, corrected p %s)", d, level(a), interval(p.Low, p.High), format.P(p.Corrected))
	}
	return d
}

// compared is a unit of every adapter's arm against the first arm.
func (s study) compared(unit string) []string {
	var parts []string
	for _, a := range s.arms[1:] {
		if p, ok := pairOf(s.a, unit, a.Key); ok && !a.Full() {
			parts = append(parts, against(a, p, s.a))
		}
	}
	return parts
}

func (s study) losses() []string {
	parts := s.compared("eval-loss")
	if len(parts) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Held-out loss against %s, paired by seed: %s.", s.arms[0].Label, strings.Join(parts, "; "))}
}

func (s study) target() []string {
	target := s.arms[0].Runs[0].Settings.TargetLoss
	var parts []string
	for _, a := range s.arms {
		at := a.Over(func(r *record.Record) float64 { return table.Number(r.SecondsToTarget) })
		switch {
		case at.N == len(a.Runs):
			parts = append(parts, fmt.Sprintf("%s after %s s", a.Label, format.Number(at.Median, 3)))
		case at.N > 0:
			parts = append(parts, fmt.Sprintf("%s after %s s in %d of %d runs", a.Label, format.Number(at.Median, 3), at.N, len(a.Runs)))
		default:
			parts = append(parts, a.Label+" not at all")
		}
	}
	if !(target > 0) {
		return nil
	}
	return []string{fmt.Sprintf("A held-out loss of %s was reached by %s of training (medians).", format.All(target), format.List(parts))}
}

// scalings says why ranks may look alike: with one alpha a larger rank is held back.
func (s study) scalings() []string {
	if !oneAlpha(s.arms) {
		return nil
	}
	var parts []string
	for _, a := range s.adapters() {
		if v := a.Runs[0].Scaling; v > 0 {
			parts = append(parts, fmt.Sprintf("%s at %s", format.Number(v, 3), a.Label))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("All ranks have lora_alpha %s, so that BA is scaled by %s: over a short training ranks are then expected to end near each other. "+
		"Run -alpha=2r to compare them at one scale, -alpha=sqrt for one in between.",
		format.All(s.adapters()[0].Runs[0].Settings.Alpha), format.List(parts))}
}
