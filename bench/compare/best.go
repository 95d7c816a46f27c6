package compare

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// contest is what ranks are judged by: of each rank the arm at its best rate and alpha, with their losses.
type contest struct {
	*table
	*study
	unit   string
	groups [][]int // the study's arms that are one rank, at several rates or alphas
	at     []int   // of each group the chosen one; of table.arms
	before float64 // the loss before training on the records that are judged by; NaN where it is not known
	how    string  // arms were chosen; "" where there was no choice
}

// group is an arm's name without the rate and alpha, which are chosen for each rank before ranks are compared: rank=8/targets=q,v.
func group(name string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(name, "/"), func(part string) bool {
		return strings.HasPrefix(part, "lr=") || strings.HasPrefix(part, "alpha=")
	}), "/")
}

// contest takes the first loss that at least two arms have. tables are by unit.
func (s *study) contest(tables map[string]*table) *contest {
	c := &contest{study: s, before: math.NaN()}
	for _, u := range results.Losses {
		if t := tables[u]; t != nil && (c.table == nil || len(c.table.arms) < 2 && len(t.arms) >= 2) {
			c.table, c.unit = t, u
		}
	}
	if c.table == nil {
		return nil
	}
	var names []string
	for _, name := range c.table.arms {
		i := slices.Index(s.names, name)
		c.at = append(c.at, i)
		k := slices.Index(names, group(name))
		if k < 0 {
			k, names, c.groups = len(names), append(names, group(name)), append(c.groups, nil)
		}
		c.groups[k] = append(c.groups[k], i)
	}
	if i := slices.IndexFunc(s.set.Records, func(r *record.Record) bool { return r.Data.EvalLossBase != nil }); i >= 0 && c.unit == evalLoss {
		c.before = *s.set.Records[i].Data.EvalLossBase
	}
	if len(c.groups) < len(c.at) {
		c.choose()
	}
	return c
}

// choose leaves each rank its best arm, chosen on the first half of the held-out records and judged on the second: the lowest of
// several losses is partly luck, which the half that was not looked at does not share.
func (c *contest) choose() {
	on, all := c.table, c.at // what is chosen by, and from
	c.how = "Each rank is at its best rate and alpha, chosen by the losses that it is judged by, so that more rates flatter it more " +
		"(run records have the held-out loss in halves)."
	if first, second := c.halves(0), c.halves(1); c.unit == evalLoss && first != nil {
		on, c.table = newTable(c.study, all, first), newTable(c.study, all, second)
		c.how = "Each rank is at its best rate and alpha, chosen on one half of the held-out records and judged on the other."
		c.before = math.NaN()
		for _, r := range c.set.Records {
			if len(r.Data.EvalHalvesBase) == 2 {
				c.before = r.Data.EvalHalvesBase[1]
			}
		}
	}
	c.at = nil
	var losses [][]float64
	for _, g := range c.groups {
		var places []int
		for _, i := range g {
			places = append(places, slices.Index(all, i))
		}
		best, _ := on.lowest(places...)
		c.at, losses = append(c.at, all[best]), append(losses, c.by[best].value)
	}
	c.table = newTable(c.study, c.at, losses)
}

// halves are the arms' losses on one half of the held-out records; nil where a run has none.
func (c *contest) halves(half int) (losses [][]float64) {
	for _, i := range c.at {
		values := missing(len(c.seeds))
		for k, seed := range c.seeds {
			if c.runs[i][k] == nil {
				continue
			}
			r := c.record(i, seed)
			if r == nil || len(r.EvalHalves) != 2 {
				return nil
			}
			values[k] = r.EvalHalves[half]
		}
		losses = append(losses, values)
	}
	return losses
}

// losses are the arms' by block.
func (t *table) losses() (losses [][]float64) {
	for _, c := range t.by {
		losses = append(losses, c.value)
	}
	return losses
}

// conditions are the steps, rate and alpha that the verdict holds for.
func (c *contest) conditions() string {
	steps := c.setting(c.at[0], "steps", "max_steps")
	if steps == "" || steps == "0" {
		steps = strconv.Itoa(c.study.arms[c.at[0]].Runs[0].Iters)
	}
	alpha := c.distinct("alpha", "alpha", "lora_alpha")
	if number := strings.TrimPrefix(alpha, "alpha "); strings.Trim(number, "0123456789.") == "" {
		alpha += ": with one alpha ranks differ in scale too, since B A is scaled by alpha/r"
	}
	return fmt.Sprintf("This holds for %s steps, %s and %s.", steps, c.distinct("learning rate", "lr", "learning_rate"), alpha)
}

// distinct are the values of a setting that arms have.
func (c *contest) distinct(name string, keys ...string) string {
	var values []string
	for _, i := range c.at {
		v := c.setting(i, keys...)
		if v != "" && !slices.Contains(values, v) && !(name == "alpha" && full(c.names[i])) {
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

// limits are sentences where something other than the rank holds the loss back: the largest rate that was tried, or the steps.
func (c *contest) limits() (text []string) {
	rate := func(i int) float64 {
		v, _ := strconv.ParseFloat(c.setting(i, "lr", "learning_rate"), 64) // 0 where it is not known
		return v
	}
	// A rate at which training diverged was tried too.
	largest := !slices.ContainsFunc(c.set.Records, func(r *record.Record) bool { return r.Diverged > 0 })
	var falling []string
	for k, g := range c.groups {
		smaller := slices.ContainsFunc(g, func(i int) bool { return rate(i) < rate(c.at[k]) })
		largest = largest && smaller && !slices.ContainsFunc(g, func(i int) bool { return rate(i) > rate(c.at[k]) })
		if c.falling(c.at[k]) {
			falling = append(falling, c.names[c.at[k]])
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
