package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/record"
)

// speed is what a larger rank costs in time, measured and by arithmetic.
func (s study) speed() []string {
	var out []string
	if parts := s.compared("samples/sec"); len(parts) > 0 {
		out = append(out, fmt.Sprintf("Samples per second against %s (%s): %s.", s.arms[0].Label,
			format.Number(speedOf(s.arms[0]), 4), strings.Join(parts, "; ")))
	}
	flops := func(a *arm) float64 {
		return a.over(func(r *record.Record) float64 { return positive(r.TotalFLOPs) }).Median
	}
	var parts []string
	for _, a := range s.arms[1:] {
		if d := flops(a)/flops(s.arms[0]) - 1; format.Finite(d) && !a.full() {
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
		out = append(out, fmt.Sprintf("%s against %s (%s): %s.", strings.ToUpper(name[:1])+name[1:], first.Label, format.Bytes(first.over(peak).Median), strings.Join(parts, "; ")))
	}
	for _, a := range s.arms[1:] {
		if a.full() {
			continue
		}
		type change struct {
			name  string
			bytes float64
		}
		var cs []change
		sum := 0.0
		for _, n := range categories(s.arms) {
			if d := a.bytesOf(n, measured) - first.bytesOf(n, measured); format.Finite(d) && d != 0 {
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
			out = append(out, fmt.Sprintf("%s holds %s %s than %s, most of the difference being %s.", sentence(a.Label), format.Bytes(math.Abs(sum)), more, first.Label, format.List(parts)))
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
		if a.Key == s.a.Verdict.Smallest && !a.full() {
			to = a
		}
	}
	var parts []string
	say := func(what string, ours, theirs float64, f shown) {
		if format.Finite(ours) && format.Finite(theirs) && theirs > 0 {
			parts = append(parts, fmt.Sprintf("%s %s instead of %s (%s)", what, f(ours), f(theirs), format.Change(ours/theirs-1)))
		}
	}
	say("held-out loss", f.over(evalLoss).Median, to.over(evalLoss).Median, fixed(4))
	say("samples per second", speedOf(f), speedOf(to), digits(4))
	name, _ := peakName(s.arms)
	say(name, f.over(peak).Median, to.over(peak).Median, format.Bytes)
	say("file", positive(float64(f.Runs[0].AdapterBytes)), positive(float64(to.Runs[0].AdapterBytes)), format.Bytes)
	if len(parts) == 0 {
		return nil
	}
	out := []string{fmt.Sprintf("Rank full against %s: %s. Medians.", to.Label, format.List(parts))}
	for _, st := range s.a.Verdict.Standing {
		if st.Arm == f.Key && format.Finite(st.Diff) {
			out = append(out, fmt.Sprintf("Its held-out loss against the best, %s: %s, %s.", clean(s.a.Verdict.Best), format.Change(st.Diff), st.Call))
		}
	}
	return out
}

func speedOf(a *arm) float64 {
	return a.over(func(r *record.Record) float64 { return r.SamplesPerSecond }).Median
}

// sentence begins with a capital.
func sentence(s string) string {
	r := []rune(s)
	return strings.ToUpper(string(r[:1])) + string(r[1:])
}
