package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBaseThatCannotBeMeasured is that a report says so too: a CI that only reads the JSON must not
// find an old one, or none, and be content.
func TestBaseThatCannotBeMeasured(t *testing.T) {
	t.Chdir(t.TempDir()) // no checkout at all
	var stdout, stderr bytes.Buffer
	require.Equal(t, 2, run([]string{"-base=HEAD", "-json=gate.json"}, &stdout, &stderr), "%s%s", &stdout, &stderr)
	require.Contains(t, stdout.String(), "Nothing was judged")
	report, err := os.ReadFile("gate.json")
	require.NoError(t, err)
	require.Contains(t, string(report), `"status": "unusable"`)
	require.Equal(t, 2, run([]string{"-base=", "a", "b"}, &stdout, &stderr), "a variable that is not set is no wish to compare files")
}

// fakeGo stands for the go command: it has nothing to set up, and what it compiles is the revision's own program.sh.
const fakeGo = `#!/bin/sh
[ "$1" = run ] && exit
cp bench/program.sh "$4" && chmod +x "$4"
`

// program stands for the benchmark. TIME, PART and DIGIT are what the revisions differ in.
const program = `#!/bin/sh
for a; do case "$a" in -relay=3,4) dd bs=1 count=1 <&3 >/dev/null 2>&1 ;; -seed=*) seed=${a#-seed=} ;; -out=*) out=${a#-out=} ;; *-test.bench=*Part*) part=1 ;; esac; done
if [ "$part" ]; then printf 'BenchmarkPart/rank=8/part=attention 3 PARTe6 ns/op\nBenchmarkPart/rank=8/part=head 3 5e6 ns/op\n'; exit; fi
printf 'device: cpu\ncpu: fake\nthreads: 1\ntorch: 2.11.0\ndtype: float32\nseed: %s\n\nBenchmarkRank/rank=8 60 TIME.%s ns/op 1.00%sDIGIT loss\n' $seed $seed $seed >"$out/bench.txt"
`

// TestBaseAndWorkingTree is the whole way: two revisions measured in turns, judged, and the part that slowed
// named.
func TestBaseAndWorkingTree(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the programs that stand for the benchmark are shell scripts")
	}
	dir := t.TempDir()
	for _, name := range []string{"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"} {
		t.Setenv(name, os.DevNull)
	}
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	t.Setenv("PATH", filepath.Join(dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	write := func(path, text string) {
		path = filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o755))
	}
	git := func(args ...string) {
		out, err := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@b", "-C", filepath.Join(dir, "repo")}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	revision := func(time, part, digit string) {
		write("repo/bench/program.sh", strings.NewReplacer("TIME", time, "PART", part, "DIGIT", digit).Replace(program))
	}
	write("bin/go", fakeGo)
	write("repo/go.mod", "module example\n")
	write("repo/.gitignore", "/out/\n")
	revision("50", "10", "")
	git("init", "-q", "-b", "main")
	git("add", "-A")
	git("commit", "-q", "-m", "one")
	t.Chdir(filepath.Join(dir, "repo"))

	var stdout, stderr bytes.Buffer
	args := []string{"-base=HEAD", "-seeds=4", "-steps=60"}
	require.Equal(t, 0, run(args, &stdout, &stderr), "nothing was changed\n%s%s", &stdout, &stderr)
	revision("60", "20", "")
	stdout.Reset()
	require.Equal(t, 1, run(args, &stdout, &stderr), "%s%s", &stdout, &stderr)
	require.Contains(t, stdout.String(), "part=attention takes 20 ms instead of 10 ms")
	require.Regexp(t, `metric +base +head `, stdout.String(), "the columns say which side is which")
	revision("50", "10", "1")
	stdout.Reset()
	require.Equal(t, 1, run(args, &stdout, &stderr), "%s%s", &stdout, &stderr)
	require.Contains(t, stdout.String(), "Numerics changed: loss of Rank/rank=8 0.001 % higher")
	git("commit", "-qam", "another order of summation\n\nGate-Accept: losses")
	args[0] = "-base=HEAD~1"
	stdout.Reset()
	require.Equal(t, 0, run(args, &stdout, &stderr), "accepted\n%s%s", &stdout, &stderr)
	require.Contains(t, stdout.String(), "Losses of the same seed have other digits, which commit ")
	write("repo/bench/program.sh", "#!/bin/sh\nexit 7\n")
	stdout.Reset()
	require.Equal(t, 2, run(args, &stdout, &stderr), "a benchmark that fails was not judged")
	require.Contains(t, stdout.String(), "head")
}
