package turns

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// compile sets a side up and builds its benchmark.
func (m *measurement) compile(ctx context.Context, s *side) error {
	log := filepath.Join(s.out, "build.log")
	m.say("setting up and compiling %s (the first time takes minutes)", s.name)
	if err := m.setUp(ctx, s, log); err != nil {
		return fmt.Errorf("%s (%s): setting it up: %w", s.name, s.commit, err)
	}
	env := environment("GOWORK=") // the set-up has written one
	argv := append([]string{m.Go, "test", "-c", "-o", s.binary}, m.build...)
	if err := (command{argv: append(argv, "./"+benchFolder), dir: s.root, env: env, log: log}).run(ctx); err != nil {
		return fmt.Errorf("%s (%s): compiling its benchmark: %w", s.name, s.commit, err)
	}
	if !exists(s.binary) {
		return fmt.Errorf("%s (%s): ./%s has no test files, so no benchmark", s.name, s.commit, benchFolder)
	}
	return nil
}

// setUp runs a side's set-up. The base gets the head's libtorch, where nothing else is asked for and its
// set-up takes it: each looks for one by itself, and two different ones cannot be compared.
func (m *measurement) setUp(ctx context.Context, s *side, log string) error {
	set := command{argv: []string{m.Go, "run", "./internal/setup"}, dir: s.root, env: environment("GOWORK=off"), log: log}
	lib, err := os.Readlink(filepath.Join(m.sides[1].root, "internal", "torch", "link", "libtorch"))
	if s == m.sides[0] && err == nil && os.Getenv("LIBTORCH") == "" {
		same := set
		same.env = environment("GOWORK=off", "LIBTORCH="+lib)
		if err := same.run(ctx); err == nil || ctx.Err() != nil {
			return err
		}
		m.say("the base's set-up refuses the head's libtorch, %s; it takes its own", lib)
	}
	return set.run(ctx)
}

// args are the arguments of a benchmark's process. The caller's come last, where they win. The recipe is named, because the small
// model's own trains each rank at several rates.
func (m *measurement) args(s *side, bench, benchtime string, more ...string) []string {
	args := []string{s.binary, "-test.run=^$", "-test.bench=" + bench, "-test.count=1", "-test.timeout=0", "-test.benchtime=" + benchtime,
		"-recipe=reported"}
	if m.Ranks != "" {
		args = append(args, "-ranks="+m.Ranks)
	}
	return append(append(args, more...), s.bench...)
}

// process runs a side's benchmark in its package's folder; its figures are in out.
func (m *measurement) process(ctx context.Context, s *side, args []string, out string, baton ...*os.File) error {
	return command{argv: args, dir: s.dir(), env: environment(), log: out + ".log", extra: baton}.run(ctx)
}

// warmUp brings weights and data into the system's caches, and shows at once what cannot run at all.
func (m *measurement) warmUp(ctx context.Context, s *side) error {
	out := filepath.Join(s.out, "warm")
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	args := m.args(s, harness, steps(min(m.Steps, warmSteps)), "-seed="+strconv.Itoa(firstSeed), "-out="+out)
	if err := m.process(ctx, s, args, out); err != nil {
		return fmt.Errorf("%s (%s), warming up: %w", s.name, s.commit, err)
	}
	return os.RemoveAll(out)
}

// turnDir is the folder of a turn's results.
func (s *side) turnDir(k int) string { return filepath.Join(s.out, "turn-"+strconv.Itoa(k)) }

// turn runs the benchmarks once with pair k's seed, with the other side in a relay where there is a baton.
func (m *measurement) turn(ctx context.Context, s *side, k int, baton ...*os.File) error {
	out := s.turnDir(k)
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	args := m.args(s, harness, steps(m.Steps), append(relayFlag(baton), "-seed="+strconv.Itoa(firstSeed+k), "-out="+out)...)
	if err := m.process(ctx, s, args, out, baton...); err != nil {
		return fmt.Errorf("%s (%s), %s: %w", s.name, s.commit, pairName(k), err)
	}
	n, err := countResults(filepath.Join(out, "bench.txt"))
	if err == nil && n == 0 {
		err = fmt.Errorf("%s has no result", filepath.Join(out, "bench.txt"))
	}
	if err != nil {
		return fmt.Errorf("%s (%s), %s: the benchmark ended well and left no result: %w; its log is %s.log%s", s.name, s.commit, pairName(k), err, out, tail(out+".log"))
	}
	return nil
}

// pairName names pair k by its seed.
func pairName(k int) string { return "seed " + strconv.Itoa(firstSeed+k) }

// steps is a number of steps as -benchtime has it.
func steps(n int) string { return strconv.Itoa(n) + "x" }

// parts runs the part benchmarks of both sides in turns.
func (m *measurement) parts(ctx context.Context) error {
	var texts [2][]string
	plan := order(partsRounds)
	for i, t := range plan {
		s := m.sides[t.side]
		m.say("parts, turn %d of %d: %s", i+1, len(plan), s.name)
		path := filepath.Join(s.out, "parts-"+strconv.Itoa(t.k))
		c := command{argv: m.args(s, partsBench, "3x"), dir: s.dir(), env: environment(), log: path + ".log", stdout: path + ".txt"}
		if err := c.run(ctx); err != nil {
			return fmt.Errorf("%s (%s), the parts of a step: %w", s.name, s.commit, err)
		}
		n, err := countResults(path + ".txt")
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%s (%s) has no BenchmarkPart, so no part can be named", s.name, s.commit)
		}
		texts[t.side] = append(texts[t.side], path+".txt")
	}
	for i, s := range m.sides {
		var blocks []block
		for _, path := range texts[i] {
			blocks = append(blocks, block{path: path})
		}
		if err := join(filepath.Join(s.out, "parts.txt"), blocks); err != nil {
			return err
		}
	}
	return nil
}
