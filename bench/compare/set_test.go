package compare

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/bench/results"
)

// newSet is a study of arms without runs.
func newSet(arms ...string) *results.Set {
	s := &results.Set{Units: map[string]results.Unit{}, Settings: []*results.Settings{{}}}
	for _, name := range arms {
		s.Benchmarks = append(s.Benchmarks, &results.Benchmark{Name: "Rank/" + name, Bare: "Rank/" + name, Procs: 1})
	}
	return s
}

var simulatedRanks = []string{"rank=8", "rank=32", "rank=64", "rank=128", "rank=256", "rank=full"}

func ranks(n int) *results.Set { return newSet(simulatedRanks[:n]...) }

// add puts a metric into a study whose blocks have the seeds 1, 2, ...; NaN is a run without it.
func add(s *results.Set, unit string, values ...[]float64) {
	base, factor := results.Tidy(unit)
	for i, b := range s.Benchmarks {
		m := results.Metric{Unit: unit, Base: base, Factor: factor}
		for k, v := range values[i] {
			if len(b.Runs) <= k {
				b.Runs = append(b.Runs, results.Run{Seed: int64(k + 1), Block: k, Config: s.Settings[0], Iters: 100})
			}
			if !math.IsNaN(v) {
				m.Values, m.Seeds, m.Runs = append(m.Values, v), append(m.Seeds, b.Runs[k].Seed), append(m.Runs, k)
			}
		}
		if len(m.Values) > 0 {
			b.Metrics = append(b.Metrics, m)
		}
	}
}

// before says what the held-out loss was before training.
func before(s *results.Set, loss float64) {
	for _, b := range s.Benchmarks {
		for _, r := range b.Runs {
			s.Records = append(s.Records, &record.Record{Name: b.Bare[len("Rank/"):], Seed: r.Seed, Data: record.DataInfo{EvalLossBase: &loss}})
		}
	}
}

// analyzed is a study's analysis.
func analyzed(t *testing.T, s *results.Set, o Options) *Analysis {
	t.Helper()
	a, err := Analyze(s, o)
	require.NoError(t, err)
	return a
}

// read reads a study of result files.
func read(t *testing.T, contents ...string) (*study, error) {
	t.Helper()
	return newStudy(results.Read(files(t, contents...)...))
}

// metric returns an analysis' metric.
func (a *Analysis) metric(unit string) *Metric {
	return &a.Metrics[slices.IndexFunc(a.Metrics, func(m Metric) bool { return m.Name == unit })]
}
