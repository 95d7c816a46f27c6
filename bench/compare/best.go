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
)

// contest is what ranks are judged by: of each rank the arm at its best rate and alpha, with their losses.
type contest struct {
	*table
	unit   string
	at     []int    // of table.arms, in the study
	before float64  // the loss before training on the records that are judged by; NaN where it is not known
	groups [][]int  // the study's arms that are one rank at several rates or alphas; the chosen one is in at
	notes  []string // how arms were chosen
}

// tuned are the parts of a name that are chosen for each rank before ranks are compared.
var tuned = []string{"lr=", "alpha="}

// group is an arm's name without what is chosen: rank=8/targets=q,v.
func group(name string) string {
	parts := slices.DeleteFunc(strings.Split(name, "/"), func(part string) bool {
		return slices.ContainsFunc(tuned, func(t string) bool { return strings.HasPrefix(part, t) })
	})
	return strings.Join(parts, "/")
}

// contest chooses each rank's best arm. It is chosen on the first half of the held-out records and judged on the second: the lowest
// of several losses is partly luck, which the half that was not looked at does not share. tables are by unit.
func (s *study) contest(tables map[string]*table) *contest {
	c := &contest{before: math.NaN()}
	for _, u := range results.Losses {
		if t := tables[u]; t != nil && (c.table == nil || len(c.arms) < 2 && len(t.arms) >= 2) {
			c.table, c.unit = t, u
		}
	}
	if c.table == nil {
		return nil
	}
	byName := map[string]int{}
	for _, name := range c.arms {
		i := slices.Index(s.names, name)
		c.at = append(c.at, i)
		k, ok := byName[group(name)]
		if !ok {
			k = len(c.groups)
			byName[group(name)], c.groups = k, append(c.groups, nil)
		}
		c.groups[k] = append(c.groups[k], i)
	}
	for _, r := range s.set.Records {
		if c.unit == evalLoss && r.Data.EvalLossBase != nil {
			c.before = *r.Data.EvalLossBase
		}
	}
	if len(c.groups) < len(c.at) {
		c.choose(s)
	}
	return c
}

// choose leaves each rank its best arm.
func (c *contest) choose(s *study) {
	on := c.table // the losses that are chosen by
	first, second, before := s.halves(c.at)
	if c.unit == evalLoss && first != nil {
		on, c.table, c.before = newTable(s, c.at, first), newTable(s, c.at, second), before
		c.notes = append(c.notes, "Each rank is at its best rate and alpha, chosen on one half of the held-out records and judged on the other.")
	} else {
		c.notes = append(c.notes, "Each rank is at its best rate and alpha, chosen by the losses that it is judged by: those of more rates are more flattered. "+
			"Run records have the held-out loss in halves.")
	}
	all := c.at
	c.at = nil
	var losses [][]float64
	for _, g := range c.groups {
		var places []int
		for _, i := range g {
			places = append(places, slices.Index(all, i))
		}
		blocks := on.shared(places...)
		best := 0
		for k, p := range places {
			own, least := blocks, blocks
			if len(blocks) == 0 { // no seed that all have
				own, least = on.shared(p), on.shared(places[best])
			}
			if on.mean(p, own) < on.mean(places[best], least) {
				best = k
			}
		}
		c.at, losses = append(c.at, g[best]), append(losses, c.by[places[best]].value)
	}
	c.table = newTable(s, c.at, losses)
}

// halves are the losses of arms on the two halves of the held-out records, and the loss before training on the second; nil where
// a run has none.
func (s *study) halves(arms []int) (first, second [][]float64, before float64) {
	before = math.NaN()
	for _, i := range arms {
		a, b := missing(len(s.seeds)), missing(len(s.seeds))
		for _, run := range s.arms[i].Runs {
			r := s.record(i, run.Seed)
			if r == nil || len(r.EvalHalves) != 2 {
				return nil, nil, before
			}
			a[s.slot(run.Seed)], b[s.slot(run.Seed)] = r.EvalHalves[0], r.EvalHalves[1]
			if len(r.Data.EvalHalvesBase) == 2 {
				before = r.Data.EvalHalvesBase[1]
			}
		}
		first, second = append(first, a), append(second, b)
	}
	return first, second, before
}

// conditions are the steps, rate and alpha that the verdict holds for.
func (c *contest) conditions(s *study) string {
	steps := s.setting(c.at[0], "steps", "max_steps")
	if steps == "" || steps == "0" {
		steps = strconv.Itoa(s.arms[c.at[0]].Runs[0].Iters)
	}
	said := fmt.Sprintf("This holds for %s steps, %s and %s", steps, c.common(s, "learning rate", "lr", "learning_rate"), c.common(s, "alpha", "alpha", "lora_alpha"))
	if alpha := c.common(s, "", "alpha", "lora_alpha"); strings.Trim(alpha, " 0123456789.") == "" && alpha != "" {
		said += ": with one alpha ranks differ in scale too, since B A is scaled by alpha/r"
	}
	return said + "."
}

// common is a setting that all arms have, or says that they differ in it.
func (c *contest) common(s *study, name string, keys ...string) string {
	value := ""
	for _, i := range c.at {
		v := s.setting(i, keys...)
		switch {
		case keys[0] == "alpha" && rankOf(s.names[i]) == "rank="+record.Full: // it has none
		case value != "" && v != value:
			return "each arm's own " + name
		case v == "":
			return "an unknown " + name
		default:
			value = v
		}
	}
	return name + " " + value
}

// limits are sentences where something other than the rank holds the loss back: the largest rate that was tried, or the steps.
func (c *contest) limits(s *study) (text []string) {
	largest := true
	for k, g := range c.groups {
		smaller := slices.ContainsFunc(g, func(i int) bool { return s.rate(i) < s.rate(c.at[k]) })
		largest = largest && smaller && !slices.ContainsFunc(g, func(i int) bool { return s.rate(i) > s.rate(c.at[k]) })
	}
	for _, r := range s.set.Records { // a rate that was tried and diverged is none that could still be raised to
		largest = largest && r.Diverged == 0
	}
	if largest {
		text = append(text, "The learning rate may limit the loss, not the rank: every rank is best at the largest rate tried. Try larger ones.")
	}
	var falling []string
	for k, i := range c.at {
		if s.falling(i) {
			falling = append(falling, c.arms[k])
		}
	}
	if len(falling) > 0 {
		text = append(text, fmt.Sprintf("The steps may limit the loss, not the rank: that of %s still falls at the end as fast as in the middle. Train longer.",
			format.Few(falling, 4)))
	}
	return text
}

// rate is an arm's learning rate; NaN where it is not said.
func (s *study) rate(i int) float64 {
	v, err := strconv.ParseFloat(s.setting(i, "lr", "learning_rate"), 64)
	if err != nil {
		return math.NaN()
	}
	return v
}
