// Package relay lets processes take turns: only the one that holds the baton works. Programs that are
// compared on one machine in turns of a fraction of a second see the same machine, however its speed
// drifts; run one after another for seconds each they do not.
//
// The baton is a byte in one of the pipes that connect the processes in a ring. A process that ends closes its
// ends, and the next one goes on alone. Processes that take equally many turns end in their order.
package relay

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Leg is the default minimum time that a process keeps the baton: on a CPU handing it over wakes up sleeping threads,
// which should be little of the time.
const Leg = 50 * time.Millisecond

// Baton is a process's end of a relay. A nil Baton is for a process that runs alone: it never waits.
type Baton struct {
	in, out *os.File
	since   time.Time
	alone   bool
	leg     time.Duration
}

// Open opens the descriptors that Ring made, as the process was given them: "3,4" reads from 3 and
// writes to 4; a third part, as in "3,4,0s", is the leg. "" gives a nil Baton.
func Open(descriptors string) (*Baton, error) {
	if descriptors == "" {
		return nil, nil
	}
	in, rest, _ := strings.Cut(descriptors, ",")
	out, leg, _ := strings.Cut(rest, ",")
	least := Leg
	if leg != "" {
		var err error
		if least, err = time.ParseDuration(leg); err != nil {
			return nil, fmt.Errorf("relay: %q: %w", descriptors, err)
		}
	}
	var fd [2]int
	for i, s := range []string{in, out} {
		n, err := strconv.Atoi(s)
		if err != nil || n < 3 {
			return nil, fmt.Errorf("relay: %q is no pair of descriptors above 2, such as 3,4", descriptors)
		}
		fd[i] = n
	}
	b := New(os.NewFile(uintptr(fd[0]), "relay in"), os.NewFile(uintptr(fd[1]), "relay out"))
	b.leg = least
	for _, f := range []*os.File{b.in, b.out} {
		if f == nil {
			return nil, fmt.Errorf("relay: %s are not open", descriptors)
		}
		if _, err := f.Stat(); err != nil {
			return nil, fmt.Errorf("relay: %s: %w", descriptors, err)
		}
	}
	return b, nil
}

// New returns a relay's end over two pipes.
func New(in, out *os.File) *Baton { return &Baton{leg: Leg, in: in, out: out} }

// Take waits for the baton. Once the process before this one has ended it no longer waits.
func (b *Baton) Take() error {
	if b == nil || b.alone {
		return nil
	}
	_, err := b.in.Read(make([]byte, 1))
	if errors.Is(err, io.EOF) {
		b.alone, err = true, nil
	}
	b.since = time.Now()
	return err
}

// Pass hands the baton to the next process.
func (b *Baton) Pass() error {
	if b == nil || b.alone {
		return nil
	}
	_, err := b.out.Write([]byte{'.'})
	if errors.Is(err, syscall.EPIPE) {
		b.alone, err = true, nil
	}
	return err
}

// Due reports whether it is another process's turn.
func (b *Baton) Due() bool { return b != nil && !b.alone && time.Since(b.since) >= b.leg }

// Ring returns the ends, in and out, of n processes that take turns in this order; the baton waits for the first. The caller
// passes them on as ExtraFiles and closes its own copies once all processes are started: only then does a process see that the
// one before it has ended.
func Ring(n int) (ends [][2]*os.File, err error) {
	defer func() {
		if err != nil {
			for _, e := range ends {
				for _, f := range e {
					if f != nil {
						err = errors.Join(err, f.Close())
					}
				}
			}
		}
	}()
	ends = make([][2]*os.File, n)
	for i := range n {
		if ends[i][0], ends[(i+n-1)%n][1], err = os.Pipe(); err != nil {
			return ends, err
		}
	}
	_, err = ends[n-1][1].Write([]byte{'.'})
	return ends, err
}
