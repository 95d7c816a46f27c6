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

// speed is what a larger rank costs in time, measured and by arithmetic.
func (s study) speed() []string {
	var out []string
	if parts := s.compared("samples/sec"); len(parts) > 0 {
		out = append(out, fmt.Sprintf("Samples per second against %s (%s): %s.", s.arms[0].Label,
			format.Number(s.arms[0].Over(func(r *record.Record) float64 { return r.SamplesPerSecond }).Median, 4), strings.Join(parts, "; ")))
	}
	flops := func(a *table.Arm) float64 {
		return a.Over(func(r *record.Record) float64 { return table.Positive(r.TotalFLOPs) }).Median
	}
	var parts []string
	for _, a := range s.arms[1:] {
		if d := flops(a)/flops(s.arms[0]) - 1; format.Finite(d) && !a.Full() {
			parts = append(parts, format.Change(d)+" at "+a.Label)
		}
	}
	if len(parts) > 0 && len(out) > 0 {
		out = append(out, fmt.Sprintf("By arithmetic alone (total_flos) a step takes longer: %s.", format.List(parts)))
	}
	return out
}

// memory says what the peaks are and which categories make their difference.
func (s study) memory() []string {
	name, unit := peakName(s.arms)
	first := s.arms[0]
	var out []string
	if parts := s.compared(unit); len(parts) > 0 {
		out = append(out, fmt.Sprintf("%s against %s (%s): %s.",
			strings.ToUpper(name[:1])+name[1:], first.Label, format.Bytes(first.Over(peak).Median), strings.Join(parts, "; ")))
	}
	for _, a := range s.arms[1:] {
		if a.Full() {
			continue
		}
		type change struct {
			name  string
			bytes float64
		}
		var cs []change
		sum := 0.0
		for _, n := range categories(s.arms) {
			if d := bytesOf(a, n, measured) - bytesOf(first, n, measured); format.Finite(d) && d != 0 {
				cs = append(cs, change{n, d})
				sum += d
			}
		}
		slices.SortStableFunc(cs, func(x, y change) int { return int(min(max(math.Abs(y.bytes)-math.Abs(x.bytes), -1), 1)) })
		var parts []string
		for _, c := range cs[:min(4, len(cs))] {
			parts = append(parts, c.name+" "+format.Plus(c.bytes, format.Bytes(c.bytes)))
		}
		if len(parts) > 0 {
			more := "more"
			if sum < 0 {
				more = "less"
			}
			out = append(out, fmt.Sprintf("%s holds %s %s than %s, most of the difference being %s.",
				sentence(a.Label), format.Bytes(math.Abs(sum)), more, first.Label, format.List(parts)))
		}
	}
	return out
}

// full compares training every weight with the arm that the verdict would take, or with the first.
func (s study) full() []string {
	f := s.fullArm()
	if f == nil || len(s.adapters()) == 0 {
		return nil
	}
	to := s.adapters()[0]
	for _, a := range s.arms {
		if a.Key == s.a.Verdict.Smallest && !a.Full() {
			to = a
		}
	}
	var parts []string
	say := func(what string, ours, theirs float64, f table.Shown) {
		if format.Finite(ours) && format.Finite(theirs) && theirs > 0 {
			parts = append(parts, fmt.Sprintf("%s %s instead of %s (%s)", what, f(ours), f(theirs), format.Change(ours/theirs-1)))
		}
	}
	say("held-out loss", f.Over(table.EvalLoss).Median, to.Over(table.EvalLoss).Median, table.Fixed(4))
	say("samples per second", speedOf(f), speedOf(to), table.Digits(4))
	name, _ := peakName(s.arms)
	say(name, f.Over(peak).Median, to.Over(peak).Median, format.Bytes)
	say("file", table.Positive(float64(f.Runs[0].AdapterBytes)), table.Positive(float64(to.Runs[0].AdapterBytes)), format.Bytes)
	if len(parts) == 0 {
		return nil
	}
	out := []string{fmt.Sprintf("Rank full against %s: %s. Medians.", to.Label, format.List(parts))}
	for _, st := range s.a.Verdict.Standing {
		if st.Arm == f.Key && format.Finite(st.Diff) {
			out = append(out, fmt.Sprintf("Its held-out loss against the best, %s: %s, %s.",
				table.Clean(s.a.Verdict.Best), format.Change(st.Diff), st.Call))
		}
	}
	return out
}

func speedOf(a *table.Arm) float64 {
	return a.Over(func(r *record.Record) float64 { return r.SamplesPerSecond }).Median
}

// sentence begins with a capital.
func sentence(s string) string {
	r := []rune(s)
	return strings.ToUpper(string(r[:1])) + string(r[1:])
}
