// Package relay lets two processes take turns: only the one that holds the baton works. Two programs
// that are compared on one machine, each for a fraction of a second before the other, see the same
// machine, however its speed drifts; run after one another for seconds each they do not.
//
// The baton is a byte in one of two pipes. A process that ends closes its ends, and the other one goes on
// alone.
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

// Leg is how long a process keeps the baton at least: handing it over wakes up sleeping threads, which
// should be little of the time.
const Leg = 50 * time.Millisecond

// Baton is a process's end of a relay. The nil Baton is of a process that runs alone: nothing waits.
type Baton struct {
	in, out *os.File
	since   time.Time
	alone   bool
}

// Open is for the descriptors that Pipes made, as the process was given them: "3,4" reads from 3 and
// writes to 4. Empty is nobody to take turns with.
func Open(descriptors string) (*Baton, error) {
	if descriptors == "" {
		return nil, nil
	}
	in, out, _ := strings.Cut(descriptors, ",")
	var fd [2]int
	for i, s := range []string{in, out} {
		n, err := strconv.Atoi(s)
		if err != nil || n < 3 {
			return nil, fmt.Errorf("relay: %q is no pair of descriptors above 2, such as 3,4", descriptors)
		}
		fd[i] = n
	}
	b := New(os.NewFile(uintptr(fd[0]), "relay in"), os.NewFile(uintptr(fd[1]), "relay out"))
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

// New is a relay's end over two pipes.
func New(in, out *os.File) *Baton { return &Baton{in: in, out: out} }

// Take waits for the baton. When the other process has ended there is nothing to wait for any more.
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

// Pass gives the baton away.
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

// Due tells whether the other process's turn has come.
func (b *Baton) Due() bool { return b != nil && !b.alone && time.Since(b.since) >= Leg }

// Pipes are the ends of two processes, in and out, with the baton before the first. The caller passes
// them on as ExtraFiles and closes its own copies once both processes are started: only then can one see
// that the other has ended.
func Pipes() (first, second [2]*os.File, err error) {
	r1, w1, err := os.Pipe()
	if err != nil {
		return first, second, err
	}
	r2, w2, err := os.Pipe()
	if err != nil {
		return first, second, errors.Join(err, r1.Close(), w1.Close())
	}
	first, second = [2]*os.File{r1, w2}, [2]*os.File{r2, w1}
	if _, err := w1.Write([]byte{'.'}); err != nil {
		return first, second, errors.Join(err, r1.Close(), w1.Close(), r2.Close(), w2.Close())
	}
	return first, second, nil
}
