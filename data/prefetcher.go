package data

import (
	"errors"
	"fmt"
	"sync"
)

// Prefetcher deals out steps of accum micro-batches each, prepared on another goroutine, at most depth steps ahead. It
// takes packing, and the shuffle at the beginning of an epoch, off the goroutine that trains.
//
// Next and Epoch are for one goroutine; Close is for any. An Prefetcher that is not closed keeps its goroutine for ever.
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
// limit catches a number that was meant for another parameter, before make panics at it.
const maxDepth = 1024

// NewPrefetcher begins at once to prepare steps. The loader is the Prefetcher's own until Close has returned, and has then
// dealt out also what was prepared and never asked for. accum must be at least 1, depth 1 to 1024.
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

// prepare makes each step anew. Taking back the slices of steps that are done with was refused: the consumer would
// have to say when, and a copy to a device may still be reading them after the step has returned.
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
// have given. They are the caller's to keep. After Close it returns nil, even where steps were ready; a Next that
// waits while another goroutine closes returns either the step or nil.
func (a *Prefetcher) Next() []MicroBatch {
	// On its own first, as a select would choose at random between a step that is ready and quit.
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

// Epoch is how often the whole set has been dealt out by Next. The loader's own Epoch runs ahead, by what is prepared.
func (a *Prefetcher) Epoch() float64 { return float64(a.drawn) / float64(len(a.loader.samples)) }

// Close stops the goroutine and waits until it has let go of the loader, at most the time one step takes to prepare.
// Closing again does nothing.
func (a *Prefetcher) Close() {
	a.once.Do(func() { close(a.quit) })
	<-a.ended
}
