package judge

import (
	"cmp"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/floats"

	"lorabench/bench/compare"
	"lorabench/bench/format"
	"lorabench/bench/results"
)

// metrics adds the results of a matched benchmark, with the counts of its records, ordered: loss, speed, memory, counts, others.
func (j *judging) metrics(m *matched) {
	olds, news := m.old.Metrics, m.new.Metrics
	if a, b := j.old.Counted(m.old), j.new.Counted(m.new); a != nil && b != nil {
		olds, news = slices.Concat(olds, a), slices.Concat(news, b)
	}
	var made []*Result
	for i := range olds {
		a := &olds[i]
		k := slices.IndexFunc(news, func(x results.Metric) bool { return x.Base == a.Base })
		if k < 0 {
			j.problem(MissingMetric, m.name, a.Unit, "the baseline has %s of %s and %s has not: make both with the same flags", a.Unit,
				m.name, j.New.Label)
			continue
		}
		made = append(made, j.newResult(m, a, &news[k]))
	}
	slices.SortStableFunc(made, func(a, b *Result) int {
		return cmp.Or(cmp.Compare(a.Class.Order(), b.Class.Order()), cmp.Compare(results.Order(a.Unit), results.Order(b.Unit)))
	})
	j.Results = append(j.Results, made...)
	var speed *Result // the one that stands for all speeds
	for _, t := range made {
		shown, late := t.worse == 0 && !t.Exact, [2]int{compare.Unreached(m.old, t.Unit), compare.Unreached(m.new, t.Unit)}
		if slices.Contains(results.Speeds, t.Unit) && t.Rule.Need != Informational {
			// One that is only shown must not stand for others, or none would be judged. Nor must one that more runs lack.
			if speed == nil && !shown {
				speed = t
			} else if speed != nil && speed.lacking[0] <= t.lacking[0] && speed.lacking[1] <= t.lacking[1] &&
				!slices.Contains([]string{Required, Judged}, j.Rules.need(t.Unit)) {
				t.SameAs = speed.Unit
			}
		}
		switch {
		case t.SameAs != "":
			t.Call, t.Why = CallShown, "the same measurement as "+t.SameAs+", which is judged"
		case t.Rule.Need == Informational:
			t.Call, t.Why = CallShown, "informational"
		case shown:
			t.Call, t.Why = CallShown, "it has no direction: say better=lower or better=higher in gate.txt or a Unit line to have it judged"
		case late != [2]int{}: // those that got there may be the fast ones only
			t.Call, t.Why = CallShown, fmt.Sprintf("%d of the baseline's runs and %d of the new ones did not get there", late[0], late[1])
			if late[0] == 0 {
				j.problem(MissingMetric, m.name, t.Unit, "%d of %s of %s in %s did not reach the target of %s; those of the baseline did",
					late[1], format.Count(len(m.new.Runs), "run"), m.name, j.New.Label, t.Unit)
			}
		default:
			if old, new := len(m.old.Runs), len(m.new.Runs); t.lacking != [2]int{} {
				by := map[bool]string{true: "the seeds that have it on both sides", false: "these"}[len(t.at) > 0]
				why := map[bool]string{true: " (a resumed run has no time and no memory)"}[ours(m.old) && t.Class != Loss]
				j.note("%s of %s: %d of %s of %s and %d of %s of %s have it%s; it is judged by %s.", t.Unit, m.name, old-t.lacking[0],
					format.Count(old, "run"), j.Baseline.Label, new-t.lacking[1], format.Count(new, "run"), j.New.Label, why, by)
			}
			if !t.Exact || j.exact(t) {
				j.tests = append(j.tests, t)
			}
		}
	}
}

// newResult measures a metric by its rule.
func (j *judging) newResult(m *matched, a, b *results.Metric) *Result {
	t := &Result{Benchmark: m.name, Unit: a.Unit, m: m}
	t.Baseline, t.lacking[0] = sample(m.old, a, 1)
	t.New, t.lacking[1] = sample(m.new, b, b.Factor/a.Factor)
	t.at = pairs(&t.Baseline, &t.New)
	lone := [2]int{t.Baseline.N() - len(t.at), t.New.N() - len(t.at)}
	lacking := t.lacking != [2]int{}
	alone := !lacking && lone != [2]int{} && len(t.at) >= j.MinSamples && seeded(m.old) && seeded(m.new) && m.old.Metric(a.Base) != nil
	if alone {
		j.note("%s: %d of the baseline's seeds and %d of the new ones are on that side alone: it is judged by those of both.", m.name, lone[0], lone[1])
	}
	if alone || lacking && len(t.at) > 0 {
		t.common()
	}
	t.Rule = j.Rules.For(a.Unit, classOf(a.Unit, j.old.Units[a.Base].Exact || j.new.Units[a.Base].Exact), false)
	t.Class = t.Rule.Class
	switch mode := t.Rule.Mode; {
	case mode == Exact:
		t.Exact = true
	case mode == Auto && t.Class == Count:
		// The runtime itself allocates now and then; nothing else may begin to vary.
		t.Exact = t.Baseline.constant() && (t.New.constant() || a.Unit != "allocs/op")
	case mode == Auto && t.Class == Loss:
		t.Exact = m.deterministic && len(t.at) > 0
	}
	t.Better = j.direction(a, b, t.Rule)
	t.Rule = j.Rules.For(a.Unit, t.Class, t.Exact)
	t.worse = map[string]float64{"higher": -1, "lower": 1}[t.Better]
	t.measure()
	for i, b := range []*results.Benchmark{m.old, m.new} {
		if t.Rule.Need == Required && t.lacking[i] > 0 {
			j.problem(MissingMetric, m.name, a.Unit, "%d of %s of %s in %s lack %s, which is required: make it anew", t.lacking[i],
				format.Count(len(b.Runs), "run"), m.name, []string{"the baseline", j.New.Label}[i], a.Unit)
		}
	}
	return t
}

// sample returns a metric's values times factor, and how many of the benchmark's runs lack it.
func sample(b *results.Benchmark, m *results.Metric, factor float64) (s Sample, lacking int) {
	s = Sample{Values: floats.ScaleTo(make([]float64, len(m.Values)), factor, m.Values), Seeds: m.Seeds}
	if b.Metric(m.Base) == nil { // it is counted in records, of which there may be fewer
		return s, 0
	}
	s.rounded = slices.ContainsFunc(b.Runs, func(r results.Run) bool { return r.Rounded })
	return s, len(b.Runs) - len(m.Values)
}

// direction returns which direction of a metric is better: by its name, a Unit line or the rule. If two disagree it is a problem.
func (j *judging) direction(a, b *results.Metric, rule Rule) string {
	old, new := j.old.Units[a.Base], j.new.Units[b.Base]
	better := cmp.Or(results.Better(a.Unit), old.Better, results.Better(b.Unit), new.Better)
	switch {
	case better == "":
		return rule.Better
	case new.Better != "" && new.Better != better:
		j.problem(results.BadDirection, "", a.Unit, "better is %s of %s in %s and %s in %s: correct one of the Unit lines", better, a.Unit,
			old.Where, new.Better, new.Where)
	}
	for _, l := range j.Rules.of(a.Unit, "") {
		if said := l.keys["better"]; said != "" && l.unit != "*" && said != better {
			j.problem(results.BadDirection, "", a.Unit, "%s says that better is %s of %s, which it is not: better is %s; correct the rule",
				l.where, said, a.Unit, better)
		}
	}
	return better
}
