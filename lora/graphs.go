package lora

import (
	"math/bits"

	"lorabench/data"
	"lorabench/internal/torch"
	"lorabench/opt"
)

// graphs replays the work on a row, forward and backward, as a CUDA graph: at OPT-350m's size a GPU
// would otherwise wait for some two thousand launches. A graph is of one size, so rows are rounded up
// to few sizes; what is left over is a sequence of padding of its own that has no label.
type graphs struct {
	model   *opt.Model
	pool    *torch.GraphPool
	scope   *torch.Scope
	longest int
	places  map[opt.Size]*place
	failed  error // why a capture failed: everything after it runs without graphs
}

// place is one size's room on the device and its graph, once it has one.
type place struct {
	*opt.Fixed
	graph *torch.Graph
}

// maxGraphs bounds the graphs of one training: each costs the device some megabytes and a moment.
const maxGraphs = 128

func newGraphs(m *opt.Model, longest int) (*graphs, error) {
	g := &graphs{model: m, scope: torch.NewScope(), longest: longest, places: map[opt.Size]*place{}}
	var on torch.Device
	if err := torch.Run(func(*torch.Scope) error { on = m.Device(); return nil }); err != nil {
		return nil, err
	}
	var err error
	g.pool, err = torch.NewGraphPool(on)
	return g, err
}

func (g *graphs) close() {
	if g.pool != nil {
		g.pool.Close()
	}
	_ = torch.Run(func(*torch.Scope) error { g.scope.Free(); return nil })
}

// gradient is Model.Gradient. The first row of a size runs without a graph, since a capture wants
// everything loaded; the second is recorded and replayed. It returns the number of tokens computed.
func (g *graphs) gradient(s *torch.Scope, b *data.Micro, weights []float32, loss *torch.Tensor) int {
	z := roomFor(b)
	p := g.places[z]
	if g.failed != nil || p == nil && len(g.places) == maxGraphs || b.Longest > g.longest || b.Labels == 0 {
		g.model.Gradient(s, b, weights, loss)
		return b.Tokens()
	}
	first := p == nil
	if first {
		// Nothing that fills a row up is longer than the step between two sizes.
		p = &place{Fixed: g.model.NewFixed(g.scope, z, max(g.longest, step(z.Tokens)))}
		g.places[z] = p
	}
	p.Fill(s, b, weights)
	if !first && p.graph == nil {
		watch := g.model.Watch
		g.model.Watch = nil // a capture takes peaks of its own
		p.graph, g.failed = g.pool.Capture(func(s *torch.Scope) { g.model.GradientOf(s, &p.Batch, loss) })
		g.model.Watch = watch
	}
	if p.graph == nil {
		g.model.GradientOf(s, &p.Batch, loss)
		return z.Tokens
	}
	p.graph.Replay()
	return z.Tokens
}

// prepare sees to it that rows of b's size have a graph, unless captures fail or there are too many.
func (g *graphs) prepare(s *torch.Scope, b *data.Micro, weights []float32, loss *torch.Tensor) {
	for range 2 {
		if p := g.places[roomFor(b)]; g.failed == nil && (p == nil && len(g.places) < maxGraphs || p != nil && p.graph == nil) {
			g.gradient(s, b, weights, loss)
		}
	}
}

// roomFor is the size that a row is rounded up to: a few steps between two powers of two, so that a
// training has a dozen graphs and fills up one token in thirty.
func roomFor(b *data.Micro) opt.Size {
	z := opt.SizeOf(b)
	tokens := roundUp(z.Tokens)
	labels := min(roundUp(z.Labels), tokens)
	if 2*z.Labels > z.Tokens { // loss on every token: one graph, not two, where the rounding differs
		labels = tokens
	}
	return opt.Size{Tokens: tokens, Labels: labels, Sequences: roundUp(z.Sequences + 1)}
}

// step is a sixteenth of the power of two below n, at least 16.
func step(n int) int { return max(16, 1<<max(0, bits.Len(uint(n-1))-5)) }

func roundUp(n int) int {
	by := step(n)
	return (n + by - 1) / by * by
}
