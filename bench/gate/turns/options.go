// Package turns measures two revisions of a program side by side: the base, checked out in a worktree of its
// own, and the working tree, in turns on one machine. What drifts during the minutes that takes (heat, other
// tenants, clock rates) then falls on both sides alike, which two runs one after the other, or a result stored
// last week, cannot have.
//
// Of a pair both sides train each rank once with the same seed, so that package judge can compare them in
// pairs, and losses digit by digit. Both processes of a pair live at once and pass a baton, so that they take
// turns of a twentieth of a second or a step, whichever is longer; only the one that has it works, and the other
// one's clock stands still. Where a side does not know the flag -relay, a turn is a
// whole process: A B B A A B B A.
//
// Why so fine: on a rented two-core machine, otherwise idle, the speed of one and the same program drifted by
// a third within two minutes. Turns of processes of 15 seconds left a difference uncertain by 15 %.
package turns

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Options is what to measure and how long. The zero value of a field is its default.
type Options struct {
	Base  string // revision to compare with: a branch, tag or commit; there is no default
	Steps int    // optimizer steps of each run; 40
	Seeds int    // runs of each benchmark and side, with the seeds 42, 43, ...; 10
	Ranks string // the harness's -ranks; "" leaves each side its own default
	Out   string // folder for results; out/gate below the module's root

	// BenchFlags are further flags, as one would write them for go test: build flags go to the compiler,
	// test flags to the testing package, the others to the benchmark itself. The same for both sides.
	BenchFlags []string

	Dir    string    // any folder of the checkout; "" is the working folder
	Go     string    // the go command; "go"
	Stderr io.Writer // progress; nil is none

	held bool // the lock, by Hold
}

// firstSeed is the harness's own first seed: the runs are then those of make bench too.
const firstSeed = 42

const (
	benchFolder = "bench" // of the module, the package of the benchmarks
	harness     = "^BenchmarkRank$"
	partsBench  = "^BenchmarkPart$"
	partsRounds = 3
	warmSteps   = 3
)

func (o Options) complete() (Options, error) {
	switch {
	case o.Base == "":
		return o, errors.New("no base revision is given: name a branch, tag or commit, such as origin/main or HEAD~1")
	case o.Steps < 0:
		return o, fmt.Errorf("%d steps, want at least 1", o.Steps)
	case o.Seeds < 0:
		return o, fmt.Errorf("%d seeds, want at least 1", o.Seeds)
	}
	if o.Steps == 0 {
		o.Steps = 40
	}
	if o.Seeds == 0 {
		o.Seeds = 10
	}
	if o.Go == "" {
		o.Go = "go"
	}
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	for _, p := range []*string{&o.Dir, &o.Out} {
		if *p == "" && p == &o.Out {
			continue // below the module's root, which is not known yet
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return o, err
		}
		*p = abs
	}
	if info, err := os.Stat(o.Dir); err != nil {
		return o, err
	} else if !info.IsDir() {
		return o, fmt.Errorf("%s is not a folder", o.Dir)
	}
	return o, nil
}

func (o Options) say(format string, args ...any) {
	fmt.Fprintf(o.Stderr, "gate: "+format+"\n", args...)
}
