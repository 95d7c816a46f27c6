package compare

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// contest holds what ranks are judged by, the losses of each rank's arm at its best rate and alpha, and the outcome.
type contest struct {
	*table
	all    []column // of all rates and alphas
	groups [][]int  // of all, those of each rank
	before float64  // the loss before training on the records that are judged by; NaN where it is not known
	how    string   // arms were chosen; "" if there was no choice

	Verdict
	alpha  float64
	loss   float64      // the best's mean
	margin string       // in words
	among  [][]estimate // [i][j] is arm i against arm j
	calls  []Call       // of each arm
}

// chosen matches the parts of an arm's name that are chosen for each rank before ranks are compared.
var chosen = regexp.MustCompile("/(lr|alpha)=[^/]*")

// group returns an arm's name without them: rank=8/targets=q,v.
func group(name string) string { return chosen.ReplaceAllString(name, "") }

// contest returns a contest by the first loss that at least two arms have, else by one that any has; nil if there is none.
func (s *study) contest() *contest {
	c := &contest{before: math.NaN()}
	for _, u := range results.Losses {
		if t := s.table(u); len(t.arms) > 0 && (c.table == nil || len(c.arms) < 2 && len(t.arms) >= 2) {
			c.table, c.all = t, t.by
		}
	}
	if c.table == nil {
		return nil
	}
	var names []string
	for i, name := range c.arms {
		k := slices.Index(names, group(name))
		if k < 0 {
			k, names, c.groups = len(names), append(names, group(name)), append(c.groups, nil)
		}
		c.groups[k] = append(c.groups[k], i)
	}
	halves := len(names) < len(c.arms) && c.choose()
	for _, r := range s.set.Records {
		if base := r.Data.EvalHalvesBase; halves && len(base) == 2 {
			c.before = base[1]
		} else if base := r.Data.EvalLossBase; base != nil && c.unit == evalLoss && !halves {
			c.before = *base
		}
	}
	return c
}

// choose keeps each rank's best arm, chosen on the first half of the held-out records and judged on the second, and reports whether there
// are halves: the lowest of several losses is partly luck, which the half that was not looked at does not share.
func (c *contest) choose() (halves bool) {
	on := c.table // what is chosen by
	c.how = "Each rank is at its best rate and alpha, chosen by the losses that it is judged by, so that more rates flatter it more " +
		"(run records have the held-out loss in halves)."
	if first, second := c.half(0), c.half(1); c.unit == evalLoss && first != nil {
		on, c.table, halves = first, second, true
		c.how = "Each rank is at its best rate and alpha, chosen on one half of the held-out records and judged on the other."
	}
	best := *c.table
	best.arms, best.by = nil, nil
	for _, g := range c.groups {
		i, _ := on.lowest(g...)
		best.arms, best.by = append(best.arms, c.arms[i]), append(best.by, c.by[i])
	}
	c.table = &best
	return halves
}

// half returns the table of losses on one half of the held-out records; nil if a run has none.
func (c *contest) half(half int) *table {
	var losses [][]float64
	for i, runs := range c.runs {
		losses = append(losses, missing(len(runs)))
		for k, run := range runs {
			if run == nil {
				continue
			}
			r := c.record(i, run.Seed)
			if r == nil || len(r.EvalHalves) != 2 {
				return nil
			}
			losses[i][k] = r.EvalHalves[half]
		}
	}
	return newTable(c.study, c.unit, losses)
}

// conditions names the steps, rate and alpha that the verdict holds for.
func (c *contest) conditions() string {
	alpha := c.distinct("alpha", "alpha", "lora_alpha")
	if number := strings.TrimPrefix(alpha, "alpha "); strings.Trim(number, "0123456789.") == "" {
		by := "r"
		if c.setting(c.by[0].at, "use_rslora") == "true" {
			by = "sqrt(r)"
		}
		alpha += ": with one alpha ranks differ in scale too, since B A is scaled by alpha/" + by
	}
	return fmt.Sprintf("This holds for %d steps, %s and %s.", c.study.arms[c.by[0].at].Runs[0].Iters,
		c.distinct("learning rate", "lr", "learning_rate"), alpha)
}

// distinct names the values of a setting that arms have.
func (c *contest) distinct(name string, keys ...string) string {
	var values []string
	for i, col := range c.by {
		v := c.setting(col.at, keys...)
		if v != "" && !slices.Contains(values, v) && !(name == "alpha" && full(c.arms[i])) {
			values = append(values, v)
		}
	}
	switch len(values) {
	case 0:
		return "an unknown " + name
	case 1:
		return name + " " + values[0]
	}
	return name + "s " + format.Few(values, 5)
}

// limits returns sentences if something other than the rank limits the loss: the largest rate that was tried, or the steps.
func (c *contest) limits() (text []string) {
	rate := func(col column) float64 {
		v, _ := strconv.ParseFloat(c.setting(col.at, "lr", "learning_rate"), 64) // 0 where it is not known
		return v
	}
	// A rate at which training diverged was tried too.
	largest := len(c.set.Diverged) == 0 && !slices.ContainsFunc(c.set.Records, func(r *record.Record) bool { return r.Diverged > 0 })
	var falling []string
	for k, col := range c.by {
		smaller := slices.ContainsFunc(c.groups[k], func(i int) bool { return rate(c.all[i]) < rate(col) })
		largest = largest && smaller && !slices.ContainsFunc(c.groups[k], func(i int) bool { return rate(c.all[i]) > rate(col) })
		if c.falling(col.at) {
			falling = append(falling, c.arms[k])
		}
	}
	if largest {
		text = append(text, "The learning rate may limit the loss, not the rank: every rank is best at the largest rate tried. Try larger ones.")
	}
	if len(falling) > 0 {
		text = append(text, fmt.Sprintf("The steps may limit the loss, not the rank: that of %s still falls at the end as fast as in "+
			"the middle. Train longer.", format.Few(falling, 4)))
	}
	return text
}

// falling reports whether an arm's training loss falls from the third quarter of training to the last by as much as from the second
// to the third, and by more than the steps' noise.
func (c *contest) falling(i int) bool {
	var curve []float64 // the sum over seeds
	for _, run := range c.study.arms[i].Runs {
		if r := c.record(i, run.Seed); r != nil {
			curve = append(curve, make([]float64, max(0, len(r.Steps)-len(curve)))...)
			for k, s := range r.Steps {
				curve[k] += s.Loss
			}
		}
	}
	q := len(curve) / 4
	if q < 2 {
		return false
	}
	quarter := func(k int) []float64 { return curve[len(curve)-(4-k)*q:][:q] }
	middle, end := stats.Welch(quarter(1), quarter(2)), stats.Welch(quarter(2), quarter(3))
	return end.Below(0) < 0.01 && end.Mean <= middle.Mean
}

// Margin is how much higher than the best a loss may be and still be as good. The zero value is 5 % of the gain.
type Margin struct {
	Part   float64 // a fraction
	OfLoss bool    // of the best loss instead of what training gained: the loss before it less the best after it
}

// String formats a margin as -margin reads it: 5%gain.
func (m Margin) String() string {
	of := "gain"
	if m.OfLoss {
		of = "loss"
	}
	return strconv.FormatFloat(100*m.Part, 'g', 6, 64) + "%" + of
}

// Set parses what String formats; a Margin is a flag.Value.
func (m *Margin) Set(s string) error {
	number, of, ok := strings.Cut(strings.ReplaceAll(s, " ", ""), "%")
	part, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(part > 0 && part < 100) || of != "gain" && of != "loss" {
		return fmt.Errorf("want a part of what training gained such as 5%%gain, or of the best loss such as 1%%loss; above 0 and below 100 %%")
	}
	*m = Margin{part / 100, of == "loss"}
	return nil
}

// of returns a margin as a fraction of the best loss, and in words. If the loss before training is unknown (NaN), it is 1 % of the loss.
// It is 0 if training gained nothing.
func (m Margin) of(before, best float64) (limit float64, words string) {
	switch {
	case m.OfLoss:
		return m.Part, format.Level(m.Part) + " of the loss"
	case !format.Finite(before):
		return 0.01, "1 % of the loss, because the loss before training is not known"
	}
	return max(0, m.Part*(before-best)/best), fmt.Sprintf("%s of what training gained (%s before, %s after)",
		format.Level(m.Part), format.Value(evalLoss, before), format.Value(evalLoss, best))
}
