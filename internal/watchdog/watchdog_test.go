package watchdog

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWatch lets time pass that the test itself does not wait for.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var expired atomic.Int64
		d := Watch(time.Minute, func() { expired.Add(1) })
		pass := func(by time.Duration) int64 { time.Sleep(by); synctest.Wait(); return expired.Load() }
		require.Zero(t, pass(50*time.Second))
		d.Beat()
		require.Zero(t, pass(50*time.Second), "a beat begins a new minute")
		d.Rest()
		require.Zero(t, pass(time.Hour), "it rests")
		d.Beat()
		require.Zero(t, pass(59*time.Second))
		require.EqualValues(t, 1, pass(10*time.Second))
		require.EqualValues(t, 1, pass(time.Hour), "once")
		d.Stop()

		d = Watch(time.Minute, func() { expired.Add(1) })
		d.Stop()
		require.EqualValues(t, 1, pass(time.Hour), "it has stopped")
	})
}

// TestManyGoroutines beat and rest while it looks: for the race detector.
func TestManyGoroutines(t *testing.T) {
	d := Watch(time.Hour, func() { t.Error("expired") })
	defer d.Stop()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				d.Beat()
				d.Rest()
			}
		})
	}
	all.Wait()
}
