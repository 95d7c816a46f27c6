package turns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// errInterrupted is what a signal ends everything with.
var errInterrupted = errors.New("interrupted: nothing was judged")

// Run measures both sides and returns their folders of results, each with bench.txt, the runs' records where
// there are any, and the log of every turn. The head is the working tree as it is, uncommitted changes
// included. On an error neither folder has a bench.txt; errors name the side, the seed and the log.
//
// Both sides are set up and compiled first, and each runs a few steps to warm the caches. Only one gate
// of a user runs at a time: for longer than Run does, with Hold. An interrupt ends the children and is an error.
func Run(ctx context.Context, o Options) (base, head string, err error) {
	ctx, stop := interruptible(ctx)
	defer stop()
	m, err := open(ctx, o)
	if err != nil {
		return "", "", err
	}
	defer m.close()
	if err := m.clear(); err != nil {
		return "", "", err
	}
	if err := m.measure(ctx); err != nil {
		return "", "", err
	}
	return m.sides[0].out, m.sides[1].out, nil
}

// Parts times the parts of a step on both sides, which Run has measured with the same options, and writes
// parts.txt into each side's folder, so that the judge can name the part that slowed. An error leaves the
// verdict as it is, without that explanation: it may be that a side has no BenchmarkPart.
func Parts(ctx context.Context, o Options) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	m, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer m.close()
	for _, s := range m.sides {
		if !exists(s.binary) {
			return fmt.Errorf("%s: there is no %s: measure both sides first", s.name, s.binary)
		}
	}
	return m.parts(ctx)
}

// Hold makes this the only gate of the user, waiting for another, until release is called: what Run and Parts
// write with these options is then nobody else's to remove before it is read.
func Hold(ctx context.Context, o *Options) (release func(), err error) {
	ctx, stop := interruptible(ctx)
	defer stop()
	c, err := o.complete()
	if err != nil {
		return nil, err
	}
	repo, err := find(ctx, c.Dir)
	if err != nil {
		return nil, err
	}
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	free, err := lock(ctx, c, cache, repo.root)
	if err != nil {
		return nil, err
	}
	o.held = true
	return func() { o.held = false; free() }, nil
}

// interruptible ends ctx on SIGINT and SIGTERM, and on SIGHUP, a closed terminal, unless it is ignored (nohup).
func interruptible(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
			cancel(errInterrupted)
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(context.Canceled)
	}
}

// measurement is the two sides, ready to be compiled, with the lock held.
type measurement struct {
	Options
	sides [2]*side // base, head
	bench []string // the flags that go to the benchmark
	build []string // and to the compiler
	close func()
}

// side is one of the two things measured.
type side struct {
	name   string // base or head
	commit string
	root   string // of its module
	out    string // folder of results
	binary string
	bench  []string // flags of the caller, with this side's paths
}

// dir is the folder that a turn runs in: the package's, as go test has it.
func (s *side) dir() string { return filepath.Join(s.root, benchFolder) }

func open(ctx context.Context, o Options) (*measurement, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	m := &measurement{Options: o}
	if m.build, m.bench, err = split(o.BenchFlags); err != nil {
		return nil, err
	}
	repo, err := find(ctx, o.Dir)
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
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	m.close = func() {}
	if !o.held {
		if m.close, err = lock(ctx, o, cache, repo.root); err != nil {
			return nil, err
		}
	}
	worktree := worktreeDir(cache, repo.root)
	if err := repo.checkOut(ctx, worktree, commit); err != nil {
		m.close()
		return nil, err
	}
	base := &side{name: "base", commit: commit[:12], root: filepath.Join(worktree, repo.module)}
	head := &side{name: "head", commit: state, root: filepath.Join(repo.root, repo.module)}
	if m.Out == "" {
		m.Out = filepath.Join(head.root, "out", "gate")
	}
	for i, s := range []*side{base, head} {
		s.out = filepath.Join(m.Out, s.name)
		s.binary = filepath.Join(s.out, "bench.test")
		s.bench = shared(m.bench, head.root, base.root)
		m.sides[i] = s
	}
	if !exists(base.dir()) {
		m.close()
		return nil, fmt.Errorf("the base, %s, has no folder %s to measure", o.Base, benchFolder)
	}
	return m, nil
}

// clear removes what an earlier gate left in the folders of results, and nothing else.
func (m *measurement) clear() error {
	for _, s := range m.sides {
		if err := os.MkdirAll(s.out, 0o777); err != nil {
			return err
		}
		for _, pattern := range []string{"bench.txt", "parts.txt", "parts-*", "turn-*", "warm*", "build.log", "bench.test", "*seed=*.json"} {
			old, err := filepath.Glob(filepath.Join(escape(s.out), pattern))
			if err != nil {
				return err
			}
			for _, path := range old {
				if err := os.RemoveAll(path); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// escape quotes a path for filepath.Glob.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// measure compiles both sides, runs the turns and puts their results together.
func (m *measurement) measure(ctx context.Context) error {
	base, head := m.sides[0], m.sides[1]
	m.say("base is %s, commit %s, in %s", m.Base, base.commit, base.root)
	m.say("head is the working tree, commit %s, in %s%s", head.commit, head.root, uncommitted(head.commit))
	for _, s := range []*side{head, base} { // the base takes the head's libtorch
		if err := m.compile(ctx, s); err != nil {
			return err
		}
	}
	for _, s := range m.sides {
		m.say("warming up %s", s.name)
		if err := m.warmUp(ctx, s); err != nil {
			return err
		}
	}
	run := m.alternate
	if m.relays(ctx) {
		run = m.pairs
	}
	if err := run(ctx); err != nil {
		return err
	}
	for _, s := range m.sides {
		if err := m.collect(s); err != nil {
			return err
		}
	}
	return nil
}

func uncommitted(commit string) string {
	if strings.HasSuffix(commit, "+") {
		return ", with what is not committed (+)"
	}
	return ""
}

// turn is one process: side 0 is the base; k counts the pairs.
type turn struct{ side, k int }

// order is A B B A A B B A ...: neither side is always first, and a steady drift falls on both alike.
func order(pairs int) []turn {
	var plan []turn
	for k := range pairs {
		plan = append(plan, turn{k % 2, k}, turn{1 - k%2, k})
	}
	return plan
}

// left says how long the rest takes if it goes on as it went; nothing before the first turn has ended.
func left(taken time.Duration, done, all int) string {
	if done == 0 {
		return ""
	}
	rest := (taken / time.Duration(done) * time.Duration(all-done)).Round(time.Second)
	return fmt.Sprintf(" (about %s left)", rest)
}
