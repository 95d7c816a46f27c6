// Package watchdog notices that nothing has happened for too long.
package watchdog

import (
	"math"
	"sync/atomic"
	"time"
)

// Dog watches from Watch to Stop. Its methods may be called from any goroutine.
type Dog struct {
	last atomic.Int64 // the latest beat, in Unix nanoseconds
	done chan struct{}
}

// Watch calls expired, once and on a goroutine of its own, when limit has passed since the latest beat. Starting to
// watch is a beat.
func Watch(limit time.Duration, expired func()) *Dog {
	d := &Dog{done: make(chan struct{})}
	d.Beat()
	go func() {
		tick := time.NewTicker(limit/10 + time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-d.done:
				return
			case <-tick.C:
				if time.Since(time.Unix(0, d.last.Load())) > limit {
					expired()
					return
				}
			}
		}
	}()
	return d
}

// Beat reports that something has happened.
func (d *Dog) Beat() { d.last.Store(time.Now().UnixNano()) }

// Rest suspends the watch until the next beat.
func (d *Dog) Rest() { d.last.Store(math.MaxInt64) }

// Stop ends the watch. It may be called once.
func (d *Dog) Stop() { close(d.done) }
