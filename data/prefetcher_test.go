package data

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// numbered makes n samples that no two are alike, of 1 to 5 tokens.
func numbered(n int) []Sample {
	samples := make([]Sample, n)
	for i := range samples {
		for j := range 1 + i%5 {
			samples[i].IDs = append(samples[i].IDs, int32(10*i+j))
			samples[i].Labels = append(samples[i].Labels, int32(10*i+j))
		}
	}
	return samples
}

func loader(t testing.TB, samples []Sample, seed int64, sequential bool, batch int) *Loader {
	t.Helper()
	l, err := NewLoader(samples, NewOrder(len(samples), seed, sequential), batch)
	require.NoError(t, err)
	return l
}

// goroutinesEnd fails if there are still more than before. It waits without sleeping: a goroutine that has closed its
// last channel is counted until it has returned, and needs no more than its turn for that.
func goroutinesEnd(t testing.TB, before int) {
	t.Helper()
	for began := time.Now(); runtime.NumGoroutine() > before && time.Since(began) < 10*time.Second; {
		runtime.Gosched()
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before, "a goroutine is left")
}

func TestPrefetcherDealsWhatTheLoaderDeals(t *testing.T) {
	before := runtime.NumGoroutine()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 150 {
		n, batch, accum, depth := 1+rng.IntN(20), 1+rng.IntN(6), 1+rng.IntN(5), 1+rng.IntN(5)
		seed, sequential, earlier, spoil := rng.Int64(), rng.IntN(4) == 0, rng.IntN(3), rng.IntN(2) == 0
		samples := numbered(n)
		plain, own := loader(t, samples, seed, sequential, batch), loader(t, samples, seed, sequential, batch)
		for range earlier {
			plain.Next()
			own.Next()
		}
		a, err := NewPrefetcher(own, accum, depth)
		require.NoError(t, err)
		require.Equal(t, plain.Epoch(), a.Epoch())

		var want, got [][]MicroBatch
		for range 1 + rng.IntN(12) {
			step := make([]MicroBatch, accum)
			for i := range step {
				step[i] = plain.Next()
			}
			next := a.Next()
			require.Equal(t, plain.Epoch(), a.Epoch())
			if spoil {
				require.Equal(t, step, next)
				for i := range next {
					clear(next[i].IDs)
					clear(next[i].LabelIndex)
					clear(next[i].CuSeqlens)
					clear(next[i].Records)
				}
				continue
			}
			want, got = append(want, step), append(got, next)
		}
		a.Close()
		require.Equal(t, want, got, "n %d, batch %d, accum %d, depth %d, seed %d: a step that is kept must stay as it was",
			n, batch, accum, depth, seed)
	}
	goroutinesEnd(t, before)
}

func TestPrefetcherPreparesDepthSteps(t *testing.T) {
	for _, c := range []struct {
		why                 string
		accum, depth, dealt int
	}{
		{"the least: a step in the goroutine's hand, none in the channel", 1, 1, 0},
		{"a step is of accum micro-batches", 4, 1, 0},
		{"the channel fills", 2, 3, 0},
		{"a step that is dealt makes room for one", 2, 3, 1},
		{"it stays ahead over the end of an epoch", 4, 5, 9},
	} {
		synctest.Test(t, func(t *testing.T) {
			const batch, n = 3, 7
			l := loader(t, numbered(n), 42, false, batch)
			a, err := NewPrefetcher(l, c.accum, c.depth)
			require.NoError(t, err)
			defer a.Close()
			for range c.dealt {
				require.Len(t, a.Next(), c.accum)
			}
			synctest.Wait()
			assert.Equal(t, (c.dealt+c.depth)*c.accum*batch, l.drawn, c.why)
			assert.Equal(t, float64(c.dealt*c.accum*batch)/n, a.Epoch(), c.why)
		})
	}
}

// Each row runs in a bubble, which fails if it is left while a goroutine in it waits for ever.
func TestPrefetcherCloses(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, c := range []struct {
		why  string
		use  func(a *Prefetcher)
		most int // steps dealt
	}{
		{"closed before it has prepared anything", func(*Prefetcher) {}, 0},
		{"closed while the goroutine waits for room", func(*Prefetcher) { synctest.Wait() }, 0},
		{"closed with some dealt and others ready", func(a *Prefetcher) { a.Next(); a.Next(); synctest.Wait() }, 2},
		{"closed twice", func(a *Prefetcher) { a.Close() }, 0},
		{"closed by many at once", func(a *Prefetcher) {
			var all sync.WaitGroup
			for range 8 {
				all.Go(a.Close)
			}
			all.Wait()
		}, 0},
		{"closed by another goroutine while this one asks", func(a *Prefetcher) {
			var closer sync.WaitGroup
			closer.Go(a.Close)
			for a.Next() != nil {
				runtime.Gosched()
			}
			closer.Wait()
		}, -1},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := loader(t, numbered(7), 42, false, 2)
			a, err := NewPrefetcher(l, 3, 2)
			require.NoError(t, err)
			c.use(a)
			a.Close()
			drawn, epoch := l.drawn, a.Epoch()
			for range 20 {
				require.Nil(t, a.Next(), "%s: nothing is dealt after Close, ready or not", c.why)
			}
			a.Close()
			assert.Equal(t, epoch, a.Epoch(), c.why)
			if c.most >= 0 {
				assert.Equal(t, float64(c.most*3*2)/7, epoch, c.why)
			}
			synctest.Wait()
			l.Next()
			assert.Equal(t, drawn+2, l.drawn, "%s: the loader is the caller's again", c.why)
		})
	}
	goroutinesEnd(t, before)
}

func TestPrefetcherRefuses(t *testing.T) {
	before := runtime.NumGoroutine()
	l := loader(t, numbered(3), 42, false, 2)
	for _, c := range []struct {
		why          string
		l            *Loader
		accum, depth int
		want         string
	}{
		{"nothing to take from", nil, 1, 1, "no loader"},
		{"a loader that NewLoader did not make", &Loader{}, 1, 1, "no loader"},
		{"a step of nothing", l, 0, 1, "accum is 0: it must be at least 1"},
		{"a negative accum", l, -2, 1, "accum is -2: it must be at least 1"},
		{"nothing ahead is the loader itself", l, 1, 0, "depth is 0: it must be 1 to 1024"},
		{"a negative depth", l, 1, -1, "depth is -1"},
		{"a depth that make would panic at", l, 1, 1 << 62, "it must be 1 to 1024"},
	} {
		a, err := NewPrefetcher(c.l, c.accum, c.depth)
		require.ErrorContains(t, err, c.want, c.why)
		require.Nil(t, a, c.why)
	}
	goroutinesEnd(t, before)
	assert.Zero(t, l.drawn, "a refusal draws nothing")
}

// BenchmarkPrefetcher asks for steps of 4 x 4 samples back to back, so it is at most as fast as packing; what a trainer
// waits is less, as it computes between one step and the next.
func BenchmarkPrefetcher(b *testing.B) {
	a, err := NewPrefetcher(loader(b, lengths(1000), 42, false, 4), 4, 2)
	require.NoError(b, err)
	defer a.Close()
	for b.Loop() {
		a.Next()
	}
}
