package judge

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// call classifies a tested metric's difference. Where nothing varies there is nothing to test: the difference is what it is.
func (j *judging) call(t *Result) {
	how, floor := t.how(), format.Level(t.Rule.Floor)
	p, sure, n := ", corrected p "+format.P(t.Corrected), t.Corrected < t.Rule.Alpha, min(t.Baseline.N(), t.New.N())
	if !t.spread {
		p, sure = ", in every run", true
	} else if n >= j.MinSamples {
		t.Detectable = t.detectable(j.Compared)
	}
	switch {
	case n < j.MinSamples:
		t.Call, t.Why = CallCannotTell, fmt.Sprintf("%s in %s and %d in %s, %d are needed: %d more",
			format.Count(t.Baseline.N(), "sample"), j.Baseline.Label, t.New.N(), j.New.Label, j.MinSamples, j.MinSamples-n)
	case t.spread && math.IsNaN(t.Corrected):
		t.Call, t.Why = CallCannotTell, "the values are too far apart to be compared"
	case sure && t.beyond(t.worse):
		t.Call, t.Why = CallWorse, how+", floor "+floor+p
	case sure && t.beyond(-t.worse):
		t.Call, t.Why = CallBetter, how+", floor "+floor+p
	case t.spread && t.Rule.Detect > 0 && !t.ruledOut():
		t.Call, t.Why = CallCannotTell, j.tooNoisy(t)
	case t.beyond(1) || t.beyond(-1):
		t.Call, t.Why = CallSame, how+", not significant"+p
	default:
		t.Call, t.Why = CallSame, how+", within the floor of "+floor
	}
}

// byValue compares the sides pair by pair, with the digits of the coarser file: go test prints four, the files of -out have all. Counts
// without a common seed are compared as they are: they do not vary. It returns the first difference in words ("" for none), the mean of
// the pairs' differences, and the largest one, relative: infinite from 0.
func (r *Result) byValue() (first string, mean, largest float64) {
	differ, from, at := 0, 0.0, r.at
	if len(at) == 0 {
		at = [][2]int{{0, 0}}
	}
	for _, p := range at {
		a, b := r.Baseline.Values[p[0]], r.New.Values[p[1]]
		if r.Baseline.rounded || r.New.rounded {
			a, b = results.Printed(a), results.Printed(b)
		}
		mean, from = mean+(b-a)/float64(len(at)), from+a/float64(len(at))
		if a == b {
			continue
		}
		largest = max(largest, math.Abs((b-a)/a))
		if differ++; differ == 1 {
			first = format.All(b) + " instead of " + format.All(a)
			if len(r.at) > 0 {
				first = fmt.Sprintf("seed %d gives %s", r.Baseline.Seeds[p[0]], first)
			}
		}
	}
	r.Change = stats.Scale{Over: 1}.Relative(mean, from)
	if differ > 0 && len(r.at) > 0 {
		first += fmt.Sprintf(", %d of %s differ", differ, format.Count(len(r.at), "seed"))
	}
	return first, mean, largest
}

// exact calls what is compared value by value, and reports whether it must be tested instead: losses whose other digits were accepted.
func (j *judging) exact(t *Result) (tested bool) {
	first, mean, largest := t.byValue()
	size, by := t.how(), math.Abs(t.Change)
	if t.Class == Loss || t.worse == 0 { // two-sided
		by = largest
	}
	switch {
	case len(t.at) == 0 && t.spread:
		t.Call, t.Why = CallCannotTell, "it is compared seed by seed, and no seed is on both sides: run both with the same -seed"
	case first == "" && len(t.at) == 0:
		t.Call, t.Why = CallSame, "the same value in every run"
	case first == "":
		t.Call, t.Why = CallSame, "the same value in "+format.Count(len(t.at), "seed")
	case by <= t.Rule.Floor:
		t.Call, t.Why = CallSame, size+", within the floor of "+format.Level(t.Rule.Floor)+": "+first
	case t.Class == Loss && j.Accept != "" && t.worse == 0:
		t.Call, t.Why = CallSame, "other digits, which "+j.Accept+" accepts: "+first
	case t.Class == Loss && j.Accept != "":
		j.note("Losses of the same seed have other digits, which %s accepts: they are tested.", j.Accept)
		t.Exact, t.Rule = false, j.Rules.For(t.Unit, Loss, false)
		t.measure()
		return true
	case t.Class == Loss:
		t.Call, t.Why = CallNumerics, size+" on average: "+first
	case t.worse == 0:
		t.Call, t.Why = CallWorse, "it must not change: "+first+"; accept a deliberate change with a new baseline, or a floor in gate.txt"
	case t.worse*mean > 0:
		t.Call, t.Why = CallWorse, size+": "+first
	default:
		t.Call, t.Why = CallBetter, size+": "+first
	}
	return false
}

// how returns the difference in words.
func (r *Result) how() string {
	if math.IsNaN(r.Change) || r.Change == 0 && r.New.Center != r.Baseline.Center {
		return fmt.Sprintf("from %s to %s", format.Number(r.Baseline.Center, 4), format.Number(r.New.Center, 4))
	}
	return format.Higher(r.Change)
}

// tooNoisy says what the noise is, what it hides and how many samples would be enough.
func (j *judging) tooNoisy(t *Result) string {
	text := fmt.Sprintf("%s, and a worsening by %s cannot be ruled out: the spread is %s with %s and %s with %d", t.how(),
		format.Level(t.Rule.Detect), format.Percent(t.Baseline.Variation), format.Count(t.Baseline.N(), "sample"),
		format.Percent(t.New.Variation), t.New.N())
	if n := t.needed(); n < stats.TooMany {
		return fmt.Sprintf("%s; about %d of each side would do", text, n)
	}
	return text + "; more samples do not help, a quieter machine does"
}

// conclude sets the verdict's status and text.
func (j *judging) conclude() {
	by := map[Call][]*Result{}
	for _, r := range j.Results {
		by[r.Call] = append(by[r.Call], r)
		if r.Call == CallShown && r.Better == "" && r.SameAs == "" && r.Rule.Need != Informational && !slices.Contains(j.Unjudged, r.Unit) {
			j.Unjudged = append(j.Unjudged, r.Unit)
		}
	}
	cannot, better := by[CallCannotTell], by[CallBetter]
	decided := len(j.Results) - len(by[CallShown])
	metrics := format.Count(decided, "metric")
	var said []string
	say := func(status Status, format string, args ...any) {
		j.Status = status
		said = append(said, fmt.Sprintf(format, args...))
	}
	if rs := by[CallWorse]; len(rs) > 0 {
		say(Worse, "Worse: %s (%d of %s).", found(rs), len(rs), metrics)
	}
	if rs := by[CallNumerics]; len(rs) > 0 {
		say(Worse, "Numerics changed: %s (%d of %s). The same seed on the same CPU gives other digits; where that is meant, accept it "+
			"with -accept=losses, or with -base by a line Gate-Accept: losses in a commit's message.", found(rs), len(rs), metrics)
	}
	switch {
	case len(j.Problems) > 0:
		first, many := j.Problems[0], ""
		if n := len(j.Problems); n > 1 {
			many = fmt.Sprintf("%d problems, the first: ", n)
		}
		first.Benchmark = "" // its text names it
		j.Status, j.Text = Unusable, "The results cannot be judged: "+many+first.Error()+"."
		return
	case j.Status == Worse:
	case len(cannot) > 0:
		say(CannotTell, "Cannot tell: %d of %s cannot be judged; %s of %s: %s.", len(cannot), metrics, cannot[0].Unit,
			cannot[0].Benchmark, cannot[0].Why)
	case decided == 0:
		say(CannotTell, "Cannot tell: no metric is judged; say in gate.txt which direction of a unit is better.")
	case len(better) > 0:
		say(Pass, "No regression in %s; better: %s (%d of them). %s", metrics, found(better), len(better), j.wouldHaveFound())
	default:
		say(Pass, "No regression in %s. %s", metrics, j.wouldHaveFound())
	}
	if len(j.Unjudged) > 0 {
		say(j.Status, "Not judged: %s; say in gate.txt or a Unit line which direction is better.", format.Few(j.Unjudged, 4))
	}
	j.Text = strings.TrimSpace(strings.Join(said, " "))
}

// wouldHaveFound returns a sentence with each class's smallest change that would have been found in every judged metric.
func (j *judging) wouldHaveFound() string {
	var said []string
	for _, class := range []Class{Speed, Memory, Loss} {
		least := -1.0
		for _, r := range j.Results {
			if r.Class == class && r.Call != CallShown {
				if least = max(least, r.Rule.Floor); r.Detectable > least { // NaN where there is no spread
					least = r.Detectable
				}
			}
		}
		what := map[Class]string{Speed: "a slowdown of ", Memory: "memory growth of ", Loss: "a loss change of "}[class]
		if least == 0 {
			said = append(said, what+"a digit")
		} else if least > 0 {
			said = append(said, what+format.Percent(least))
		}
	}
	if said == nil {
		return ""
	}
	return "It would have found " + format.List(said) + ", four times in five."
}

// found lists the first few results with their changes.
func found(rs []*Result) string {
	var names []string
	for _, r := range rs {
		names = append(names, r.Unit+" of "+r.Benchmark+" "+r.how())
	}
	return format.Few(names, 4)
}
