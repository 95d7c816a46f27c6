package torch

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	lib "github.com/sugarme/gotch/libtch"

	"lorabench/internal/torch/torchtest"
)

// devices has the CPU, where graphs are played, and the GPUs, where they are recorded.
var devices = torchtest.Find(OpenDevice, Cards)

// step is work as training has it: a product, a random mask, a state that each step changes.
type step struct {
	owner         *Scope
	x, w, sum, at *Tensor
}

func newStep(t *testing.T, on Device) *step {
	t.Helper()
	p := &step{owner: NewScope()}
	require.NoError(t, Seed(3))
	require.NoError(t, Run(func(*Scope) error {
		p.x, p.w, p.sum = p.owner.Empty(Float32, on, 8, 16), p.owner.Empty(Float32, on, 16, 32), p.owner.Zeros(Float32, on, 8, 32)
		p.at = p.owner.Zeros(Float32, on, 1)
		NormalIn(p.x, 0, 1)
		NormalIn(p.w, 0, 1)
		return nil
	}))
	p.run(t, p.work) // cuBLAS and the kernels are there from now on
	p.run(t, p.reset)
	t.Cleanup(func() { p.run(t, func(*Scope) { p.owner.Free() }) })
	return p
}

func (p *step) run(t *testing.T, f func(s *Scope)) {
	t.Helper()
	require.NoError(t, Run(func(s *Scope) error { f(s); return nil }))
}

func (p *step) reset(*Scope) { ZeroIn(p.sum); ZeroIn(p.at) }

func (p *step) work(s *Scope) {
	y := s.MatMul(p.x, p.w)
	mask := s.Empty(Float32, y.Device(), y.Shape()...)
	UniformIn(mask, 0, 1)
	MulIn(y, mask)
	AddScalarIn(p.at, 1)
	MulIn(y, p.at)
	AddIn(p.sum, y)
}

func (p *step) read(t *testing.T) []float32 {
	t.Helper()
	var v []float32
	p.run(t, func(s *Scope) { v = append(s.Floats(p.sum), s.Floats(p.at)...) })
	return v
}

func TestGraphReplaysWhatItRecorded(t *testing.T) {
	devices.Each(t, func(t *testing.T, on Device) {
		const n = 5
		p := newStep(t, on)
		require.NoError(t, Seed(7))
		for range n {
			p.run(t, p.work)
		}
		want := p.read(t)
		p.run(t, p.reset)

		live := Live()
		pool, err := NewGraphPool(on)
		require.NoError(t, err)
		defer pool.Close()
		require.NoError(t, Seed(7))
		g, err := pool.Capture(p.work)
		require.NoError(t, err)
		require.Equal(t, make([]float32, len(want)), p.read(t), "recording does nothing and draws nothing")
		for range n {
			p.run(t, func(*Scope) { g.Replay() })
		}
		require.InDeltaSlice(t, want, p.read(t), 1e-4, "the same masks, in the same order, as without a graph")
		require.Equal(t, live, Live())

		p.run(t, func(*Scope) { FillIn(p.at, 100); ZeroIn(p.sum); g.Replay() })
		require.InDelta(t, 101, p.read(t)[8*32], 0, "a replay sees what was written before it")
	})
}

func TestGraphDrawsAnewAtEachReplay(t *testing.T) {
	devices.Each(t, func(t *testing.T, on Device) {
		owner := NewScope()
		var mask *Tensor
		draw := func(*Scope) { UniformIn(mask, 0, 1) }
		require.NoError(t, Run(func(s *Scope) error { mask = owner.Empty(Float32, on, 1000); draw(s); return nil }))
		defer Run(func(*Scope) error { owner.Free(); return nil })
		pool, err := NewGraphPool(on)
		require.NoError(t, err)
		defer pool.Close()
		g, err := pool.Capture(draw)
		require.NoError(t, err)
		replay := func() (v []float32) {
			require.NoError(t, Run(func(s *Scope) error { g.Replay(); v = s.Floats(mask); return nil }))
			return v
		}
		require.NoError(t, Seed(1))
		first, second := replay(), replay()
		same := 0
		for i := range first {
			if first[i] == second[i] {
				same++
			}
		}
		require.Less(t, same, 10, "of 1000 draws")
		require.NoError(t, Seed(1))
		require.Equal(t, first, replay(), "a seed repeats them")
	})
}

// TestGraphThatFails: whatever a body does wrong is an error, and nothing is different afterwards.
func TestGraphThatFails(t *testing.T) {
	devices.Each(t, func(t *testing.T, on Device) {
		p := newStep(t, on)
		pool, err := NewGraphPool(on)
		require.NoError(t, err)
		defer pool.Close()
		inner, err := pool.Capture(p.work)
		require.NoError(t, err)
		kept := NewScope()
		// On a CUDA device a body fails when it is recorded, on a CPU when it is played.
		try := func(body func(*Scope)) error {
			g, err := pool.Capture(body)
			if err != nil {
				return err
			}
			return Run(func(*Scope) error { g.Replay(); return nil })
		}
		for _, c := range []struct {
			why, op string
			body    func(s *Scope)
		}{
			{"shapes that do not fit", "matmul", func(s *Scope) { p.work(s); s.MatMul(p.x, p.x) }},
			{"a random draw, then a failure", "add_", func(s *Scope) { UniformIn(p.x, 0, 1); AddIn(p.x, p.w) }},
			{"waiting for the device", "item", func(s *Scope) { p.work(s); s.Item(p.at) }},
			{"reading elements", "copy", func(s *Scope) { s.Floats(p.at) }},
			{"Go's memory, which a replay cannot read", "tensor", func(s *Scope) { s.FromFloats([]float32{1}, 1) }},
			{"comparing, which waits", "equal", func(s *Scope) { Equal(p.x, p.x) }},
			{"a tensor that outlives the recording", "graph_capture", func(s *Scope) { kept.Take(s.Zeros(Float32, on, 1)) }},
			{"a graph in a graph", "graph_replay", func(*Scope) { inner.Replay() }},
			{"the mathematics refuses", "mine", func(*Scope) { Fail("mine", "no") }},
		} {
			t.Run(c.why, func(t *testing.T) {
				live := Live()
				err := try(c.body)
				var e *Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, c.op, e.Op)
				require.NoError(t, Run(func(*Scope) error { kept.Free(); return nil }))
				require.Equal(t, live, Live())
				usable(t, pool, p)
			})
		}
		if on.CUDA() {
			t.Run("CUDA itself refuses, which spoils the capture", func(t *testing.T) {
				live := Live()
				err := try(func(s *Scope) {
					p.work(s)
					lib.AtDoubleValueAtIndexes(p.at.ptr("item"), nil, 0) // Item without our own check
					check("item", p.at)
				})
				var e *Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, "item", e.Op)
				require.Equal(t, live, Live())
				usable(t, pool, p)
			})
		}
		t.Run("a graph recorded or closed in a graph", func(t *testing.T) {
			require.NoError(t, try(func(*Scope) {
				_, err := pool.Capture(p.work)
				require.ErrorContains(t, err, "inside another's body")
				require.ErrorContains(t, pool.Close(), "inside a graph's body")
			}))
			usable(t, pool, p)
		})
		t.Run("another panic is raised in the caller", func(t *testing.T) {
			live := Live()
			require.Panics(t, func() { _ = try(func(s *Scope) { p.work(s); var v []int; _ = v[len(v)] }) })
			require.Equal(t, live, Live())
			usable(t, pool, p)
		})
		t.Run("a body that ends its goroutine", func(t *testing.T) {
			live := Live()
			done := make(chan bool)
			go func() {
				defer close(done)
				_ = try(func(s *Scope) { p.work(s); runtime.Goexit() })
			}()
			<-done
			require.Equal(t, live, Live())
			usable(t, pool, p)
		})
	})
}

// usable: work without a graph, a graph recorded before and a new one all go on, and draw.
func usable(t *testing.T, pool *GraphPool, p *step) {
	t.Helper()
	p.run(t, p.reset)
	p.run(t, p.work)
	n := pool.Len()
	g, err := pool.Capture(p.work)
	require.NoError(t, err)
	require.Equal(t, n+1, pool.Len())
	p.run(t, func(*Scope) { g.Replay(); pool.graphs[0].Replay() })
	v := p.read(t)
	require.InDelta(t, 3, v[len(v)-1], 0)
}

func TestGraphPoolCloses(t *testing.T) {
	devices.EachWithStandIn(t, func(t *testing.T, on Device) {
		p := newStep(t, on)
		pool, err := NewGraphPool(on)
		require.NoError(t, err)
		require.Zero(t, pool.Len())
		g, err := pool.Capture(p.work)
		require.NoError(t, err)
		require.Equal(t, 1, pool.Len())
		require.NoError(t, pool.Close())
		require.NoError(t, pool.Close())
		require.Zero(t, pool.Len())
		held, err := pool.Bytes()
		require.NoError(t, err)
		require.Zero(t, held)
		require.ErrorContains(t, Run(func(*Scope) error { g.Replay(); return nil }), "graph_replay: the graph's pool is closed")
		_, err = pool.Capture(p.work)
		require.ErrorContains(t, err, "the pool is closed")
	})
}

func TestGraphsNeedTheCUDAPart(t *testing.T) {
	if DriverPresent() {
		t.Skip("this machine has a driver")
	}
	_, err := NewGraphPool(0)
	require.ErrorContains(t, err, "liblorabench_cuda.so is not open")
	require.ErrorContains(t, UseStream(0), "liblorabench_cuda.so is not open")
	require.NoError(t, UseStream(CPU))
}
