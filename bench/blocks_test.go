package bench

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lorabench/bench/record"
	"lorabench/internal/file"
	"lorabench/internal/shard"
)

// All arms train with one seed before any trains with the next: a block is one m.Run, with -count 1.
var (
	seeds   int   // -count
	block   int   // which seed trains, from 0
	opened  bool  // the study's folder, by the first block
	opening error // why it could not be
	chosen  []Arm // those that -bench and -skip match, as the first block shows

	// The folder of -out, where one is given.
	study *Study
	kept  map[string]*record.Record // by file name
)

// firstOnly are flags whose files the testing package writes when its first m.Run ends.
var firstOnly = []string{"cpuprofile", "memprofile", "blockprofile", "mutexprofile", "trace", "coverprofile"}

func testFlag(name string) string { return flag.Lookup("test." + name).Value.String() }

// onePerRun reads -count into seeds and sets the flags of go test for an m.Run with each. Without -run no test runs. A list of -cpu is
// refused, because b.Loop trains before the testing package sets the list's first value.
func onePerRun() (err error) {
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: flags end there, so nothing after it was read; write -name=value, lists without spaces", flag.Arg(0))
	}
	if seeds, err = strconv.Atoi(testFlag("count")); err != nil {
		return fmt.Errorf("-count: %w", err)
	}
	for _, name := range firstOnly {
		if seeds > 1 && testFlag(name) != "" {
			return fmt.Errorf("-%s is given with -count=%d, and would be of the first seed alone: give -count=1", name, seeds)
		}
	}
	if seeds > 1 && testing.CoverMode() != "" {
		return fmt.Errorf("-cover is given with -count=%d, and would be of the first seed alone: give -count=1", seeds)
	}
	if cpu := strings.TrimSpace(testFlag("cpu")); cpu != "" {
		procs, err := strconv.Atoi(cpu)
		if err != nil || procs < 1 {
			return fmt.Errorf("-cpu is %q, want one number of at least 1: it is GOMAXPROCS; libtorch's threads are OMP_NUM_THREADS", cpu)
		}
		runtime.GOMAXPROCS(procs)
	}
	set := map[string]string{"count": strconv.Itoa(min(seeds, 1)), "cpu": ""}
	if testFlag("run") == "" {
		set["run"] = "^$"
	}
	for name, value := range set {
		if err := flag.Set("test."+name, value); err != nil {
			return err
		}
	}
	return nil
}

// runBlocks calls run, which is m.Run, once for each seed, and returns the worst exit status.
func runBlocks(run func() int) (code int) {
	last := 0
	if part.N > 0 && len(dealt) == 0 { // no benchmark runs: what an older study left in the part's folder is not its own
		err := openStudy()
		if err == nil && study != nil {
			err = file.Write(filepath.Join(work.Out, shard.NoRuns), []byte("More parts than runs: this one has none.\n"))
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "lorabench: %v\n", err)
			return 1
		}
	}
	for block = 0; block < seeds && ctx.Err() == nil && opening == nil; block++ {
		if !ours(work.Arms()...) {
			continue
		}
		last = run()
		code = max(code, last)
		_ = flag.Set("test.shuffle", "off") // shuffled once
	}
	if block < seeds {
		code = max(code, 1)
	}
	if code != 0 && last == 0 {
		fmt.Println("FAIL") // after the testing package's last PASS
	}
	switch {
	case study == nil:
	case code != 0:
		fmt.Fprintf(os.Stderr, "The study in %s is unfinished: the same command goes on with it.\n", work.Out)
	default:
		if err := study.Finish(); err != nil {
			fmt.Fprintf(os.Stderr, "lorabench: %v\n", err)
			return 1
		}
	}
	return code
}

// rotate returns arms from number by on, and those before it after them.
func rotate(arms []Arm, by int) []Arm {
	if len(arms) == 0 {
		return nil
	}
	by %= len(arms)
	return slices.Concat(arms[by:], arms[:by])
}

// openStudy makes -out the folder of this study.
func openStudy() (err error) {
	if work.Out == "" || work.StandIn() {
		return nil
	}
	study, err = work.Study(map[string]string{"bench": testFlag("bench"), "skip": testFlag("skip"), "benchtime": testFlag("benchtime"),
		"count": strconv.Itoa(seeds), "relay": *batonAt, "slow": *slowArm, "shard": part.String()})
	if err != nil {
		return err
	}
	if !filtered() {
		for _, arm := range work.Arms() {
			study.Arms = append(study.Arms, arm.Name)
		}
	}
	var note string
	if kept, note, err = study.Open(work.Out); err != nil {
		study = nil
		return err
	}
	if note != "" {
		fmt.Fprintln(os.Stderr, note)
	}
	return nil
}
