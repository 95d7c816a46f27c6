package results

import (
	"cmp"
	"slices"
	"strings"
)

// Unplaced is the block of a run that was in none, or of which that is not known.
const Unplaced = -1

// blocks numbers the blocks of files: the runs of all arms with one seed before those of any arm with the next, so that a
// machine's drift is between blocks and not between arms. Where a seed comes back later the file is not in blocks: go test
// -count runs all seeds of one benchmark before the next.
func (s *Set) blocks() {
	var runs []*Run
	for _, b := range s.Benchmarks {
		for i := range b.Runs {
			b.Runs[i].Block = Unplaced
			if strings.HasPrefix(b.Bare, Rank+"/") {
				runs = append(runs, &b.Runs[i])
			}
		}
	}
	slices.SortFunc(runs, func(a, b *Run) int {
		return cmp.Or(cmp.Compare(slices.Index(s.Files, a.File), slices.Index(s.Files, b.File)), cmp.Compare(a.Line, b.Line))
	})
	seen := map[int64]int{}
	for i, r := range runs {
		block, back := seen[r.Seed]
		if back && runs[i-1].Seed != r.Seed {
			for _, r := range runs {
				r.Block = Unplaced
			}
			return
		}
		if !back {
			block = len(seen)
			seen[r.Seed] = block
		}
		r.Block = block
	}
}
