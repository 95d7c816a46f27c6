package compare

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/results"
)

// study holds the arms among results, and their blocks: a block is one seed.
type study struct {
	set   *results.Set
	arms  []*results.Benchmark // the smallest rank first, full last
	names []string             // of arms: rank=8
	seeds []int64              // of all runs, in order
	runs  [][]*results.Run     // of arms[i] with seeds[k]; nil where there is none
	notes []string             // what was left out, what differs and does not matter
}

// newStudy collects the arms. It refuses results that are not of one study, and two of one arm and seed. It leaves out, with a note,
// results of other benchmarks and arms with a run that diverged.
func newStudy(in *results.Set, differ ...string) (*study, error) {
	if in == nil || len(in.Benchmarks)+len(in.Problems) == 0 {
		return nil, errors.New("no runs to compare")
	}
	if len(in.Problems) > 0 {
		return nil, in.Problems[0]
	}
	s := &study{set: in}
	finite, left, err := record.Finite(in.Records)
	if err != nil {
		return nil, err
	}
	var aside []string
	for _, b := range in.Benchmarks {
		base, name, _ := strings.Cut(b.Bare, "/")
		if base != results.Rank || name == "" {
			aside = append(aside, b.Name)
		} else if left == "" || slices.ContainsFunc(finite, func(r *record.Record) bool { return r.Name == name }) {
			s.arms, s.names = append(s.arms, b), append(s.names, name)
		}
	}
	if len(s.arms) == 0 {
		return nil, fmt.Errorf("%s: no result of Benchmark%s/rank=...: give the output of go test -bench=%[2]s or the bench.txt of -out",
			strings.Join(in.Files, ", "), results.Rank)
	}
	if err := s.place(differ); err != nil {
		return nil, err
	}
	if s.notes = append(s.notes, in.Notes...); left != "" {
		s.notes = append(s.notes, left)
	}
	if len(aside) > 0 {
		s.notes = append(s.notes, fmt.Sprintf("Other benchmarks are left aside: %s.", format.Few(aside, 4)))
	}
	return s, nil
}

// place puts each run at its arm and seed. It refuses invalid names and seeds, and runs that are not of one study.
func (s *study) place(differ []string) (err error) {
	used := map[*results.Settings]bool{}
	for _, b := range s.arms {
		for _, r := range b.Runs {
			s.seeds, used[r.Config] = append(s.seeds, r.Seed), true
		}
	}
	slices.Sort(s.seeds)
	s.seeds = slices.Compact(s.seeds)
	for i, b := range s.arms {
		first, placed := &b.Runs[0], make([]*results.Run, len(s.seeds))
		rank, ok := strings.CutPrefix(rankOf(s.names[i]), "rank=")
		if n, err := strconv.Atoi(rank); !ok || rank != record.Full && (err != nil || n < 1) {
			return fmt.Errorf("%s: the result Benchmark%s names no rank: want Benchmark%s/rank=8 or the like, of one -cpu",
				first.Where(), b.Bare, results.Rank)
		}
		if a := s.arms[0]; a.Procs != b.Procs {
			return fmt.Errorf("%s: %s was run with GOMAXPROCS %d, %s with %d (%s): compare runs of one -cpu",
				first.Where(), b.Bare, b.Procs, a.Bare, a.Procs, a.Runs[0].Where())
		}
		for k := range b.Runs {
			r := &b.Runs[k]
			if v := r.Config.Get("seed"); v != "" && !r.Config.Seeded {
				return fmt.Errorf("%s: seed is %q, want a whole number: that of the first run", r.Where(), v)
			}
			if placed[s.slot(r.Seed)] != nil {
				return fmt.Errorf("%s: %s has two results of seed %d: runs are paired by seed; compare commits or studies in files of their own",
					r.Where(), s.names[i], r.Seed)
			}
			// -benchtime=1s trains as long as it takes, which is no comparison of ranks. Of records the steps are a setting.
			if a := &s.arms[0].Runs[0]; len(s.set.Files) > 0 && !slices.Contains(differ, "steps") && r.Iters != a.Iters {
				return fmt.Errorf("%s: %s trained for %d steps, %s for %d (%s): compare runs of one -benchtime, a number of steps such as 100x",
					r.Where(), s.names[i], r.Iters, s.names[0], a.Iters, a.Where())
			}
			placed[s.slot(r.Seed)] = r
		}
		s.runs = append(s.runs, placed)
	}
	of := slices.DeleteFunc(slices.Clone(s.set.Settings), func(set *results.Settings) bool { return !used[set] })
	if s.notes, err = results.Agree(of, differ...); err == nil && len(s.set.Files) > 0 {
		s.notes = append(s.notes, results.Unsaid(of)...)
	}
	return err
}

func (s *study) slot(seed int64) int {
	k, _ := slices.BinarySearch(s.seeds, seed)
	return k
}

// values returns arm i's values of a metric by the seed's index, in a unit whose factor to the base unit is given; NaN where it has none.
func (s *study) values(i int, base string, factor float64) []float64 {
	out := missing(len(s.seeds))
	if m := s.arms[i].Metric(base); m != nil {
		for k, v := range m.Values {
			out[s.slot(m.Seeds[k])] = v * (m.Factor / factor)
		}
	}
	return out
}

// units returns the metrics that any run has, each in the unit that it was first written in.
func (s *study) units() (units []record.Unit) {
	seen := map[string]bool{}
	for _, b := range s.arms {
		for _, m := range b.Metrics {
			if !seen[m.Base] {
				seen[m.Base] = true
				units = append(units, record.Unit{Name: m.Unit, Better: cmp.Or(results.Better(m.Unit), s.set.Units[m.Base].Better)})
			}
		}
	}
	slices.SortStableFunc(units, func(a, b record.Unit) int { return results.Order(a.Name) - results.Order(b.Name) })
	return units
}

// setting returns an arm's setting, by its key in lorabench's lines or a record: from the arm's name, the line settings, or its own line.
func (s *study) setting(i int, keys ...string) string {
	config := s.arms[i].Runs[0].Config
	parts := append(strings.Split(s.names[i], "/"), strings.Fields(config.Get("settings"))...)
	for k, key := range config.Keys {
		parts = append(parts, key+"="+config.Values[k])
	}
	for _, part := range parts {
		if key, v, _ := strings.Cut(part, "="); v != "" && slices.Contains(keys, key) {
			return v
		}
	}
	return ""
}

// record returns the record of arm i's run with a seed, or nil.
func (s *study) record(i int, seed int64) *record.Record {
	if k := slices.IndexFunc(s.set.Records, func(r *record.Record) bool { return r.Name == s.names[i] && r.Seed == seed }); k >= 0 {
		return s.set.Records[k]
	}
	return nil
}

// rankOf returns the part of an arm's name that is its rank.
func rankOf(arm string) string {
	rank, _, _ := strings.Cut(arm, "/")
	return rank
}

func full(arm string) bool { return rankOf(arm) == "rank="+record.Full }
