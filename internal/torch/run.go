package torch

import "lorabench/internal/torch/thread"

// worker is the one thread on which libtorch is called. A pool was refused: every thread that
// calls libtorch gets an OpenMP pool of its own, and Go benchmarks run each sub-benchmark in a
// new goroutine, so rank by rank idle pools would pile up and memory would depend on the order.
var worker = thread.New(func() {
	prepareThread()
	resumeStreams()
})

// Run calls f on the libtorch thread with a fresh scope, frees what the scope owns when f
// returns, and returns f's error. An operation that fails inside f ends f; Run then returns an
// [*Error]. Any other panic is raised again in the caller's goroutine. Calls from several
// goroutines queue up; a call from inside f runs at once.
func Run(f func(s *Scope) error) error {
	return worker.Run(func() (err error) {
		s := NewScope()
		defer s.Free()
		defer func() {
			switch p := recover().(type) {
			case nil:
			case failure:
				err = p.err
			default:
				panic(p)
			}
		}()
		return f(s)
	})
}
