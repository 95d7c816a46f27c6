package judge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"lorabench/bench/results"

	"github.com/stretchr/testify/assert"
)

// drawn is a simulated side: a benchmark for each rank with the metrics that lorabench reports, and what
// is known of how they hang together. Everything is drawn of logarithms, so noise is about a fraction.
type drawn struct {
	ranks   int
	samples int
	noise   float64
	shared  float64 // noise that both sides of a seed have: its data, or the hour it ran in
	slower  float64 // of New against the baseline
}

// device is a GPU: losses are tested there, and not compared value by value.
var device = &results.Settings{Keys: []string{"device", "seed"}, Values: []string{"cuda:0", "42"}}

// side is one without values.
func (d drawn) side() *Input {
	in := &Input{Set: &results.Set{Files: []string{"bench.txt"}, Settings: []*results.Settings{device}}}
	for rank := range d.ranks {
		b := &results.Benchmark{Name: fmt.Sprintf("Rank/rank=%d", 8<<rank), Procs: 1}
		b.Bare = b.Name
		for k := range d.samples {
			b.Runs = append(b.Runs, results.Run{Seed: int64(42 + k), Iters: 100, Config: device})
		}
		for _, unit := range []string{"eval-loss", "train-loss", "loss", "samples/sec", "tokens/sec", "ns/op", "sec-to-loss", "peak-GPU-GB", results.AdapterBytes, "grad-norm"} {
			base, factor := results.Tidy(unit)
			m := results.Metric{Unit: unit, Base: base, Factor: factor, Values: make([]float64, d.samples)}
			for k := range d.samples {
				m.Seeds, m.Runs = append(m.Seeds, b.Runs[k].Seed), append(m.Runs, k)
			}
			b.Metrics = append(b.Metrics, m)
		}
		in.Benchmarks = append(in.Benchmarks, b)
	}
	return in
}

// draw fills both sides with values.
func (d drawn) draw(r *rand.Rand, old, new *Input) {
	for rank := range d.ranks {
		for k := range d.samples {
			// What a seed gives both sides.
			data, hour := math.Exp(d.shared*r.NormFloat64()), math.Exp(d.shared*r.NormFloat64())
			perSample := 160 * math.Exp(0.01*r.NormFloat64())
			for _, in := range []*Input{old, new} {
				noisy := func(centre, times float64) float64 { return centre * math.Exp(times*d.noise*r.NormFloat64()) }
				train, speed := noisy(1.68*data, 1), noisy(36*hour, 1)
				if in == new {
					speed /= 1 + d.slower
				}
				ms := in.Benchmarks[rank].Metrics
				for i, v := range [...]float64{
					noisy(1.7*data, 1), train, noisy(0.97*train, 1), // the last loss is of some of all steps
					speed, speed * perSample, 16e9 / speed, noisy(3240/speed, 1), // training time, and when it got there
					noisy(2.3, 1), 3151872, noisy(1.1, 4),
				} {
					ms[i].Values[k] = v
				}
			}
		}
	}
}

// statuses is how often each status was reached in so many draws.
func (d drawn) statuses(draws int) map[Status]float64 {
	r := rand.New(rand.NewPCG(uint64(100*d.ranks+d.samples), math.Float64bits(d.noise+d.shared+d.slower)))
	rates := map[Status]float64{}
	old, new := d.side(), d.side()
	for range draws {
		d.draw(r, old, new)
		rates[Judge(old, new, Options{}).Status] += 1 / float64(draws)
	}
	return rates
}

// An unchanged program fails in at most 1 % of comparisons, whatever its noise, and whether or not seeds
// and hours matter.
func TestUnchangedProgramsPass(t *testing.T) {
	t.Log("ranks samples noise shared   worse  cannot tell")
	for _, ranks := range []int{1, 3} {
		for _, samples := range []int{6, 10} {
			for _, noise := range []float64{0.01, 0.03} {
				for _, shared := range []float64{0, 0.03} {
					d := drawn{ranks: ranks, samples: samples, noise: noise, shared: shared}
					draws := 4000
					if shared > 0 {
						draws = 1000
					}
					got := d.statuses(draws)
					t.Logf("%5d %7d %4.0f %% %4.0f %%  %5.2f %%  %5.2f %%", ranks, samples, 100*noise, 100*shared, 100*got[Worse], 100*got[CannotTell])
					assert.LessOrEqual(t, 1-got[Pass], 0.01, "%+v", d)
				}
			}
		}
	}
}

// A program that got 5 % slower is caught in at least 99 % of comparisons at 1 % noise.
func TestSlowerProgramsAreCaught(t *testing.T) {
	t.Log("ranks samples noise shared slower   caught  cannot tell")
	for _, c := range []struct {
		drawn
		least float64
	}{
		{drawn{1, 6, 0.01, 0, 0.05}, 0.99},
		{drawn{1, 10, 0.01, 0, 0.05}, 0.99},
		{drawn{1, 6, 0.01, 0.03, 0.05}, 0.85},
		{drawn{1, 10, 0.01, 0.03, 0.05}, 0.99},
		{drawn{3, 6, 0.01, 0, 0.05}, 0.99},
		{drawn{1, 10, 0.03, 0, 0.05}, 0},
		{drawn{1, 6, 0.03, 0, 0.15}, 0.9},
	} {
		got := c.statuses(1000)
		t.Logf("%5d %7d %4.0f %% %4.0f %% %4.0f %%  %6.1f %%  %5.2f %%", c.ranks, c.samples, 100*c.noise, 100*c.shared, 100*c.slower, 100*got[Worse], 100*got[CannotTell])
		assert.GreaterOrEqual(t, got[Worse], c.least, "%+v", c.drawn)
	}
}

// A speed that fell by Rule.Detect is hardly ever called the same, however noisy it is: what cannot be found
// is not ruled out either.
func TestNoiseHidesNothing(t *testing.T) {
	t.Log("samples noise slower    worse  cannot tell    same")
	for _, samples := range []int{4, 6, 10} {
		for _, noise := range []float64{0.03, 0.1, 0.2, 0.4} {
			d := drawn{ranks: 1, samples: samples, noise: noise, slower: 1/(1-defaultDetect) - 1}
			r := rand.New(rand.NewPCG(uint64(samples), math.Float64bits(noise)))
			old, new := d.side(), d.side()
			calls := map[Call]float64{}
			const draws = 1000
			for range draws {
				d.draw(r, old, new)
				calls[of(t, Judge(old, new, Options{}), "samples/sec").Call] += 1. / draws
			}
			t.Logf("%7d %4.0f %% %4.0f %%  %6.1f %%  %9.1f %%  %5.2f %%", samples, 100*noise, 100*d.slower, 100*calls[CallWorse], 100*calls[CallCannotTell], 100*calls[CallSame])
			assert.LessOrEqual(t, calls[CallSame], defaultAlpha, "%+v", d)
		}
	}
}
