package judge

import (
	"fmt"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/results"
)

// metrics makes the results of a benchmark that both sides have.
func (j *judging) metrics(m *matched) {
	a, b := j.old.Counted(m.old), j.new.Counted(m.new)
	if a == nil || b == nil {
		a, b = nil, nil
	}
	olds, news := j.old.metrics(m.old, a), j.new.metrics(m.new, b)
	find := func(all []metric, base string) *metric {
		if i := slices.IndexFunc(all, func(x metric) bool { return x.Base == base }); i >= 0 {
			return &all[i]
		}
		return nil
	}
	first := "" // the speed that is judged for all
	var added []string
	for i := range news {
		if find(olds, news[i].Base) == nil {
			added = append(added, news[i].Unit)
		}
	}
	if len(added) > 0 {
		j.note("%s has metrics that the baseline lacks: %s.", m.name, strings.Join(added, ", "))
	}
	for i := range olds {
		a := &olds[i]
		b := find(news, a.Base)
		if b == nil {
			j.problem(MissingMetric, m.name, a.Unit, "the baseline has %s of %s and %s has not: make both with the same flags", a.Unit, m.name, j.New.Label)
			continue
		}
		t := &test{Result: &Result{Benchmark: m.name, Unit: a.Unit}, old: valuesOf(a.Metric, a.runs, 1), new: valuesOf(b.Metric, b.runs, b.Factor/a.Factor)}
		t.Class = a.class
		if b.class == Count {
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
		if a.runs == nil {
			lackOld, lackNew = 0, 0
		}
		if slices.Contains(results.Speeds, a.Unit) && t.Rule.Need != Informal {
			// One that is only shown itself must not stand for others: then none would be judged.
			decides := (t.worse != 0 || t.Exact) && lackOld == 0 && lackNew == 0
			switch {
			case first != "" && !j.rules.asked(a.Base):
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

// direction is the direction of a metric, of whoever says it. Where two say it differently it is a problem.
func (j *judging) direction(a, b *metric, rule Rule) string {
	better := a.better
	said := func(format string, args ...any) {
		if !j.said[a.Base] {
			j.said[a.Base] = true
			j.problem(BadDirection, "", a.Unit, format, args...)
		}
	}
	switch {
	case better == "":
		better = b.better
	case b.better != "" && b.better != better:
		said("better is %s of %s in %s and %s in %s: correct one of the Unit lines", a.better, a.Unit, j.old.Units[a.Base].Where, b.better, j.new.Units[b.Base].Where)
	}
	if better == "" {
		return rule.Better
	}
	if l := j.rules.contradiction(a.Base, better); l != nil {
		said("%s says that better is %s of %s, which it is not: better is %s; correct the rule or rename the unit", l.From, l.Better, a.Unit, better)
	}
	return better
}
