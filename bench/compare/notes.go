package compare

import (
	"fmt"
	"math"
	"slices"

	"lorabench/bench/format"
)

// driftNote is said of times of runs that were not in blocks.
const driftNote = "The arms did not run in blocks of one seed, so drift is in the difference: what the machine did meanwhile cannot be " +
	"told from what the arm does."

// notes are what must be known to read one metric's figures.
func (t *table) notes(m *Metric, a *Analysis) (notes []string) {
	switch {
	case t.untold:
		notes = append(notes, "Carried over from rank to rank: no difference can be told.")
	case t.exact && len(m.Pairs) > 0:
		notes = append(notes, "No chance in it: differences are exact, no test is needed.")
	case m.SameAs != "":
		notes = append(notes, fmt.Sprintf("One measurement with %s: a difference in both is one finding.", m.SameAs))
	}
	if slices.ContainsFunc(m.Pairs, func(p Pair) bool { return p.Call == Drifts }) {
		notes = append(notes, driftNote)
	}
	if m.Unsteady {
		notes = append(notes, a.Unsteady)
	}
	for _, s := range m.Arms {
		of := format.Count(s.N+s.Missing, "run")
		switch {
		case s.Missing > 0 && m.Name == secToLoss:
			notes = append(notes, fmt.Sprintf("%s did not reach the target in %d of %s: it is not compared.", s.Arm, s.Missing, of))
		case s.Missing > 0:
			notes = append(notes, fmt.Sprintf("%s lacks it in %d of %s.", s.Arm, s.Missing, of))
		}
	}
	for _, p := range m.Pairs {
		if p.N == 1 && !p.Exact && !math.IsNaN(p.Diff) && p.Diff != 0 {
			notes = append(notes, fmt.Sprintf("%s is %s than %s in one run of each: %s.", p.Arm, format.Higher(p.Diff), p.To, evidence(p.Diff)))
		}
	}
	return notes
}

// allNotes are what must be known to read the analysis.
func (s *study) allNotes(a *Analysis) (notes []string) {
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
	switch {
	case len(s.arms) == 1:
	case a.Seeds == 0:
		notes = append(notes, fmt.Sprintf("Not every arm shares a seed with %s, and only runs of the same seed are compared.", s.names[0]))
	case a.Seeds == 1:
		notes = append(notes, "One run of an arm allows no test and no interval.")
	case a.Seeds < few:
		notes = append(notes, fmt.Sprintf("%s are few: what is not called a difference cannot be told.", format.Count(a.Seeds, "seed")))
	}
	if len(fewer) > 0 {
		notes = append(notes, fmt.Sprintf("Not every arm has %s: %s. Only seeds that both arms have are compared.",
			format.Count(most, "run"), format.List(fewer)))
	}
	if a.Seeds > 1 && len(s.arms) > 1 {
		notes = append(notes, fmt.Sprintf("p and intervals are corrected for the comparisons of each metric, not for the number of metrics: "+
			"were nothing different, each would show a difference in at most %s of such studies.", format.Level(a.Alpha)))
	}
	return append(notes, s.notes...)
}
