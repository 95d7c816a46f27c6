// Package thread runs functions one at a time on one thread of the operating system, for a library that keeps state
// for each thread. It is apart from package torch so that the race detector can test it without libtorch.
package thread

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
)

// Thread is one thread, started by the first Run. It never ends.
type Thread struct {
	prepare func()
	once    sync.Once
	tid     atomic.Int64 // any goroutine's Run asks whether it is on the thread, while another may take over
	jobs    chan job
}

type job struct {
	f    func() error
	done chan result
}

// result is what a job ended with: an error, or a panic's value and stack.
type result struct {
	err   error
	panic any
	stack []byte
	exit  bool // f ended its goroutine, as a test's FailNow does
}

// New returns a thread on which prepare runs first, and again on each thread that takes its place.
func New(prepare func()) *Thread { return &Thread{prepare: prepare, jobs: make(chan job)} }

// Run calls f on the thread and returns its error. A panic in f is raised again in the caller's goroutine. Where f ends
// its goroutine, the caller's ends, too, and another thread takes the place of this one. Calls from several
// goroutines queue up; a call from inside f runs at once.
func (t *Thread) Run(f func() error) error {
	t.once.Do(t.start)
	var r result
	if int64(syscall.Gettid()) == t.tid.Load() {
		r = call(f)
	} else {
		j := job{f, make(chan result, 1)}
		t.jobs <- j
		r = <-j.done
	}
	if r.exit {
		runtime.Goexit()
	}
	if r.panic != nil {
		panic(fmt.Sprintf("%v\n\nraised on the thread here:\n%s", r.panic, r.stack))
	}
	return r.err
}

func (t *Thread) start() {
	ready := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		t.tid.Store(int64(syscall.Gettid()))
		t.prepare()
		close(ready)
		for j := range t.jobs {
			t.serve(j)
		}
	}()
	<-ready
}

// serve answers the job even where f ends this goroutine, and with it this thread: then another takes over.
func (t *Thread) serve(j job) {
	r := result{exit: true}
	defer func() {
		if r.exit {
			t.start()
		}
		j.done <- r
	}()
	r = call(j.f)
}

func call(f func() error) (r result) {
	r.exit = true
	defer func() {
		if p := recover(); p != nil {
			r.exit, r.panic, r.stack = false, p, debug.Stack()
		}
	}()
	r.err = f()
	r.exit = false
	return r
}
