package report

import (
	"fmt"
	"math"
	"slices"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

// point is a finding in words, under a heading of its own.
type point struct {
	Head      string
	Sentences []string
}

// points say what LoRA gives and costs, as far as these runs show it; what the verdict says of ranks is not said again. A
// sentence without its figures is left out, and a heading without sentences too.
func (s *study) points() []point {
	full := slices.IndexFunc(s.arms, (*table.Arm).Full)
	adapters := slices.DeleteFunc(sizes(s.arms), func(a *table.Arm) bool { return a.Full() || a.Runs[0].Trainable <= 0 })
	if len(adapters) == 0 {
		return nil
	}
	first := adapters[0]
	base := first.Over(func(r *record.Record) float64 { return table.Number(r.Data.EvalLossBase) }).Median
	ps := []point{
		{"What LoRA saves", s.saved(adapters, full)},
		{"What training gives", []string{
			list("The base model's held-out loss of "+format.Fixed(base, 4)+" became ", s.arms, " (medians).", func(a *table.Arm) string {
				loss := a.Over(table.EvalLoss).Median
				return at(a, loss/base, format.Fixed(loss, 4))
			})}},
		{"What a larger rank costs", []string{
			list("By arithmetic alone (total_flos) a step takes longer than at "+first.Label+": ", adapters[1:], ".", func(a *table.Arm) string {
				ratio := a.Over(flops).Median / first.Over(flops).Median
				return at(a, ratio, format.Change(ratio-1))
			})}},
	}
	if full >= 0 {
		ps = append(ps, point{"Against training every weight", []string{s.againstFull(s.arms[full], first)}})
	}
	for i := range ps {
		ps[i].Sentences = slices.DeleteFunc(ps[i].Sentences, func(s string) bool { return s == "" })
	}
	return slices.DeleteFunc(ps, func(p point) bool { return len(p.Sentences) == 0 })
}

// list makes a sentence of what is said of each arm; "" where nothing is.
func list(before string, arms []*table.Arm, after string, say func(*table.Arm) string) string {
	var parts []string
	for _, a := range arms {
		if said := say(a); said != "" {
			parts = append(parts, said)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return before + format.List(parts) + after
}

// at is a part of a list: text of an arm, "" where the value that it rests on does not exist.
func at(a *table.Arm, value float64, text string) string {
	if !(value > 0) || math.IsInf(value, 0) {
		return ""
	}
	return text + " at " + a.Label
}

func speed(r *record.Record) float64    { return r.SamplesPerSecond }
func flops(r *record.Record) float64    { return table.Positive(r.TotalFLOPs) }
func fileSize(r *record.Record) float64 { return table.Positive(float64(r.AdapterBytes)) }

// saved is about parameters, files and what training holds besides activations: weights, and for each trained parameter
// itself, its gradient and AdamW's two moments in float32.
func (s *study) saved(adapters []*table.Arm, full int) []string {
	r := adapters[0].Runs[0]
	total, file, weight := float64(r.Model.Parameters), 4*float64(r.Model.Parameters), 4.0
	if full >= 0 && s.arms[full].Runs[0].AdapterBytes > 0 {
		file = fileSize(s.arms[full].Runs[0])
	}
	if r.Settings.DType == "bfloat16" {
		weight = 2
	}
	return []string{
		list("Of the model's "+format.Fixed(total, 0)+" parameters LoRA trains ", adapters, ".", func(a *table.Arm) string {
			n := float64(a.Runs[0].Trainable)
			return at(a, n/total, format.Fixed(n, 0)+" ("+format.Percent(n/total)+")")
		}),
		list("The whole model's file has "+format.Bytes(file)+"; for each task one keeps only the adapter's, ", adapters, ".",
			func(a *table.Arm) string {
				b := fileSize(a.Runs[0])
				return at(a, b/file, format.Bytes(b)+" ("+format.Percent(b/file)+" of it)")
			}),
		list("Training every weight holds four numbers for each of them (itself, its gradient and AdamW's two moments): "+format.Bytes(16*total)+
			" by arithmetic. LoRA holds them only for the adapter, besides the weights: ", adapters, ".", func(a *table.Arm) string {
			b := weight*total + 16*float64(a.Runs[0].Trainable)
			return at(a, b/(16*total), format.Bytes(b)+" ("+format.Percent(b/(16*total))+" of that)")
		}),
	}
}

// againstFull compares training every weight with the arm that the verdict would take, or with first.
func (s *study) againstFull(full, first *table.Arm) string {
	to := first
	for _, a := range s.arms {
		if a.Key == s.a.Verdict.Smallest && !a.Full() {
			to = a
		}
	}
	peakName, peak := peakOf(s.arms)
	var parts []string
	for _, q := range []struct {
		name  string
		of    func(*record.Record) float64
		shown func(float64) string
	}{
		{"held-out loss", table.EvalLoss, table.Fixed(4)}, {"samples per second", speed, table.Digits(4)},
		{peakName, peak, format.Bytes}, {"file", fileSize, format.Bytes},
	} {
		if ours, theirs := full.Over(q.of).Median, to.Over(q.of).Median; format.Finite(ours) && theirs > 0 {
			parts = append(parts, fmt.Sprintf("%s %s instead of %s (%s)", q.name, q.shown(ours), q.shown(theirs), format.Change(ours/theirs-1)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("Medians of %s against %s: %s.", full.Label, to.Label, format.List(parts))
}
