// Package turns measures two revisions of a program side by side: the base, checked out in a worktree of its own, and the
// working tree, in turns on one machine. What drifts during the minutes that takes (heat, other tenants, clock rates) then
// falls on both sides alike, which two runs one after the other, or a result stored last week, cannot have.
//
// Both sides of a pair train each rank once with the same seed, so that package judge can compare them in pairs, and losses
// digit by digit. Both processes of a pair live at once and pass a baton (package relay), so that they take turns of a
// twentieth of a second or a step, whichever is longer; only the one that has it works, and the other one's clock stands still.
//
// Why so fine: on a rented two-core machine, otherwise idle, the speed of one and the same program drifted by a third within
// two minutes. Turns of processes of 15 seconds left a difference uncertain by 15 %.
package turns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"lorabench/internal/cache"
)

// Options is what to measure and how long.
type Options struct {
	Base   string    // revision to compare with: a branch, tag or commit
	Steps  int       // optimizer steps of each run
	Seeds  int       // runs of each benchmark and side, with the seeds 42, 43, ...
	Out    string    // folder for results; "" is out/gate below the module's root
	Flags  []string  // further flags for both sides, as one would write them for go test
	Stderr io.Writer // progress
}

// Accept is the line of a commit's message that accepts other digits of losses.
const Accept = "Gate-Accept: losses"

// firstSeed is the harness's own first seed: the runs are then those of make bench too.
const firstSeed = 42

// Measurement is the two sides, ready to be measured. It is the only one of the user until it is closed: two at a time would
// measure each other, and what one wrote is not the other's to remove before it is read.
type Measurement struct {
	Options
	Accepts string // the commit of the change whose message has the line of Accept; "" where there is none
	sides   [2]*side
	build   []string // flags for the compiler
	release func()
}

// Open finds the working folder's repository and checks the base out, waiting for another gate to end.
func Open(ctx context.Context, o Options) (m *Measurement, err error) {
	if o.Steps < 1 || o.Seeds < 1 {
		return nil, fmt.Errorf("%d steps and %d seeds, want at least 1 of each", o.Steps, o.Seeds)
	}
	untie()
	m = &Measurement{Options: o}
	build, bench, err := split(o.Flags)
	if err != nil {
		return nil, err
	}
	repo, err := find(ctx)
	if err != nil {
		return nil, err
	}
	commit, err := repo.resolve(ctx, o.Base)
	if err != nil {
		return nil, err
	}
	state, err := repo.state(ctx)
	if err != nil {
		return nil, err
	}
	if m.Accepts, err = repo.accepts(ctx, commit); err != nil {
		return nil, err
	}
	dir, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	worktree := worktreeDir(dir, repo.root)
	if err := repo.checkOut(ctx, worktree, commit); err != nil {
		m.Close()
		return nil, err
	}
	base := &side{name: "base", commit: commit[:12], root: filepath.Join(worktree, repo.module)}
	head := &side{name: "head", commit: state, root: filepath.Join(repo.root, repo.module)}
	if m.Out == "" {
		m.Out = filepath.Join(head.root, "out", "gate")
	}
	m.build, m.sides = build, [2]*side{base, head}
	for _, s := range m.sides {
		if s.out, err = filepath.Abs(filepath.Join(m.Out, s.name)); err != nil {
			m.Close()
			return nil, err
		}
		s.flags = shared(bench, head.root, base.root)
	}
	if !exists(base.dir()) {
		m.Close()
		return nil, fmt.Errorf("the base, %s, has no folder %s to measure", o.Base, benchFolder)
	}
	return m, nil
}

// Close lets the next gate begin.
func (m *Measurement) Close() { m.release() }

// lock waits until this is the only gate of the user, and returns the folder of worktrees.
func (m *Measurement) lock(ctx context.Context) (string, error) {
	dir, err := cache.Dir()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "gate")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("%w: set XDG_CACHE_HOME to a folder that you can write", err)
	}
	locked := make(chan error)
	go func() {
		release, err := cache.Lock(dir, func(holder string) { m.say("waiting for another gate, %s, to end", holder) })
		if err != nil { // where the system has no such lock, two gates at a time are for the user to avoid
			release = func() {}
		}
		m.release = release
		select {
		case locked <- err:
		case <-ctx.Done():
			release()
		}
	}()
	select {
	case err := <-locked:
		if errors.Is(err, errors.ErrUnsupported) {
			err = nil
		}
		return dir, err
	case <-ctx.Done():
		return "", fmt.Errorf("waiting for another gate: %w", context.Cause(ctx))
	}
}

// Run measures both sides and returns their folders of results, each with bench.txt, the runs' records where there are any,
// and the log of every turn. The head is the working tree as it is, uncommitted changes included. On an error neither folder
// has a bench.txt; errors name the side, the seed and the log.
func (m *Measurement) Run(ctx context.Context) (base, head string, err error) {
	for _, s := range m.sides {
		if err := s.clear(); err != nil {
			return "", "", err
		}
		m.say("%s is commit %s, in %s", s.name, s.commit, s.root)
	}
	for _, s := range []*side{m.sides[1], m.sides[0]} { // the base takes the head's libtorch
		if err := m.compile(ctx, s); err != nil {
			return "", "", err
		}
	}
	for _, s := range m.sides {
		if err := m.warmUp(ctx, s); err != nil {
			return "", "", err
		}
	}
	start := time.Now()
	for k := range m.Seeds {
		first, second := m.order(k)
		m.say("pair %d of %d: seed %d, %s and %s step by step%s", k+1, m.Seeds, firstSeed+k, first.name, second.name,
			left(time.Since(start), k, m.Seeds))
		if err := m.pair(ctx, k); err != nil {
			return "", "", err
		}
	}
	for _, s := range m.sides {
		if err := s.collect(m.Seeds); err != nil {
			return "", "", err
		}
	}
	return m.sides[0].out, m.sides[1].out, nil
}

// order is A B B A A B B A ...: neither side is always first, and a steady drift falls on both alike.
func (m *Measurement) order(k int) (first, second *side) { return m.sides[k%2], m.sides[1-k%2] }

// left says how long the rest takes if it goes on as it went; nothing before the first pair has ended.
func left(taken time.Duration, done, all int) string {
	if done == 0 {
		return ""
	}
	return fmt.Sprintf(" (about %s left)", (taken / time.Duration(done) * time.Duration(all-done)).Round(time.Second))
}

func (m *Measurement) say(format string, args ...any) {
	fmt.Fprintf(m.Stderr, "gate: "+format+"\n", args...)
}
