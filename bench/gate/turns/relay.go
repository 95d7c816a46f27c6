package turns

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"time"

	"lorabench/internal/relay"
)

// relays returns whether both benchmarks can take turns step by step: those of before the flag -relay cannot.
func (m *measurement) relays(ctx context.Context) bool {
	for _, s := range m.sides {
		cmd := exec.CommandContext(ctx, s.binary, "-help")
		cmd.Dir, cmd.Env = s.dir(), environment()
		if usage, _ := cmd.CombinedOutput(); !hasRelay.Match(usage) {
			return false
		}
	}
	return true
}

var hasRelay = regexp.MustCompile(`(?m)^  -relay\b`)

// together runs both sides of pair k at once, first the one whose turn it is, with a baton that passes
// between them: a machine whose speed drifts by a tenth within a minute, as rented ones do, then is
// equally fast for both, which it is not for two processes one after the other.
func (m *measurement) together(ctx context.Context, k int) error {
	batons, err := relay.Ring(2)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var both sync.WaitGroup
	var failed [2]error
	for i, s := range m.sides {
		both.Go(func() {
			if failed[i] = m.turn(ctx, s, k, batons[(i+k)%2][:]...); failed[i] != nil {
				cancel(errors.New("the other side failed"))
			}
		})
	}
	both.Wait()
	// The side that failed first says why; the other one was only ended.
	for _, err := range failed {
		if err != nil && !errors.Is(err, context.Cause(ctx)) {
			return err
		}
	}
	return errors.Join(failed[:]...)
}

// pairs runs all pairs.
func (m *measurement) pairs(ctx context.Context) error {
	start := time.Now()
	for k := range m.Seeds {
		m.say("pair %d of %d: %s, %s and %s step by step%s", k+1, m.Seeds, pairName(k), m.sides[k%2].name, m.sides[1-k%2].name, left(time.Since(start), k, m.Seeds))
		if err := m.together(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// alternate runs the sides one process after the other.
func (m *measurement) alternate(ctx context.Context) error {
	plan := order(m.Seeds)
	start := time.Now()
	for i, t := range plan {
		s := m.sides[t.side]
		m.say("turn %d of %d: %s, %s%s", i+1, len(plan), s.name, pairName(t.k), left(time.Since(start), i, len(plan)))
		if err := m.turn(ctx, s, t.k); err != nil {
			return err
		}
	}
	return nil
}

// relayFlag tells a process which descriptors are its ends of the relay: its first ones after stderr.
func relayFlag(baton []*os.File) []string {
	if len(baton) == 0 {
		return nil
	}
	return []string{"-relay=3,4"}
}
