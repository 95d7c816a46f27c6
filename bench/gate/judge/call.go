package judge

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lorabench/bench/format"

	"lorabench/bench/stats"
)

// call says what a tested metric's difference amounts to.
func (j *judging) call(t *test) {
	if t.worse == 0 {
		return
	}
	if n := min(t.Old.N(), t.New.N()); n < j.MinSamples {
		t.Call, t.Why = CallCannotTell, fmt.Sprintf("%s in %s and %d in %s, %d are needed: %d more", format.Count(t.Old.N(), "sample"), j.Baseline.Label, t.New.N(), j.New.Label, j.MinSamples, j.MinSamples-n)
		return
	}
	how := t.how()
	better := -t.worse
	if !t.spread {
		// Nothing varies, so nothing is to be tested: the difference is what it is.
		switch {
		case t.beyond(t.worse):
			t.Call, t.Why = CallWorse, how+" in every run, floor "+format.Level(t.Rule.Floor)
		case t.beyond(better):
			t.Call, t.Why = CallBetter, how+" in every run, floor "+format.Level(t.Rule.Floor)
		case t.New.Center == t.Old.Center:
			t.Call, t.Why = CallSame, "the same value in every run"
		default:
			t.Call, t.Why = CallSame, how+" in every run, within the floor of "+format.Level(t.Rule.Floor)
		}
		return
	}
	if math.IsNaN(t.Corrected) {
		t.Call, t.Why = CallCannotTell, "the values are too far apart to be compared"
		return
	}
	t.Detectable = t.detectable(j.Compared)
	beyond := ", floor " + format.Level(t.Rule.Floor) + ", corrected p " + format.P(t.Corrected)
	significant := t.Corrected < t.Rule.Alpha
	switch {
	case significant && t.beyond(t.worse):
		t.Call, t.Why = CallWorse, how+beyond
	case significant && t.beyond(better):
		t.Call, t.Why = CallBetter, how+beyond
	case t.Rule.Detect > 0 && !t.ruledOut():
		t.Call, t.Why = CallCannotTell, j.tooNoisy(t)
	case t.beyond(t.worse) || t.beyond(better):
		t.Call, t.Why = CallSame, fmt.Sprintf("%s, not significant (corrected p %s)", how, format.P(t.Corrected))
	default:
		t.Call, t.Why = CallSame, fmt.Sprintf("%s, within the floor of %s", how, format.Level(t.Rule.Floor))
	}
}

// how is the difference in words.
func (t *test) how() string {
	if math.IsNaN(t.Change) {
		return fmt.Sprintf("%s instead of %s", format.Number(t.New.Center, 4), format.Number(t.Old.Center, 4))
	}
	return format.Higher(t.Change)
}

// tooNoisy says what noise there is, what it hides and how many samples would do.
func (j *judging) tooNoisy(t *test) string {
	text := fmt.Sprintf("%s, and a worsening by %s cannot be ruled out: the spread is %s with %s and %s with %d", t.how(), format.Level(t.Rule.Detect), format.Percent(t.Old.Variation), format.Count(t.Old.N(), "sample"), format.Percent(t.New.Variation), t.New.N())
	if n := t.needed(); n < stats.TooMany {
		return fmt.Sprintf("%s; about %d of each side would do", text, n)
	}
	return text + "; more samples do not help, a quieter machine does"
}

// conclude reaches the verdict.
func (j *judging) conclude() {
	var worse, cannot, better []*Result
	decided := 0
	for i := range j.Results {
		r := &j.Results[i]
		if r.Call != CallShown {
			decided++
		}
		switch r.Call {
		case CallWorse:
			worse = append(worse, r)
		case CallCannotTell:
			cannot = append(cannot, r)
		case CallBetter:
			better = append(better, r)
		}
	}
	metrics := format.Count(decided, "metric")
	switch {
	case len(j.Problems) > 0:
		p := j.Problems[0]
		where := ""
		if p.File != "" {
			where = p.File + ": "
			if p.Line > 0 {
				where = fmt.Sprintf("%s:%d: ", p.File, p.Line)
			}
		}
		first := ""
		if len(j.Problems) > 1 {
			first = fmt.Sprintf("%d problems, the first: ", len(j.Problems))
		}
		j.Status, j.Text = Unusable, fmt.Sprintf("The results cannot be judged: %s%s%s.", first, where, p.Text)
	case len(worse) > 0:
		j.Status, j.Text = Worse, fmt.Sprintf("Worse: %s (%d of %s).", found(worse), len(worse), metrics)
	case len(cannot) > 0:
		j.Status, j.Text = CannotTell, fmt.Sprintf("Cannot tell: %s of %s cannot be judged; %s of %s: %s.", fmt.Sprint(len(cannot)), metrics, cannot[0].Unit, cannot[0].Benchmark, cannot[0].Why)
	case decided == 0:
		j.Status, j.Text = CannotTell, "Cannot tell: no metric is judged; say in gate.txt which direction of a unit is better, or leave out informational."
	case len(better) > 0:
		j.Status, j.Text = Pass, fmt.Sprintf("No regression in %s; better: %s (%d of them).", metrics, found(better), len(better))
	default:
		j.Status, j.Text = Pass, fmt.Sprintf("No regression in %s.", metrics)
	}
	if j.Unjudged = j.undirected(); len(j.Unjudged) > 0 && j.Status != Unusable {
		j.Text += fmt.Sprintf(" Not judged: %s; say in gate.txt or a Unit line which direction is better.", format.Few(j.Unjudged, 4))
	}
}

// undirected names the units that would have been judged if it were known which direction of them is better.
func (j *judging) undirected() (units []string) {
	for _, r := range j.Results {
		if r.Call == CallShown && r.Better == "" && r.SameAs == "" && r.Rule.Need != Informal && !slices.Contains(units, r.Unit) {
			units = append(units, r.Unit)
		}
	}
	return units
}

// found names the first few results with their change.
func found(rs []*Result) string {
	const most = 3
	var names []string
	for i, r := range rs {
		if i == most && len(rs) > most {
			names = append(names, fmt.Sprintf("%d more", len(rs)-most))
			break
		}
		how := fmt.Sprintf("from %s to %s", format.Number(r.Old.Center, 4), format.Number(r.New.Center, 4))
		if !math.IsNaN(r.Change) && r.Change != 0 {
			how = format.Higher(r.Change)
		}
		names = append(names, strings.Join([]string{r.Unit, "of", r.Benchmark, how}, " "))
	}
	return format.List(names)
}
