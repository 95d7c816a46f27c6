package judge

import (
	"cmp"
	"fmt"
	"slices"

	"lorabench/bench/format"
	"lorabench/bench/results"
)

// metric is what a side has of a unit.
type metric struct {
	*results.Metric
	class   Class  // by unit and Unit lines; rules may say otherwise
	better  string // built in, else by Unit lines; rules may say where nothing else does
	rounded bool
	lacking int // runs without it
}

// metrics are a benchmark's, with counts of records: loss, speed, memory, counts, others.
func (in *Input) metrics(b *results.Benchmark, counted []results.Metric) []metric {
	rounded := false
	for i := range b.Runs {
		rounded = rounded || b.Runs[i].Rounded
	}
	out := make([]metric, 0, len(b.Metrics)+len(counted))
	for i := range b.Metrics {
		m := &b.Metrics[i]
		u := in.Units[m.Base]
		out = append(out, metric{m, classOf(m.Unit, u.Exact), cmp.Or(results.Better(m.Unit), u.Better), rounded,
			len(b.Runs) - len(m.Values)})
	}
	for i := range counted {
		m := &counted[i]
		out = append(out, metric{Metric: m, class: Count, better: results.Better(m.Unit)})
	}
	slices.SortStableFunc(out, func(x, y metric) int {
		return cmp.Or(cmp.Compare(x.class.Order(), y.class.Order()), cmp.Compare(results.Order(x.Unit), results.Order(y.Unit)))
	})
	return out
}

// metrics makes the results of a benchmark that both sides have.
func (j *judging) metrics(m *matched) {
	a, b := j.old.Counted(m.old), j.new.Counted(m.new)
	if a == nil || b == nil {
		a, b = nil, nil
	}
	olds, news := j.old.metrics(m.old, a), j.new.metrics(m.new, b)
	speed := "" // the one that is judged for all
	for i := range olds {
		a := &olds[i]
		k := slices.IndexFunc(news, func(x metric) bool { return x.Base == a.Base })
		if k < 0 {
			j.problem(MissingMetric, m.name, a.Unit, "the baseline has %s of %s and %s has not: make both with the same flags", a.Unit,
				m.name, j.New.Label)
			continue
		}
		b := &news[k]
		t := j.newTest(m, a, b)
		j.all = append(j.all, t)
		j.lacking(m, a, b, t.Rule)
		if slices.Contains(results.Speeds, a.Unit) && t.Rule.Need != Informational {
			// One that is only shown itself must not stand for others: then none would be judged.
			decides := (t.worse != 0 || t.Exact) && a.lacking == 0 && b.lacking == 0
			if speed != "" && !slices.Contains([]string{Required, Judged}, j.rules.need(a.Unit)) {
				t.SameAs = speed
			} else if speed == "" && decides {
				speed = a.Unit
			}
		}
		switch {
		case t.SameAs != "":
			t.Call, t.Why = CallShown, "the same measurement as "+t.SameAs+", which is judged"
		case t.Rule.Need == Informational:
			t.Call, t.Why = CallShown, "informational"
		case t.worse == 0 && !t.Exact:
			t.Call, t.Why = CallShown, "it has no direction: say better=lower or better=higher in gate.txt or a Unit line to have it judged"
		case a.lacking > 0 || b.lacking > 0:
			// Those that have it may be the fast ones only: sec-to-loss is of runs that got there.
			t.Call, t.Why = CallShown, fmt.Sprintf("%d of the baseline's runs and %d of the new ones lack it",
				a.lacking, b.lacking)
		case !t.Exact || j.exact(t):
			j.tests = append(j.tests, t)
		}
	}
}

// newTest measures a metric by its rule.
func (j *judging) newTest(m *matched, a, b *metric) *test {
	t := &test{m: m, Result: &Result{Benchmark: m.name, Unit: a.Unit}}
	t.Baseline, t.New = newSample(a.Metric, 1, a.rounded), newSample(b.Metric, b.Factor/a.Factor, b.rounded)
	t.at = pairs(&t.Baseline, &t.New)
	t.Class = a.class
	if b.class == Count {
		t.Class = Count // a Unit line of New says assume=exact
	}
	t.Class = j.rules.class(a.Unit, t.Class)
	rule := j.rules.For(a.Unit, t.Class, false)
	switch {
	case rule.Mode == Exact:
		t.Exact = true
	case rule.Mode == Auto && t.Class == Count:
		// The runtime itself allocates now and then; nothing else may begin to vary.
		t.Exact = t.Baseline.constant() && (t.New.constant() || a.Unit != "allocs/op")
	case rule.Mode == Auto && t.Class == Loss:
		t.Exact = m.deterministic && len(t.at) > 0
	}
	if t.Rule = rule; t.Exact {
		t.Rule = j.rules.For(a.Unit, t.Class, true)
	}
	switch t.Better = j.direction(a, b, rule); t.Better {
	case "higher":
		t.worse = -1
	case "lower":
		t.worse = 1
	}
	t.measure()
	return t
}

// lacking tells of runs that lack a metric which others of the benchmark have.
func (j *judging) lacking(m *matched, a, b *metric, rule Rule) {
	if rule.Need == Required && a.lacking > 0 {
		j.problem(MissingMetric, m.name, a.Unit, "%d of %s of %s in the baseline lack %s, which is required: make it anew",
			a.lacking, format.Count(len(m.old.Runs), "run"), m.name, a.Unit)
	}
	if b.lacking > 0 && a.lacking == 0 {
		j.problem(MissingMetric, m.name, a.Unit, "%d of %s of %s in %s lack %s; every run of the baseline has it", b.lacking,
			format.Count(len(m.new.Runs), "run"), m.name, j.New.Label, a.Unit)
	}
}

// direction is the direction of a metric, of whoever says it. Where two say it differently it is a problem.
func (j *judging) direction(a, b *metric, rule Rule) string {
	said := func(format string, args ...any) {
		if !j.said[a.Base] {
			j.said[a.Base] = true
			j.problem(results.BadDirection, "", a.Unit, format, args...)
		}
	}
	better := cmp.Or(a.better, b.better)
	if b.better != "" && b.better != better {
		said("better is %s of %s in %s and %s in %s: correct one of the Unit lines", a.better, a.Unit, j.old.Units[a.Base].Where,
			b.better, j.new.Units[b.Base].Where)
	}
	if better == "" {
		return rule.Better
	}
	for _, s := range j.rules.of(a.Unit, "") {
		if s.key == "better" && s.unit != "*" && s.value != better {
			said("%s says that better is %s of %s, which it is not: better is %s; correct the rule",
				s.from, s.value, a.Unit, better)
		}
	}
	return better
}
