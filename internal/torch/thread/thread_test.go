package thread

import (
	"errors"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	prepared := 0 // only on the thread: the race detector would tell
	th := New(func() { prepared++ })
	tid := func() (id int) {
		require.NoError(t, th.Run(func() error { id = syscall.Gettid(); return nil }))
		return id
	}
	first := tid()
	require.NotEqual(t, syscall.Gettid(), first)
	require.Equal(t, first, tid())

	mine := errors.New("mine")
	require.Equal(t, mine, th.Run(func() error { return mine }))
	require.Equal(t, mine, th.Run(func() error { return th.Run(func() error { return mine }) }), "a call inside a call")
	require.Equal(t, first, tid())
	require.Equal(t, 1, prepared)
}

func TestPanicIsTheCallers(t *testing.T) {
	th := New(func() {})
	defer func() {
		p := recover()
		require.Contains(t, p, "index out of range")
		require.Contains(t, p, "thread_test.go", "with the stack that raised it")
		require.NoError(t, th.Run(func() error { return nil }))
	}()
	_ = th.Run(func() error { var v []int; _ = v[len(v)]; return nil })
	t.Fatal("Run returned")
}

// TestManyGoroutines queue up, while some of them end the thread: no call is lost, and what runs on the thread is
// never at work twice.
func TestManyGoroutines(t *testing.T) {
	prepared, calls, inside := 0, 0, 0
	th := New(func() { prepared++ })
	const callers, each = 20, 50
	var all sync.WaitGroup
	for i := range callers {
		for j := range each {
			all.Go(func() {
				_ = th.Run(func() error {
					inside++
					defer func() { inside-- }()
					calls++
					if i == 0 && j%10 == 0 {
						runtime.Goexit()
					}
					return th.Run(func() error { calls += inside; return nil })
				})
			})
		}
	}
	all.Wait()
	require.NoError(t, th.Run(func() error {
		require.Equal(t, 1+each/10, prepared, "each that takes over is prepared")
		require.Equal(t, 2*callers*each-each/10, calls)
		require.Zero(t, inside)
		return nil
	}))
}
