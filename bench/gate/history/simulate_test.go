package history

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

const (
	draws   = 1000
	commits = 50
	floor   = 0.03
)

// draw is a history of commits with so many runs each: level(i) in logarithms, and noise of sd.
func draw(r *rand.Rand, runs int, sd float64, level func(i int) float64, noise func() float64) *Series {
	s := &Series{}
	for i := range commits {
		p := Point{Commit: i}
		for range runs {
			p.Values = append(p.Values, 300*math.Exp(level(i)+sd*noise()))
		}
		p.Median, p.Min, p.Max = median(p.Values), slices.Min(p.Values), slices.Max(p.Values)
		s.Points = append(s.Points, p)
	}
	return s
}

// at are the commits where changes were found.
func (s *Series) at() []int {
	var at []int
	for _, c := range s.Changes {
		at = append(at, c.At)
	}
	return at
}

func flat(int) float64 { return 0 }

// slower is a level 5 % lower from each odd one of cuts to the next.
func slower(cuts ...int) func(int) float64 {
	return func(i int) float64 {
		n := 0
		for _, c := range cuts {
			if i >= c {
				n++
			}
		}
		return float64(n%2) * math.Log(0.95)
	}
}

// The table is doc.go's: go test ./bench/gate/history -run Simulated -v
func TestSimulatedUnchanged(t *testing.T) {
	correlated := func(phi float64) func(*rand.Rand) func() float64 {
		return func(r *rand.Rand) func() float64 {
			p := r.NormFloat64()
			return func() float64 {
				p = phi*p + math.Sqrt(1-phi*phi)*r.NormFloat64()
				return p
			}
		}
	}
	normal := func(r *rand.Rand) func() float64 { return r.NormFloat64 }
	for _, c := range []struct {
		why   string
		noise func(*rand.Rand) func() float64
		runs  int
		sd    float64
		most  float64
	}{
		{"one run, 1 %", normal, 1, 0.01, 0.001},
		{"one run, 3 %: as much as the floor", normal, 1, 0.03, 0.002},
		{"one run, 10 %: far beyond the floor", normal, 1, 0.1, 0.005},
		{"6 runs, 3 %", normal, 6, 0.03, 0.002},
		{"heavy tails: Student's t with 3 degrees of freedom, 3 %", func(r *rand.Rand) func() float64 {
			return func() float64 {
				c := 0.0
				for range 3 {
					z := r.NormFloat64()
					c += z * z
				}
				return r.NormFloat64() / math.Sqrt(c/3)
			}
		}, 1, 0.03, 0.01},
		{"two speeds: one commit in five 12 % off, 0.3 % noise", func(r *rand.Rand) func() float64 {
			return func() float64 {
				v := 0.1 * r.NormFloat64()
				if r.Float64() < 0.2 {
					v += 4
				}
				return v
			}
		}, 1, 0.03, 0.05},
		{"the last 5 commits 4 times as noisy, 3 %", func(r *rand.Rand) func() float64 {
			i := 0
			return func() float64 {
				v := r.NormFloat64()
				if i++; i > commits-5 {
					v *= 4
				}
				return v
			}
		}, 1, 0.03, 0.13},
		{"commits that resemble the one before, correlation 0.3, 3 %", correlated(0.3), 1, 0.03, 0.02},
		{"correlation 0.5, 3 %: a drifting machine", correlated(0.5), 1, 0.03, 0.13},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			called := 0
			for range draws {
				s := draw(r, c.runs, c.sd, flat, c.noise(r))
				if s.detect("higher", floor); len(s.Changes) > 0 {
					called++
				}
			}
			rate := float64(called) / draws
			t.Logf("%s: %.1f %% of series", c.why, 100*rate)
			assert.LessOrEqual(t, rate, c.most)
		})
	}
}

// Machines differ from hour to hour: all runs of a commit together.
func TestSimulatedUnchangedByTheHour(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	called := 0
	for range draws {
		off := make([]float64, commits)
		for i := range off {
			off[i] = 0.03 * r.NormFloat64()
		}
		s := draw(r, 6, 0.01, func(i int) float64 { return off[i] }, r.NormFloat64)
		if s.detect("higher", floor); len(s.Changes) > 0 {
			called++
		}
	}
	t.Logf("6 runs, 1 %% from run to run and 3 %% more from commit to commit: %.1f %% of series", 100*float64(called)/draws)
	assert.LessOrEqual(t, float64(called)/draws, 0.002)
}

func TestSimulatedChange(t *testing.T) {
	spike := func(at int, level func(int) float64) func(int) float64 {
		return func(i int) float64 {
			if i == at {
				return level(i) + 0.15
			}
			return level(i)
		}
	}
	for _, c := range []struct {
		why   string
		level func(int) float64
		runs  int
		want  []int
		least float64 // of the series: exactly these changes found
	}{
		{"5 % slower in the middle", slower(25), 1, []int{25}, 0.98},
		{"5 % slower near the beginning", slower(5), 1, []int{5}, 0.97},
		{"5 % slower near the end", slower(45), 1, []int{45}, 0.96},
		{"5 % slower, in the middle, 6 runs", slower(25), 6, []int{25}, 0.999},
		{"5 % slower 3 commits ago", slower(47), 1, []int{47}, 0.88},
		{"5 % slower 2 commits ago", slower(48), 1, []int{48}, 0.75},
		{"5 % slower 2 commits ago, 6 runs", slower(48), 6, []int{48}, 0.99},
		{"5 % slower in the newest commit, 6 runs", slower(49), 6, []int{49}, 0.97},
		{"5 % slower in the newest commit, one run: may be an outlier", slower(49), 1, nil, 0.99},
		{"slower for 5 commits", slower(20, 25), 1, []int{20, 25}, 0.94},
		{"slower for 3 commits, 6 runs", slower(20, 23), 6, []int{20, 23}, 0.99},
		{"four changes to and fro, 6 runs", slower(10, 20, 30, 40), 6, []int{10, 20, 30, 40}, 0.97},
		{"stairs, 6 runs", func(i int) float64 { return math.Log(0.95) * float64(i/10) }, 6, []int{10, 20, 30, 40}, 0.99},
		{"one outlier of 15 %", spike(12, flat), 1, nil, 0.99},
		{"one outlier, the last but one", spike(48, flat), 1, nil, 0.99},
		{"one outlier, the newest", spike(49, flat), 1, nil, 0.99},
		{"an outlier and 5 % slower in the middle", spike(12, slower(25)), 1, []int{25}, 0.98},
		{"an outlier and 5 % slower 3 commits ago", spike(12, slower(47)), 1, []int{47}, 0.88},
		{"2 % slower: below the floor", func(i int) float64 { return math.Log(0.98) * float64(i/25) }, 6, nil, 0.99},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			right, any := 0, 0
			for range draws {
				s := draw(r, c.runs, 0.01, c.level, r.NormFloat64)
				s.detect("higher", floor)
				if slices.Equal(s.at(), c.want) {
					right++
				}
				if len(s.Changes) > 0 {
					any++
				}
			}
			t.Logf("%s: right %.1f %%, anything %.1f %%", c.why, 100*float64(right)/draws, 100*float64(any)/draws)
			assert.GreaterOrEqual(t, float64(right)/draws, c.least, fmt.Sprint(c.want))
		})
	}
}

// The textbook way that was refused: Welch's t over all runs of both sides of a single cut.
func TestSimulatedRunsAreNotCommits(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	called := 0
	const some = 300
	for range some {
		off := make([]float64, commits)
		for i := range off {
			off[i] = 0.03 * r.NormFloat64()
		}
		s := draw(r, 6, 0.01, func(i int) float64 { return off[i] }, r.NormFloat64)
		var xs []float64
		for _, p := range s.Points {
			for _, v := range p.Values {
				xs = append(xs, math.Log(v))
			}
		}
		tr := newTrack(xs, true, floor, math.NaN())
		for k := 2; k <= commits-2; k++ {
			a, b := tr.part(0, 6*k), tr.part(6*k, 6*commits)
			if !tr.moves(a.mean(), b.mean()) {
				continue
			}
			va, vb := a.rss()/(a.n-1)/a.n, b.rss()/(b.n-1)/b.n
			df := (va + vb) * (va + vb) / (va*va/(a.n-1) + vb*vb/(b.n-1))
			if tail(tr.against(a, b, 0, false), df)*(commits-3) < alpha {
				called++
				break
			}
		}
	}
	t.Logf("Welch over runs, 1 %% from run to run and 3 %% from commit to commit: %.1f %% of unchanged series", 100*float64(called)/some)
	assert.Greater(t, float64(called)/some, 0.05, "or it need not have been refused")
}
