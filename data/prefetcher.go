package data

import (
	"errors"
	"fmt"
	"sync"
)

// Prefetcher deals out steps of accum micro-batches each, prepared on another goroutine, at most depth steps ahead. It
// takes packing, and the shuffle at the beginning of an epoch, off the goroutine that trains.
//
// Next and Epoch may be called from one goroutine, Close from any. A Prefetcher that is not closed leaks its goroutine.
type Prefetcher struct {
	loader *Loader
	steps  chan []MicroBatch
	quit   chan struct{} // closed by Close
	ended  chan struct{} // closed by the goroutine
	once   sync.Once

	perStep int // samples
	drawn   int // samples, those drawn from the loader before included
}

// Each step ahead costs memory, and a second one already covers a step that takes longer to prepare than others. The
// limit catches a number that was meant for another parameter, before make panics.
const maxDepth = 1024

// NewPrefetcher starts preparing steps at once. The Prefetcher owns the loader until Close has returned; the loader has
// then also dealt out what was prepared but never asked for. accum must be at least 1, depth 1 to 1024.
func NewPrefetcher(l *Loader, accum, depth int) (*Prefetcher, error) {
	switch {
	case l == nil || len(l.indexes) == 0:
		return nil, errors.New("no loader to take micro-batches from: make one with NewLoader")
	case accum < 1:
		return nil, fmt.Errorf("accum is %d: it must be at least 1", accum)
	case depth < 1 || depth > maxDepth:
		return nil, fmt.Errorf("depth is %d: it must be 1 to %d", depth, maxDepth)
	}
	a := &Prefetcher{
		loader: l,
		// One less than depth: the goroutine itself holds a step while the channel is full.
		steps:   make(chan []MicroBatch, depth-1),
		quit:    make(chan struct{}),
		ended:   make(chan struct{}),
		perStep: accum * len(l.indexes),
		drawn:   l.drawn,
	}
	go a.prepare(accum)
	return a, nil
}

// prepare allocates each step anew. Reusing the slices of finished steps was refused: the consumer would have to
// say when, and a copy to a device may still be reading them after the step has returned.
func (a *Prefetcher) prepare(accum int) {
	defer close(a.ended)
	for {
		step := make([]MicroBatch, accum)
		for i := range step {
			step[i] = a.loader.Next()
		}
		select {
		case a.steps <- step:
		case <-a.quit:
			return
		}
	}
}

// Next returns the next step's micro-batches: those, and in that order, that accum calls of the loader's Next would
// have given. The caller may keep them. After Close it returns nil, even if steps were ready; a Next that
// waits while another goroutine closes returns either the step or nil.
func (a *Prefetcher) Next() []MicroBatch {
	// Checked first, because select would choose at random between a step that is ready and quit.
	select {
	case <-a.quit:
		return nil
	default:
	}
	select {
	case step := <-a.steps:
		a.drawn += a.perStep
		return step
	case <-a.quit:
		return nil
	}
}

// Epoch returns how often the whole set has been dealt out by Next. The loader's own Epoch is ahead by what is prepared.
func (a *Prefetcher) Epoch() float64 { return float64(a.drawn) / float64(len(a.loader.samples)) }

// Close stops the goroutine and waits until it has released the loader, at most the time that preparing one step
// takes. Closing again does nothing.
func (a *Prefetcher) Close() {
	a.once.Do(func() { close(a.quit) })
	<-a.ended
}
