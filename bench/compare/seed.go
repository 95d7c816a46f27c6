package compare

import (
	"fmt"
	"strconv"

	"golang.org/x/perf/benchfmt"
)

// seeds tells the seed of each run.
type seeds struct {
	under map[[3]string]int64 // runs so far of a file, a seed line and an arm
	runs  map[string]int64    // of an arm, where no line tells
	taken map[armSeed]bool
}

type armSeed struct {
	arm  string
	seed int64
}

func newSeeds() *seeds {
	return &seeds{map[[3]string]int64{}, map[string]int64{}, map[armSeed]bool{}}
}

// of is the run's seed: by the file's seed line and how often -count has run the arm under it.
func (s *seeds) of(res *benchfmt.Result, arm string) (int64, error) {
	line := res.GetConfig("seed")
	if line == "" {
		s.runs[arm]++
		return s.runs[arm], nil
	}
	first, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("seed is %q, want a whole number: that of the first run", line)
	}
	file, _ := res.Pos()
	key := [3]string{file, line, arm}
	seed := first + s.under[key]
	s.under[key]++
	if s.taken[armSeed{arm, seed}] {
		return 0, fmt.Errorf("%s has two results of seed %d: they are of more than one commit or study, compare them in files of their own", arm, seed)
	}
	s.taken[armSeed{arm, seed}] = true
	return seed, nil
}
