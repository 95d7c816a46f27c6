// Package turns measures two revisions of a program side by side: the base, checked out in a worktree of its own, and the working tree, in
// turns on one machine. Drift during those minutes (heat, other tenants, clock rates) then affects both sides alike, which it does not for
// two runs one after the other, or for a result stored last week.
//
// Both processes of a pair train each rank once with one seed and pass a baton (package relay), so that they take turns of a twentieth of
// a second or a step, whichever is longer. Turns are so short because on a rented two-core machine, otherwise idle, one program's speed
// drifted by a third within two minutes, and turns of 15-second processes left a difference uncertain by 15 %.
package turns

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lorabench/internal/cache"
	"lorabench/internal/file"
)

// Options says what to measure and for how long.
type Options struct {
	Base   string    // revision to compare with: a branch, tag or commit
	Steps  int       // optimizer steps of each run
	Seeds  int       // runs of each benchmark and side, with the seeds 42, 43, ...
	Out    string    // folder for results; "" is out/gate below the module's root
	Flags  []string  // further flags for both sides, as one would write them for go test
	Stderr io.Writer // progress
}

// Accept is the line of a commit message that accepts other digits of losses.
const Accept = "Gate-Accept: losses"

// firstSeed is the harness's own first seed, so that the runs are those of make bench.
const firstSeed = 42

// Measurement is the two sides, ready to be measured. A user has only one until it is closed: two would slow each other down, and one
// could remove what the other has written and not yet read.
type Measurement struct {
	Options
	Accepts string // the commit of the change whose message has Accept's line; "" for none
	sides   [2]*side
	build   []string // flags for the compiler
	Close   func()   // lets the next gate begin
}

// Open finds the working folder's repository and checks the base out, waiting for another gate to end.
func Open(ctx context.Context, o Options) (m *Measurement, err error) {
	if o.Steps < 1 || o.Seeds < 1 {
		return nil, fmt.Errorf("%d steps and %d seeds, want at least 1 of each", o.Steps, o.Seeds)
	}
	untie()
	m = &Measurement{Options: o}
	var bench []string
	if m.build, bench, err = split(o.Flags); err != nil {
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
	base := &side{name: "base", commit: commit[:12], root: filepath.Join(worktree, repo.module)}
	head := &side{name: "head", commit: state, root: filepath.Join(repo.root, repo.module)}
	m.sides = [2]*side{base, head}
	m.Out, err = filepath.Abs(cmp.Or(m.Out, filepath.Join(head.root, "out", "gate")))
	if err == nil {
		err = repo.checkOut(ctx, worktree, commit)
	}
	if err == nil && !file.Exists(filepath.Join(base.root, benchFolder)) {
		err = fmt.Errorf("the base, %s, has no folder %s to measure", o.Base, benchFolder)
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	for _, s := range m.sides {
		s.out, s.flags = filepath.Join(m.Out, s.name), shared(bench, head.root, base.root)
	}
	return m, nil
}

// lock waits until no other gate of the user runs, and returns the folder of worktrees.
func (m *Measurement) lock(ctx context.Context) (string, error) {
	dir, err := cache.Dir()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "gate")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("%w: set XDG_CACHE_HOME to a folder that you can write", err)
	}
	m.Close, err = file.Lock(ctx, filepath.Join(dir, "lock"), func(holder string) { m.say("waiting for another gate, %s, to end", holder) })
	if err != nil {
		return "", fmt.Errorf("waiting for another gate: %w", err)
	}
	return dir, nil
}

// Run measures both sides and returns their result folders: bench.txt, the runs' records if there are any, and every turn's log. The head
// is the working tree as it is, uncommitted changes included. On an error neither has a bench.txt; errors name side, seed and log.
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
	for _, s := range m.sides { // fills the system's caches with weights and data, and shows early what cannot run at all
		m.say("warming up %s", s.name)
		if err := s.turn(ctx, "turn-warm", firstSeed, min(m.Steps, warmSteps), nil); err != nil {
			return "", "", err
		}
	}
	for k := range m.Seeds {
		m.say("pair %d of %d: seed %d, %s and %s step by step", k+1, m.Seeds, firstSeed+k, m.order(k)[0].name, m.order(k)[1].name)
		if err := m.pair(ctx, k); err != nil {
			return "", "", err
		}
	}
	for _, s := range m.sides {
		if err := s.collect(); err != nil {
			return "", "", err
		}
	}
	return m.sides[0].out, m.sides[1].out, nil
}

// order returns the sides in turn k's order, A B B A A B B A ...: neither is always first, and a steady drift affects both alike.
func (m *Measurement) order(k int) [2]*side { return [2]*side{m.sides[k%2], m.sides[1-k%2]} }

func (m *Measurement) say(format string, args ...any) {
	fmt.Fprintf(m.Stderr, "gate: "+format+"\n", args...)
}

// Which flags of go test go where. A flag in none is the benchmark's.
var (
	buildFlags = strings.Fields("a asan cover linkshared modcacherw msan n race trimpath work x asmflags buildmode buildvcs compiler " +
		"covermode coverpkg gccgoflags gcflags installsuffix ldflags mod modfile overlay p pgo pkgdir tags toolexec vet")
	testFlags = strings.Fields("benchmem failfast short v blockprofile blockprofilerate cpu cpuprofile memprofile memprofilerate " +
		"mutexprofile mutexprofilefraction outputdir parallel timeout trace")
	ours      = strings.Fields("bench benchtime count run out relay seed")
	pathFlags = strings.Fields("model data tokenizer adapter forget")
)

// split sorts the caller's flags by the program that takes them. A word that follows a flag is its value.
func split(flags []string) (build, bench []string, err error) {
	for i := 0; i < len(flags); i++ {
		f := flags[i]
		name, value, has := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(f, "-"), "-"), "=")
		if name == "" || f[0] != '-' {
			return nil, nil, fmt.Errorf("%q is no flag: further flags are written -name=value", f)
		}
		if !has && i+1 < len(flags) && !strings.HasPrefix(flags[i+1], "-") {
			i++
			value, has = flags[i], true
		}
		if has {
			value = "=" + value
		}
		switch name = strings.TrimPrefix(name, "test."); {
		case name == "args": // there is only one program that takes what follows
		case slices.Contains(ours, name):
			return nil, nil, fmt.Errorf("%s: the gate itself sets -%s; leave it out (-steps and -seeds go before --)", f, name)
		case slices.Contains(buildFlags, name):
			build = append(build, "-"+name+value)
		case slices.Contains(testFlags, name):
			bench = append(bench, "-test."+name+value)
		default:
			bench = append(bench, "-"+name+value)
		}
	}
	return build, bench, nil
}

// shared makes paths of files that only the working tree has absolute: the harness resolves relative ones from its module's root, and in
// the base's worktree they would not be found.
func shared(flags []string, head, base string) []string {
	out := slices.Clone(flags)
	for i, f := range flags {
		name, value, _ := strings.Cut(strings.TrimPrefix(f, "-"), "=")
		path := strings.TrimPrefix(value, "hash:")
		mine := filepath.Join(head, path)
		if !slices.Contains(pathFlags, name) || path == "" || filepath.IsAbs(path) || !file.Exists(mine) || file.Exists(filepath.Join(base, path)) {
			continue
		}
		out[i] = strings.TrimSuffix(f, path) + mine
	}
	return out
}
