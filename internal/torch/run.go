package torch

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
)

// worker is the one thread on which libtorch is called. A pool was refused: every thread that
// calls libtorch gets an OpenMP pool of its own, and Go benchmarks run each sub-benchmark in a
// new goroutine, so rank by rank idle pools would pile up and memory would depend on the order.
var worker struct {
	once sync.Once
	tid  int
	jobs chan job
}

type job struct {
	f    func(*Scope) error
	done chan result
}

// result is what a job ended with: an error, or the value and stack of a panic that was no
// failing operation and so belongs to the caller.
type result struct {
	err   error
	panic any
	stack []byte
	exit  bool // f ended its goroutine, as a test's FailNow does
}

// Run calls f on the libtorch thread with a fresh scope, frees what the scope owns when f
// returns, and returns f's error. An operation that fails inside f ends f; Run then returns an
// [*Error]. Any other panic is raised again in the caller's goroutine. Calls from several
// goroutines queue up; a call from inside f runs at once.
func Run(f func(s *Scope) error) error {
	worker.once.Do(func() {
		worker.jobs = make(chan job)
		start()
	})
	var r result
	if syscall.Gettid() == worker.tid {
		r = call(f)
	} else {
		j := job{f, make(chan result, 1)}
		worker.jobs <- j
		r = <-j.done
	}
	if r.exit {
		runtime.Goexit()
	}
	if r.panic != nil {
		panic(fmt.Sprintf("%v\n\nin torch.Run:\n%s", r.panic, r.stack))
	}
	return r.err
}

func start() {
	ready := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		prepareThread()
		worker.tid = syscall.Gettid()
		resumeStreams()
		close(ready)
		for j := range worker.jobs {
			serve(j)
		}
	}()
	<-ready
}

// serve answers the job even where f ends this goroutine, and with it this thread: then another
// takes over.
func serve(j job) {
	r := result{exit: true}
	defer func() {
		if r.exit {
			start()
		}
		j.done <- r
	}()
	r = call(j.f)
}

func call(f func(*Scope) error) (r result) {
	r.exit = true
	s := NewScope()
	defer func() {
		if p := recover(); p != nil {
			r.exit = false
			if fail, ok := p.(failure); ok {
				r.err = fail.err
			} else {
				r.panic, r.stack = p, debug.Stack()
			}
		}
		s.Free()
	}()
	r.err = f(s)
	r.exit = false
	return r
}
