package bench

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/internal/root"
	"lorabench/internal/shard"
)

func TestRotate(t *testing.T) {
	for _, c := range []struct {
		why      string
		arms, by int
		want     []string
	}{
		{"the first block is as the flags have it", 3, 0, []string{"0", "1", "2"}},
		{"the next begins one later", 3, 1, []string{"1", "2", "0"}},
		{"each arm comes last once", 3, 2, []string{"2", "0", "1"}},
		{"more seeds than arms", 3, 7, []string{"1", "2", "0"}},
		{"one arm", 1, 5, []string{"0"}},
		{"a filter that matches none", 0, 1, nil},
	} {
		var arms []Arm
		for i := range c.arms {
			arms = append(arms, Arm{Name: string(rune('0' + i))})
		}
		require.Equal(t, c.want, each(rotate(arms, c.by), func(a Arm) string { return a.Name }), c.why)
	}
}

// commitKnown gives children a root whose commit is known, whatever the tree is.
func commitKnown(t *testing.T) {
	top, err := root.Dir()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(filepath.Join(top, "testdata"), filepath.Join(dir, "testdata")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, root.ManifestName), []byte(`{"commit": "abc"}`), 0o666))
	t.Setenv(root.Variable, dir)
	t.Setenv("OMP_NUM_THREADS", "1")
}

// child is this package's benchmark on the small model as a process of its own.
func child(t *testing.T, args ...string) *exec.Cmd {
	self, err := os.Executable()
	require.NoError(t, err)
	return exec.Command(self, append([]string{"-test.bench=Rank", "-test.benchtime=1x", "-device=cpu", "-model=" + smallModel,
		"-data=" + smallData, "-limit=20", "-eval=1", "-batch=1", "-accum=1", "-max-length=16"}, args...)...)
}

// ended runs a child to its end and returns what it printed and its exit status.
func ended(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	cmd := child(t, args...)
	b, err := cmd.CombinedOutput()
	if err != nil {
		require.NotNil(t, cmd.ProcessState, err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

var resultLine = regexp.MustCompile(`(?m)^BenchmarkRank/rank=(\w+)\S*\s.* ns/op`)

// order is the ranks of results in the order in which they stand.
func order(text string) (ranks []string) {
	for _, m := range resultLine.FindAllStringSubmatch(text, -1) {
		ranks = append(ranks, m[1])
	}
	return ranks
}

func contents(t *testing.T, elem ...string) string {
	b, err := os.ReadFile(filepath.Join(elem...))
	require.NoError(t, err)
	return string(b)
}

func TestABlockIsOneSeedAndRanksTakeTurns(t *testing.T) {
	commitKnown(t)
	for _, c := range []struct {
		why  string
		args []string
		name string
		want []string
		arms int
	}{
		{"all ranks", []string{"-test.count=3"}, "", []string{"2", "4", "8", "4", "8", "2", "8", "2", "4"}, 3},
		{"those of a filter rotate among themselves", []string{"-test.count=2", "-test.bench=Rank/rank=[28]", "-test.v", "-test.shuffle=1"},
			"", []string{"2", "8", "8", "2"}, 2},
		{"time instead of steps", []string{"-test.count=2", "-test.benchtime=1ms", "-test.skip=/rank=8", "-test.cpu=3"},
			"BenchmarkRank/rank=2-3 ", []string{"2", "4", "4", "2"}, 2},
	} {
		t.Run(c.why, func(t *testing.T) {
			dir := t.TempDir()
			out, code := ended(t, append([]string{"-ranks=2,4,8", "-out=" + dir}, c.args...)...)
			require.Zero(t, code, out)
			require.Equal(t, c.want, order(out), out)
			exact := contents(t, dir, "bench.txt")
			require.Equal(t, c.want, order(exact))
			require.Contains(t, exact, c.name)
			require.NotContains(t, out, "--- PASS", "a test ran")
			require.LessOrEqual(t, strings.Count(out, "-test.shuffle "), 1)
			require.NoFileExists(t, filepath.Join(dir, unfinished))
			rs, err := record.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, rs, len(c.want))
			for _, r := range rs {
				require.True(t, r.InBlock())
				require.EqualValues(t, r.Seed-42, r.Block)
				require.Equal(t, c.want[r.Block*c.arms+r.Position], r.Rank)
			}
		})
	}
}

// TestARateThatDivergesEndsWithoutAResult, and is no failure, among several; alone it is one.
func TestARateThatDivergesEndsWithoutAResult(t *testing.T) {
	commitKnown(t)
	dir := t.TempDir()
	out, code := ended(t, "-ranks=2", "-lr=1e-3,1e30", "-test.benchtime=3x", "-out="+dir)
	require.Zero(t, code, out)
	require.Equal(t, []string{"2"}, order(out), out)
	require.Equal(t, []string{"2"}, order(contents(t, dir, "bench.txt")))
	require.Regexp(t, `(?m)^Diverged: rank=2/lr=1e30, seed 42, at step \d: no result$`, out)
	require.NoFileExists(t, filepath.Join(dir, unfinished))
	rs, err := record.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, rs, 2)
	_, left, err := record.Finite(rs)
	require.NoError(t, err)
	require.Contains(t, left, "rank=2/lr=1e30 (seed 42 at step ")

	out, code = ended(t, "-ranks=2", "-lr=1e30", "-test.benchtime=3x")
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "the training diverged; lower -lr or -alpha")
}

func TestFlagsOfGoTest(t *testing.T) {
	commitKnown(t)
	for _, c := range []struct {
		why  string
		args []string
		code int
		text string
	}{
		{"a profile of one seed would pass for all", []string{"-test.count=2", "-test.cpuprofile=cpu.prof"}, 1,
			"-cpuprofile is given with -count=2"},
		{"so would a trace", []string{"-test.count=2", "-test.trace=trace.out"}, 1, "-trace is given with -count=2"},
		{"and what was covered", []string{"-test.count=2", "-test.coverprofile=c.out"}, 1, "-coverprofile is given with -count=2"},
		{"b.Loop ignores the first of a list", []string{"-test.cpu=1,2"}, 1, `-cpu is "1,2", want one number of at least 1`},
		{"no processor", []string{"-test.cpu=0"}, 1, `-cpu is "0", want one number of at least 1`},
		{"a space in a list", []string{"-ranks=2,", "4", "-seed=7"}, 1, `unexpected argument "4": flags end there`},
		{"cells are dealt before they are filtered", []string{"-ranks=2,4", "-test.bench=Rank/rank=2", "-shard=1/2"}, 1, "-shard=1/2: there are more parts than seeds (1)"},
		{"no such arm to slow down", []string{"-ranks=2,4", "-slow=rank=7"}, 1, `-slow is "rank=7" and -device cpu: want an arm of this study`},
		{"no seed", []string{"-test.count=0"}, 0, "commit: abc\n"},
		{"a list trains nothing", []string{"-test.list=^Benchmark"}, 0, "BenchmarkRank\n"},
		{"-run asks for tests", []string{"-test.bench=none", "-test.run=^TestRotate$", "-test.v", "-test.count=2"}, 0,
			"--- PASS: TestRotate"},
	} {
		t.Run(c.why, func(t *testing.T) {
			out, code := ended(t, c.args...)
			require.Equal(t, c.code, code, out)
			require.Contains(t, out, c.text)
			require.Empty(t, order(out))
		})
	}
	t.Run("a profile of one seed is written", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "cpu.prof")
		out, code := ended(t, "-ranks=2", "-test.cpuprofile="+path)
		require.Zero(t, code, out)
		require.NotEmpty(t, contents(t, path))
	})
}

// TestAFolderThatIsTakenTrainsNothing: without a folder for its records a part's cells would be lost.
func TestAFolderThatIsTakenTrainsNothing(t *testing.T) {
	commitKnown(t)
	dir := t.TempDir()
	s := madeStudy("abc")
	_, _, err := s.Open(filepath.Join(dir, "shard-1-of-2"))
	require.NoError(t, err)
	defer s.release()
	out, code := ended(t, "-ranks=2,4", "-test.count=4", "-shard=1/2", "-out="+dir)
	require.Equal(t, 1, code, out)
	require.Equal(t, 1, strings.Count(out, "is writing to it"), out)
	require.Empty(t, order(out))
}

// TestAnUnfinishedStudyGoesOn interrupts a study of two ranks and three seeds, damages what it left so that one run fails, and
// then lets it end.
func TestAnUnfinishedStudyGoesOn(t *testing.T) {
	commitKnown(t)
	dir := t.TempDir()
	args := []string{"-ranks=2,4", "-test.count=3", "-test.benchtime=100x", "-save-steps=0", "-out=" + dir}

	out, code := interrupted(t, child(t, args...))
	require.Equal(t, 1, code, out)
	require.Regexp(t, "rank=4, seed 42: .*interrupted", out)
	require.Contains(t, out, "is unfinished: the same command goes on with it.")
	require.FileExists(t, filepath.Join(dir, "rank=2,seed=42.json"), "what was whole stays")
	_, notes, err := shard.Merge([]string{dir})
	require.NoError(t, err)
	require.Contains(t, strings.Join(notes, "\n"), "5 of 6 cells are missing: ", "of an arm without any record too")
	first := contents(t, dir, "rank=2,seed=42.json")

	for _, name := range []string{"rank=4,seed=42", "rank=2,seed=43", "rank=4,seed=43"} {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, name+".json")))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rank=4,seed=42.json"), []byte(first[:len(first)/2]), 0o666))
	blocked := filepath.Join(dir, "rank=4,seed=43.json")
	require.NoError(t, os.MkdirAll(filepath.Join(blocked, "in the way"), 0o777))
	out, code = ended(t, args...)
	require.Equal(t, 1, code, "a later seed that passed hides nothing\n"+out)
	require.Contains(t, out, "goes on: runs that are whole are kept: 1.")
	require.Contains(t, out, "--- FAIL: BenchmarkRank/rank=4")
	require.Regexp(t, `\nPASS\nFAIL\nThe study in .* is unfinished`, out)
	require.Equal(t, []string{"4", "2", "2", "4"}, order(out), "half a record is of no run")
	require.Equal(t, []string{"2", "4", "2", "2", "4"}, order(contents(t, dir, "bench.txt")))

	require.NoError(t, os.RemoveAll(blocked))
	out, code = ended(t, args...)
	require.Zero(t, code, out)
	require.Contains(t, out, "goes on: runs that are whole are kept: 5.")
	require.Equal(t, []string{"4"}, order(out))
	require.Equal(t, []string{"2", "4", "4", "2", "2", "4"}, order(contents(t, dir, "bench.txt")), "as if nothing had happened")
	require.Equal(t, first, contents(t, dir, "rank=2,seed=42.json"))
	require.NoFileExists(t, filepath.Join(dir, unfinished))
	require.NoDirExists(t, filepath.Join(dir, "old-1"))
}

// interrupted ends a child as Ctrl-C does, once it has printed a result.
func interrupted(t *testing.T, cmd *exec.Cmd) (out string, code int) {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())
	var b strings.Builder
	for lines := bufio.NewReader(stdout); err == nil; {
		var line string
		line, err = lines.ReadString('\n')
		b.WriteString(line)
		if len(order(line)) > 0 {
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
		}
	}
	require.ErrorIs(t, err, io.EOF)
	_ = cmd.Wait()
	return b.String(), cmd.ProcessState.ExitCode()
}
