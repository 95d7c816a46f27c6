package turns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"lorabench/bench/results"
	"lorabench/internal/file"
	"lorabench/internal/process"
	"lorabench/internal/relay"
)

const (
	benchFolder = "bench" // of the module, the package of the benchmarks
	warmSteps   = 3
	partsRounds = 3
)

// side is one of the two things measured.
type side struct {
	name   string // base or head
	commit string
	root   string // of its module
	out    string // folder of results
	flags  []string
}

// dir is the folder that a turn runs in: the package's, as go test has it.
func (s *side) dir() string { return filepath.Join(s.root, benchFolder) }

func (s *side) path(name string) string { return filepath.Join(s.out, name) }

func (s *side) turnDir(k int) string { return s.path("turn-" + strconv.Itoa(k)) }

// clear removes what an earlier gate left in the folder of results, and nothing else.
func (s *side) clear() error {
	if err := os.MkdirAll(s.out, 0o777); err != nil {
		return err
	}
	for _, pattern := range []string{"bench.*", "parts*", "turn-*", "warm*", "*.log", "*seed=*.json"} {
		names, err := fs.Glob(os.DirFS(s.out), pattern)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := os.RemoveAll(s.path(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// command is a program of a side; its log is named in errors.
func (s *side) command(what, log, dir string, argv ...string) process.Command {
	return process.Command{What: fmt.Sprintf("%s (%s), %s, with the log %s", s.name, s.commit, what, s.path(log)),
		Argv: argv, Dir: dir, Log: s.path(log), Grace: 10 * time.Second}
}

// compile sets a side up and builds its benchmark. The base gets the head's libtorch, where nothing else is asked for and its
// set-up takes it: each looks for one by itself, and two different ones cannot be compared.
func (m *Measurement) compile(ctx context.Context, s *side) error {
	m.say("setting up and compiling %s (the first time takes minutes)", s.name)
	set := s.command("setting it up", "setup.log", s.root, "go", "run", "./internal/setup")
	set.Env = []string{"GOWORK=off"}
	lib, err := os.Readlink(filepath.Join(m.sides[1].root, "internal", "torch", "link", "libtorch"))
	same := set
	same.Env = append(same.Env, "LIBTORCH="+lib)
	if s == m.sides[1] || err != nil || os.Getenv("LIBTORCH") != "" {
		same = set
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
	if !exists(s.path("bench.test")) {
		return fmt.Errorf("%s (%s): ./%s has no test files, so no benchmark", s.name, s.commit, benchFolder)
	}
	return nil
}

// benchmark is a process that runs a side's benchmarks once. The caller's flags come last, where they win. The recipe is named,
// because the small model's own trains each rank at several rates.
func (s *side) benchmark(what, log, name string, steps int, flags ...string) process.Command {
	argv := []string{s.path("bench.test"), "-test.run=^$", "-test.bench=^Benchmark" + name + "$", "-test.count=1", "-test.timeout=0",
		"-test.benchtime=" + strconv.Itoa(steps) + "x", "-recipe=reported"}
	return s.command(what, log, s.dir(), append(append(argv, flags...), s.flags...)...)
}

// warmUp brings weights and data into the system's caches, and shows at once what cannot run at all.
func (m *Measurement) warmUp(ctx context.Context, s *side) error {
	m.say("warming up %s", s.name)
	out := s.path("warm")
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	if _, err := s.benchmark("warming up", "warm.log", results.Rank, min(m.Steps, warmSteps), seedFlag(0),
		"-out="+out).Run(ctx); err != nil {
		return err
	}
	return os.RemoveAll(out)
}

func seedFlag(k int) string { return "-seed=" + strconv.Itoa(firstSeed+k) }

var errOther = errors.New("the other side failed")

// pair runs both sides at once, first the one whose turn it is, with a baton that passes between them: a machine whose speed
// drifts by a tenth within a minute, as rented ones do, then is equally fast for both, which it is not for two processes one
// after the other.
func (m *Measurement) pair(ctx context.Context, k int) error {
	batons, err := relay.Ring(2)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var both sync.WaitGroup
	var failed [2]error
	first, second := m.order(k)
	for i, s := range []*side{first, second} {
		both.Go(func() {
			if failed[i] = m.turn(ctx, s, k, batons[i][:]); failed[i] != nil {
				cancel(errOther)
			}
		})
	}
	both.Wait()
	if errors.Is(failed[0], errOther) { // it was only ended: the other one says why
		return failed[1]
	}
	return cmp.Or(failed[0], failed[1])
}

// turn runs a side's benchmarks once with pair k's seed, in a relay with the other side.
func (m *Measurement) turn(ctx context.Context, s *side, k int, baton []*os.File) error {
	out := s.turnDir(k)
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	c := s.benchmark("seed "+strconv.Itoa(firstSeed+k), filepath.Base(out)+".log", results.Rank, m.Steps, "-relay=3,4", seedFlag(k),
		"-out="+out)
	c.Pass = baton
	if _, err := c.Run(ctx); err != nil {
		return err
	}
	if len(results.Read(filepath.Join(out, "bench.txt")).Benchmarks) == 0 {
		return fmt.Errorf("%s: it ended well and left no result in %s", c.What, filepath.Join(out, "bench.txt"))
	}
	return nil
}

// Parts runs the part benchmarks of both sides in turns, which Run has measured, and writes parts.txt into each side's folder,
// so that the judge can name the part that slowed. An error leaves the verdict as it is, without that explanation: it may be
// that a side has no BenchmarkPart.
func (m *Measurement) Parts(ctx context.Context) error {
	var texts [2]strings.Builder
	for k := range partsRounds {
		m.say("parts, round %d of %d", k+1, partsRounds)
		for i := range m.sides {
			i = (i + k) % 2
			s := m.sides[i]
			name := "parts-" + strconv.Itoa(k)
			c := s.benchmark("the parts of a step", name+".log", "Part", 3)
			c.Out = s.path(name + ".txt")
			if _, err := c.Run(ctx); err != nil {
				return err
			}
			text, err := os.ReadFile(c.Out)
			if err != nil {
				return err
			}
			texts[i].Write(append(text, '\n'))
		}
	}
	for i, s := range m.sides {
		if err := file.Write(s.path("parts.txt"), []byte(texts[i].String())); err != nil {
			return err
		}
	}
	return nil
}

// collect puts a side's turns together: bench.txt, and the records beside it.
func (s *side) collect(seeds int) error {
	var all []byte
	for k := range seeds {
		dir := os.DirFS(s.turnDir(k))
		text, err := fs.ReadFile(dir, "bench.txt")
		if err != nil {
			return err
		}
		all = append(append(all, text...), '\n')
		records, err := fs.Glob(dir, "*seed=*.json")
		if err != nil {
			return err
		}
		for _, name := range records {
			if err := os.Rename(filepath.Join(s.turnDir(k), name), s.path(name)); err != nil {
				return err
			}
		}
	}
	return file.Write(s.path("bench.txt"), all)
}
