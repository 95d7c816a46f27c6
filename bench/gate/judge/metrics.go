package judge

import (
	"fmt"
	"slices"
	"strings"

	"lorabench/bench/format"
)

// metrics makes the results of a benchmark that both sides have.
func (j *judging) metrics(m *matched) {
	olds, news := m.old.Metrics, m.new.Metrics
	bOld, bNew := m.old, m.new
	if a, b := j.old.counted(m.old), j.new.counted(m.new); a != nil && b != nil {
		olds, news = slices.Concat(olds, a), slices.Concat(news, b)
	}
	find := func(all []Metric, tidied string) *Metric {
		if i := slices.IndexFunc(all, func(x Metric) bool { return x.tidied == tidied }); i >= 0 {
			return &all[i]
		}
		return nil
	}
	first := "" // the speed that is judged for all
	var added []string
	for i := range news {
		if find(olds, news[i].tidied) == nil {
			added = append(added, news[i].Unit)
		}
	}
	if len(added) > 0 {
		j.note("%s has metrics that the baseline lacks: %s.", m.name, strings.Join(added, ", "))
	}
	for i := range olds {
		a := &olds[i]
		b := find(news, a.tidied)
		if b == nil {
			j.problem(MissingMetric, m.name, a.Unit, "the baseline has %s of %s and %s has not: make both with the same flags", a.Unit, m.name, j.New.Label)
			continue
		}
		t := &test{Result: &Result{Benchmark: m.name, Unit: a.Unit}, old: valuesOf(a, rowsOf(a, bOld), 1), new: valuesOf(b, rowsOf(b, bNew), b.factor/a.factor)}
		t.Class = a.Class
		if b.Class == Count {
			t.Class = Count // a Unit line of New says assume=exact
		}
		t.Class = j.rules.class(a.Unit, t.Class)
		rule := j.rules.For(a.Unit, t.Class, false)
		t.Better = j.direction(a, b, rule)
		switch {
		case rule.Mode == Exact:
			t.Exact = true
		case rule.Mode == Auto && t.Class == Count:
			// The runtime itself allocates now and then; nothing else may begin to vary.
			t.Exact = t.old.constant() && (t.new.constant() || a.Unit != "allocs/op")
		case rule.Mode == Auto && t.Class == Loss:
			t.Exact = m.deterministic && pairs(t.old, t.new, func(i, j int) {}) > 0
		}
		t.Rule = j.rules.For(a.Unit, t.Class, t.Exact)
		switch t.Better {
		case "higher":
			t.worse = -1
		case "lower":
			t.worse = 1
		}
		t.measure()
		j.results = append(j.results, t.Result)
		lackOld, lackNew := len(m.old.Runs)-len(t.old.x), len(m.new.Runs)-len(t.new.x)
		if fromRecords(a, m.old) {
			lackOld, lackNew = 0, 0
		}
		if slices.Contains(speeds, a.Unit) && t.Rule.Need != Informal {
			// One that is only shown itself must not stand for others: then none would be judged.
			decides := (t.worse != 0 || t.Exact) && lackOld == 0 && lackNew == 0
			switch {
			case first != "" && !j.rules.asked(a.tidied):
				t.SameAs = first
			case first == "" && decides:
				first = a.Unit
			}
		}
		if t.Rule.Need == Required && lackOld > 0 {
			j.problem(MissingMetric, m.name, a.Unit, "%d of %s of %s in the baseline lack %s, which is required: make the baseline anew, or change the rule", lackOld, format.Count(len(m.old.Runs), "run"), m.name, a.Unit)
		}
		if lackNew > 0 && lackOld == 0 {
			j.problem(MissingMetric, m.name, a.Unit, "%d of %s of %s in %s lack %s; every run of the baseline has it", lackNew, format.Count(len(m.new.Runs), "run"), m.name, j.New.Label, a.Unit)
		}
		switch {
		case t.SameAs != "":
			t.Call, t.Why = CallShown, "the same measurement as "+t.SameAs+", which is judged"
		case t.Rule.Need == Informal:
			t.Call, t.Why = CallShown, "informational"
		case t.worse == 0 && !t.Exact:
			t.Call, t.Why = CallShown, "it has no direction: say better=lower or better=higher in gate.txt or a Unit line to have it judged"
		case lackOld > 0 || lackNew > 0:
			// Those that have it may be the fast ones only: sec-to-loss is of runs that got there.
			t.Call, t.Why = CallShown, fmt.Sprintf("%d of the baseline's runs and %d of the new ones lack it: what the others say cannot be compared", lackOld, lackNew)
		case t.Exact:
			t.exact()
		default:
			j.tests = append(j.tests, t)
		}
	}
}

// fromRecords says whether a metric is of records and not of the benchmark's result lines.
func fromRecords(m *Metric, b *Benchmark) bool { return b.metric(m.tidied) == nil }

func rowsOf(m *Metric, b *Benchmark) *Benchmark {
	if fromRecords(m, b) {
		return nil
	}
	return b
}

// direction is the direction of a metric, of whoever says it. Where two say it differently it is a problem.
func (j *judging) direction(a, b *Metric, rule Rule) string {
	better := a.Better
	said := func(format string, args ...any) {
		if !j.said[a.tidied] {
			j.said[a.tidied] = true
			j.problem(BadDirection, "", a.Unit, format, args...)
		}
	}
	switch {
	case better == "":
		better = b.Better
	case b.Better != "" && b.Better != better:
		said("better is %s of %s in %s and %s in %s: correct one of the Unit lines", a.Better, a.Unit, j.old.units[a.tidied].where, b.Better, j.new.units[b.tidied].where)
	}
	if better == "" {
		return rule.Better
	}
	if l := j.rules.contradiction(a.tidied, better); l != nil {
		said("%s says that better is %s of %s, which it is not: better is %s; correct the rule or rename the unit", l.From, l.Better, a.Unit, better)
	}
	return better
}
