package turns

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"lorabench/bench/record"
	"lorabench/bench/results"
	"lorabench/internal/file"
	"lorabench/internal/process"
	"lorabench/internal/relay"
)

const (
	benchFolder = "bench"     // of the module, the package of the benchmarks
	setupLog    = "setup.log" // the first file of a side's results
	warmSteps   = 3
	partsRounds = 3
)

// side is one of the two measured revisions.
type side struct {
	name   string // base or head
	commit string
	root   string // of its module
	out    string // folder of results
	flags  []string
}

func (s *side) path(name string) string { return filepath.Join(s.out, name) }

// clear empties the result folder. It refuses one that has content but no gate's log, which is somebody else's.
func (s *side) clear() error {
	if !file.Exists(s.path(setupLog)) {
		if left, _ := os.ReadDir(s.out); len(left) > 0 {
			return fmt.Errorf("%s holds %s, which is no gate's: move it, or give another -out", s.out, left[0].Name())
		}
	}
	if err := os.RemoveAll(s.out); err != nil {
		return err
	}
	return os.MkdirAll(s.out, 0o777)
}

// command returns a side's command; errors name its log.
func (s *side) command(what, log, dir string, argv ...string) process.Command {
	return process.Command{What: fmt.Sprintf("%s (%s), %s, with the log %s", s.name, s.commit, what, s.path(log)),
		Argv: argv, Dir: dir, Log: s.path(log), Grace: 10 * time.Second}
}

// compile sets a side up and builds its benchmark. The base uses the head's libtorch, unless LIBTORCH is set or the base's set-up refuses
// it: each side would find its own, and two different ones cannot be compared.
func (m *Measurement) compile(ctx context.Context, s *side) error {
	m.say("setting up and compiling %s (the first time takes minutes)", s.name)
	set := s.command("setting it up", setupLog, s.root, "go", "run", "./internal/setup")
	set.Env = []string{"GOWORK=off"}
	same := set
	lib, err := os.Readlink(filepath.Join(m.sides[1].root, "internal", "torch", "link", "libtorch"))
	if err == nil && s == m.sides[0] && os.Getenv("LIBTORCH") == "" {
		same.Env = append(same.Env, "LIBTORCH="+lib)
	}
	if _, err = same.Run(ctx); err != nil && len(same.Env) > 1 && ctx.Err() == nil {
		m.say("the base's set-up refuses the head's libtorch, %s; it takes its own", lib)
		_, err = set.Run(ctx)
	}
	if err != nil {
		return err
	}
	argv := append(append([]string{"go", "test", "-c", "-o", s.path("bench.test")}, m.build...), "./"+benchFolder)
	build := s.command("compiling its benchmark", "build.log", s.root, argv...)
	build.Env = []string{"GOWORK="} // the set-up has written one
	if _, err := build.Run(ctx); err != nil {
		return err
	}
	if !file.Exists(s.path("bench.test")) {
		return fmt.Errorf("%s (%s): ./%s has no test files, so no benchmark", s.name, s.commit, benchFolder)
	}
	return nil
}

// benchmark returns the command that runs a side's benchmarks once, with its log in NAME.log. The caller's flags come last, so that they
// win. The recipe is named, because the small model's own trains each rank at several rates.
func (s *side) benchmark(what, name, benchmark string, steps int, flags ...string) process.Command {
	argv := []string{s.path("bench.test"), "-test.run=^$", "-test.bench=^Benchmark" + benchmark + "$", "-test.count=1",
		"-test.timeout=0", "-test.benchtime=" + strconv.Itoa(steps) + "x", "-recipe=reported"}
	return s.command(what, name+".log", filepath.Join(s.root, benchFolder), append(append(argv, flags...), s.flags...)...)
}

// turn trains every rank of a side once with a seed into a folder called name: in a relay with the other side, or alone without a baton.
func (s *side) turn(ctx context.Context, name string, seed, steps int, baton []*os.File) error {
	out := s.path(name)
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	flags := []string{"-seed=" + strconv.Itoa(seed), "-out=" + out}
	if baton != nil {
		flags = append(flags, "-relay=3,4")
	}
	c := s.benchmark("seed "+strconv.Itoa(seed), name, results.Rank, steps, flags...)
	c.Pass = baton
	if _, err := c.Run(ctx); err != nil {
		return err
	}
	rs, _ := record.Readable(out)
	if i := slices.IndexFunc(rs, func(r *record.Record) bool { return r.Diverged > 0 }); i >= 0 {
		return fmt.Errorf("%s: %s diverged at step %d: an arm cannot be judged by the seeds that did not; give a lower -lr", c.What, rs[i].Name, rs[i].Diverged)
	}
	if len(results.Read(filepath.Join(out, "bench.txt")).Benchmarks) == 0 {
		return fmt.Errorf("%s: it ended well and left no result in %s", c.What, filepath.Join(out, "bench.txt"))
	}
	return nil
}

// pair runs both sides at once, first the one whose turn it is, passing a baton: a machine whose speed drifts by a tenth within a minute,
// as rented ones do, is then equally fast for both, unlike for two processes one after the other. The first error ends the other side.
func (m *Measurement) pair(ctx context.Context, k int) error {
	batons, err := relay.Ring(2)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var both sync.WaitGroup
	for i, s := range m.order(k) {
		both.Go(func() {
			if err := s.turn(ctx, fmt.Sprintf("turn-%03d", k), firstSeed+k, m.Steps, batons[i][:]); err != nil {
				cancel(err)
			}
		})
	}
	both.Wait()
	return context.Cause(ctx)
}

// Parts runs the part benchmarks of both sides, after Run, in turns of three rounds, and leaves each round's output beside the results, so
// that package judge can name the part that slowed. An error costs only that explanation: a side may have no BenchmarkPart.
func (m *Measurement) Parts(ctx context.Context) error {
	for k := range partsRounds {
		m.say("parts, round %d of %d", k+1, partsRounds)
		for _, s := range m.order(k) {
			name := "parts-" + strconv.Itoa(k)
			c := s.benchmark("the parts of a step", name, "Part", 3)
			c.Out = s.path(name + ".txt")
			if _, err := c.Run(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// collect gathers a side's turns: bench.txt, and the records beside it.
func (s *side) collect() error {
	dir := os.DirFS(s.out)
	texts, _ := fs.Glob(dir, "turn-[0-9]*/bench.txt") // these patterns are valid
	records, _ := fs.Glob(dir, "turn-[0-9]*/*seed=*.json")
	var all []byte
	for _, name := range texts {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return err
		}
		all = append(append(all, text...), '\n')
	}
	for _, name := range records {
		if err := os.Rename(s.path(name), s.path(filepath.Base(name))); err != nil {
			return err
		}
	}
	return file.Write(s.path("bench.txt"), all)
}
