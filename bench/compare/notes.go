package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lorabench/bench/format"
)

// driftNote is said of times of runs that were not in blocks.
const driftNote = "The arms did not run in blocks of one seed, so drift is in the difference: what the machine did meanwhile cannot be told from what the arm does."

// notes are what must be known to read one metric's figures.
func (t *table) notes(m *Metric, a *Analysis) []string {
	var notes []string
	switch {
	case t.untold:
		notes = append(notes, "Carried over from rank to rank: no difference can be told.")
	case m.Exact && len(m.Pairs) > 0:
		notes = append(notes, "No chance in it: differences are exact, no test is needed.")
	case m.SameAs != "":
		notes = append(notes, fmt.Sprintf("One measurement with %s: a difference in both is one finding.", m.SameAs))
	}
	if slices.ContainsFunc(m.Pairs, func(p Pair) bool { return p.Call == Drifts }) {
		notes = append(notes, driftNote)
	}
	if t.timed && a.Steady.Text != "" {
		notes = append(notes, a.Steady.Text)
	}
	for _, a := range m.Arms {
		switch {
		case a.Missing > 0 && m.Name == secToLoss:
			notes = append(notes, fmt.Sprintf("%s did not reach the target in %d of %s: it is not compared.", a.Arm, a.Missing, format.Count(a.N+a.Missing, "run")))
		case a.Missing > 0:
			notes = append(notes, fmt.Sprintf("%s lacks it in %d of %s.", a.Arm, a.Missing, format.Count(a.N+a.Missing, "run")))
		}
	}
	for _, p := range m.Pairs {
		if p.N == 1 && !p.Exact && !math.IsNaN(p.Diff) && p.Diff != 0 {
			notes = append(notes, fmt.Sprintf("%s is %s than %s in one run of each: evidence only if the run-to-run noise is below %s.",
				p.Arm, format.Higher(p.Diff), p.To, format.Percent(alone(p.Diff))))
		}
	}
	return notes
}

// alone is the run-to-run noise (standard deviation) below which a difference between two single runs is
// evidence: the difference of two runs has sqrt 2 times the noise of one, and 95 % of such differences
// are below 1.96 times that.
func alone(diff float64) float64 { return math.Abs(diff) / (1.96 * math.Sqrt2) }

// all are what must be known to read the analysis.
func (s *study) all(a *Analysis) []string {
	var notes []string
	if len(s.arms) > 1 {
		switch {
		case a.Seeds == 0:
			notes = append(notes, fmt.Sprintf("Not every arm shares a seed with %s, and only runs of the same seed are compared.", s.names[0]))
		case a.Seeds == 1:
			notes = append(notes, "One run of an arm allows no test and no interval: a difference of d between single runs is evidence only if the run-to-run noise (standard deviation) is below d/(1.96·√2).")
		case a.Seeds < few:
			notes = append(notes, fmt.Sprintf("%s are few: what is not called a difference cannot be told.", format.Count(a.Seeds, "seed")))
		}
	}
	notes = append(notes, s.uneven()...)
	notes = append(notes, correction(a)...)
	if same := alike(a.Metrics); len(same) > 1 {
		notes = append(notes, fmt.Sprintf("%s are one measurement, the time of the steps: a difference in all of them is one finding.", format.List(same)))
	}
	return append(notes, s.notes...)
}

// uneven says which arms have fewer runs than others.
func (s *study) uneven() []string {
	most := 0
	for _, b := range s.arms {
		most = max(most, len(b.Runs))
	}
	var fewer []string
	for i, b := range s.arms {
		if len(b.Runs) < most {
			fewer = append(fewer, fmt.Sprintf("%s has %d", s.names[i], len(b.Runs)))
		}
	}
	if len(fewer) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Not every arm has %s: %s. Only seeds that both arms have are compared.", format.Count(most, "run"), format.List(fewer))}
}

// correction says what p values were corrected for, and what not.
func correction(a *Analysis) []string {
	metrics, comparisons := 0, 0
	for _, m := range a.Metrics {
		n := 0
		for _, p := range m.Pairs {
			if !math.IsNaN(p.P) {
				n++
			}
		}
		if n > 0 && m.SameAs == "" {
			metrics++
			comparisons += n
		}
	}
	switch {
	case comparisons == 0:
		return nil
	case metrics == 1:
		return []string{fmt.Sprintf("p is corrected for %s.", format.Count(comparisons, "comparison"))}
	}
	return []string{fmt.Sprintf("p is corrected for the comparisons of each metric, not for there being %d metrics: were nothing different, each would show a difference in at most %s of such files, and some metric in up to %s.",
		metrics, format.Level(a.Alpha), format.Percent(1-math.Pow(1-a.Alpha, float64(metrics))))}
}

// alike are the metrics that are one measurement, the one that stands for them first.
func alike(ms []Metric) []string {
	var same []string
	for _, m := range ms {
		if m.SameAs != "" {
			if len(same) == 0 {
				same = append(same, m.SameAs)
			}
			same = append(same, m.Name)
		}
	}
	slices.SortStableFunc(same[min(1, len(same)):], strings.Compare)
	return same
}
