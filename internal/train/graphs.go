package train

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"

	"lorabench/data"
	"lorabench/internal/decoder"
	"lorabench/internal/torch"
)

// graphs replays the work on a row, forward and backward, as a CUDA graph: at OPT-350m's size a GPU
// would otherwise wait for some two thousand launches. A graph has one size, so rows are rounded up
// to few sizes; the rest is filled by a sequence of padding, which has no label.
type graphs struct {
	model   *decoder.Model
	pool    *torch.GraphPool
	scope   *torch.Scope
	buckets map[decoder.Size]*bucket
	failed  error // why rows run without graphs from here on
	outside int64 // bytes of the device that record used outside the allocator
}

// bucket holds the fixed tensors of one row size and, once recorded, the graph that reads them.
type bucket struct {
	*decoder.Bucket
	graph *torch.Graph
}

// maxGraphs bounds the graphs of one training: each uses some megabytes of the device and takes time to record.
const maxGraphs = 128

func newGraphs(m *decoder.Model) (*graphs, error) {
	g := &graphs{model: m, scope: torch.NewScope(), buckets: map[decoder.Size]*bucket{}}
	pool, err := torch.NewGraphPool(g.device())
	g.pool = pool
	return g, err
}

func (g *graphs) device() torch.Device {
	on := torch.CPU
	_ = torch.Run(func(*torch.Scope) error { on = g.model.Device(); return nil })
	return on
}

// close frees the graphs and their tensors.
func (g *graphs) close() {
	if g.pool != nil {
		g.pool.Close()
	}
	_ = torch.Run(func(*torch.Scope) error { g.scope.Free(); return nil })
	g.buckets = nil
}

// fail frees everything, so that what follows has the memory, and turns graphs off.
func (g *graphs) fail(why error) {
	g.failed, g.outside = why, 0
	g.close()
	_ = g.device().EmptyCache()
}

// gradient does what Model.Gradient does. The first row of a size runs without a graph, because a capture needs everything loaded; the
// second is recorded and replayed. It returns the number of tokens computed.
func (g *graphs) gradient(s *torch.Scope, b *data.MicroBatch, weights []float32, loss *torch.Tensor) (int, error) {
	p, first := g.bucketOf(b)
	if p == nil || !p.Fits(b) {
		g.model.Gradient(s, b, weights, loss)
		return b.Tokens(), nil
	}
	p.Fill(s, b, weights)
	if !first && p.graph == nil {
		if err := g.capture(p, loss); err != nil {
			return 0, err
		}
	}
	if p.graph == nil {
		g.model.GradientOf(s, &p.Batch, loss)
	} else {
		p.graph.Replay()
	}
	return p.Size.Tokens, nil
}

// bucketOf returns the bucket of b's size, and whether it was made now; nil if there are too many or graphs have failed.
func (g *graphs) bucketOf(b *data.MicroBatch) (p *bucket, first bool) {
	z := bucketSize(b)
	if p := g.buckets[z]; p != nil || g.failed != nil || len(g.buckets) == maxGraphs {
		return p, false
	}
	p = &bucket{Bucket: g.model.NewBucket(g.scope, z)}
	g.buckets[z] = p
	return p, true
}

// capture records the work on a bucket's row. The device must have done it without a graph before.
func (g *graphs) capture(p *bucket, loss *torch.Tensor) error {
	p.Seal()
	watch := g.model.Watch
	g.model.Watch = nil // a capture takes peaks of its own
	defer func() { g.model.Watch = watch }()
	var err error
	p.graph, err = g.pool.Capture(func(s *torch.Scope) { g.model.GradientOf(s, &p.Batch, loss) })
	return err
}

// warm runs a row of b's size without a graph if it is the first of its size; for later ones it notes
// the longest sequence.
func (g *graphs) warm(s *torch.Scope, b *data.MicroBatch, weights []float32, loss *torch.Tensor) {
	p, first := g.bucketOf(b)
	if p == nil || !p.Fits(b) {
		return
	}
	if p.Fill(s, b, weights); first {
		g.model.GradientOf(s, &p.Batch, loss)
	}
}

// record captures every bucket that has no graph, the largest first, because the others then reuse its memory.
// All have run by now, so that no size runs outside the graphs' pool while the pool holds memory.
func (g *graphs) record(loss *torch.Tensor) error {
	on := g.device()
	before, err := taken(on)
	if err != nil {
		return err
	}
	sizes := make([]decoder.Size, 0, len(g.buckets))
	for z := range g.buckets {
		sizes = append(sizes, z)
	}
	slices.SortFunc(sizes, func(a, b decoder.Size) int {
		return cmp.Or(cmp.Compare(b.Tokens, a.Tokens), cmp.Compare(b.Labels, a.Labels), cmp.Compare(b.Sequences, a.Sequences))
	})
	for _, z := range sizes {
		if p := g.buckets[z]; p.graph == nil {
			if err := g.capture(p, loss); err != nil {
				return fmt.Errorf("recording a row of %d tokens: %w", z.Tokens, err)
			}
		}
	}
	after, err := taken(on)
	g.outside = max(0, g.outside+after-before)
	return err
}

// taken returns the bytes of the device that the driver has given to any process, less what the allocator holds;
// 0 on a CPU.
func taken(on torch.Device) (int64, error) {
	if !on.CUDA() {
		return 0, nil
	}
	if err := on.Synchronize(); err != nil {
		return 0, err
	}
	free, total, err := on.Free()
	if err != nil {
		return 0, err
	}
	m, err := on.Memory()
	return total - free - m.Reserved, err
}

// bucketSize returns the size that a row is rounded up to: a few steps between two powers of two, so
// that a training has a dozen graphs and pads by one token in thirty.
func bucketSize(b *data.MicroBatch) decoder.Size {
	z := decoder.SizeOf(b)
	tokens := roundUp(z.Tokens)
	labels := min(roundUp(z.Labels), tokens)
	if 2*z.Labels > z.Tokens { // loss on every token: one graph, not two, where the rounding differs
		labels = tokens
	}
	return decoder.Size{Tokens: tokens, Labels: labels, Sequences: roundUp(z.Sequences + 1)}
}

// step returns a sixteenth of the power of two below n, at least 16.
func step(n int) int { return max(16, 1<<max(0, bits.Len(uint(n-1))-5)) }

func roundUp(n int) int {
	by := step(n)
	return (n + by - 1) / by * by
}
