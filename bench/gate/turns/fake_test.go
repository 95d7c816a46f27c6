package turns

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeGo stands for the go command: its set-up leaves an ignored file, and what it compiles is the
// repository's own bench/program.sh, so that revisions differ.
const fakeGo = `#!/bin/sh
echo "go $* in $PWD GOWORK=${GOWORK-unset}" >>"$TURNS_CALLS"
case "$1" in
run) echo "$PWD $LIBTORCH" >>"$TURNS_CALLS.libtorch"
  [ -n "$LIBTORCH" ] && [ -e "$TURNS_CALLS.refuse" ] && exit 1
  [ -e broken-setup ] && { echo no compiler here; exit 1; }; echo made >>go.work ;;
test) [ -e no-tests ] && exit 0; cp bench/program.sh "$4" && chmod +x "$4" ;;
esac
`

// program stands for the benchmark: it tells how it was called and leaves results as the harness does.
const program = `#!/bin/sh
name=VERSION; out=; seed=none; bench=; relay=
for a; do case "$a" in
-relay=3,4) relay=yes ;;
-seed=*) seed=${a#-seed=} ;; -out=*) out=${a#-out=} ;; -test.bench=*) bench=${a#-test.bench=} ;;
esac; done
[ $relay ] && echo "began $name $seed $*" >>"$TURNS_CALLS.began" || echo "$name $seed $*" >>"$TURNS_CALLS"
[ -z "$GIT_DIR" ] || exit 9
[ "$(cat marker)" = here ] || { echo "not in the package's folder: $PWD"; exit 8; }
echo $$ >"$TURNS_CALLS.pid"
[ -e "$TURNS_CALLS.stop-$name-$seed" ] && { echo "cannot allocate memory"; exit 3; }
if [ $relay ]; then
  trap '' PIPE
  for leg in 1 2 3; do
    dd bs=1 count=1 <&3 >"$out/baton" 2>/dev/null
    echo "$name $seed leg" >>"$TURNS_CALLS"
    [ $leg = 3 ] || printf . >&4 2>/dev/null
  done
fi
[ -e "$TURNS_CALLS.sleep" ] && { sleep 600 & echo $! >"$TURNS_CALLS.child"; wait; }
case "$bench" in
*Part*) printf 'device: cpu\nBenchmarkPart/part=attention 3 10 ns/op\n'; exit 0 ;;
esac
[ -e "$TURNS_CALLS.silent-$name-$seed" ] && exit 0
printf 'Unit loss better=lower\ncommit: %s\nseed: %s\n\nBenchmarkRank/rank=8-2 60 1.5 ns/op 2.5 loss\n' $name $seed >"$out/bench.txt"
echo "{\"seed\": $seed}" >"$out/rank=8,seed=$seed.json"
[ -e "$TURNS_CALLS.diverge-$name-$seed" ] || exit 0
echo "{\"name\": \"rank=8/lr=1\", \"rank\": \"8\", \"seed\": $seed, \"global_step\": 9, \"train_runtime\": 1, \"diverged_at_step\": 7}" >"$out/rank=8,lr=1,seed=$seed.json"
`

// world is a repository with two commits, old and new, in a cache and with a go command of its own.
type world struct {
	t     *testing.T
	root  string
	calls string // the file that the fakes write to
	o     Options
	err   *said
}

// said is what the gate said on stderr so far.
type said struct {
	sync.Mutex
	bytes.Buffer
	on func(all string)
}

func (s *said) Write(p []byte) (int, error) {
	s.Lock()
	n, err := s.Buffer.Write(p)
	all, on := s.Buffer.String(), s.on
	s.Unlock()
	if on != nil {
		on(all)
	}
	return n, err
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_SYSTEM", os.DevNull)
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		t.Setenv("GIT_"+who+"_NAME", "a")
		t.Setenv("GIT_"+who+"_EMAIL", "a@b")
	}
	w := &world{t: t, root: filepath.Join(dir, "repo"), calls: filepath.Join(dir, "calls"), err: &said{}}
	t.Setenv("TURNS_CALLS", w.calls)
	t.Setenv("LIBTORCH", "")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", "go"), []byte(fakeGo), 0o755))
	t.Setenv("PATH", filepath.Join(dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	w.write("go.mod", "module example\n")
	w.write(".gitignore", "/go.work\n/out/\n")
	w.write("internal/setup/main.go", "package main\n")
	w.write("bench/marker", "here\n")
	w.write("bench/program.sh", strings.Replace(program, "VERSION", "old", 1))
	w.git("init", "-q", "-b", "main")
	w.commit("old")
	w.write("bench/program.sh", strings.Replace(program, "VERSION", "new", 1))
	w.commit("new")
	w.o = Options{Base: "HEAD~1", Seeds: 3, Steps: 40, Stderr: w.err}
	t.Chdir(w.root)
	return w
}

func (w *world) write(path, text string) {
	w.t.Helper()
	path = filepath.Join(w.root, path)
	require.NoError(w.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(w.t, os.WriteFile(path, []byte(text), 0o644))
}

func (w *world) git(args ...string) string {
	w.t.Helper()
	out, err := exec.Command("git", append([]string{"-C", w.root}, args...)...).CombinedOutput()
	require.NoError(w.t, err, "git %s: %s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}

func (w *world) commit(message string) {
	w.t.Helper()
	w.git("add", "-A")
	w.git("commit", "-q", "-m", message)
}

func (w *world) mark(name string) {
	w.t.Helper()
	require.NoError(w.t, os.WriteFile(w.calls+"."+name, nil, 0o644))
}

// turns are the benchmark's calls so far, as "new 42", warming up left out.
func (w *world) turns() []string {
	w.t.Helper()
	b, err := os.ReadFile(w.calls)
	require.NoError(w.t, err)
	var got []string
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if f[0] != "go" && !strings.Contains(line, "/turn-warm") {
			got = append(got, f[0]+" "+f[1])
		}
	}
	return got
}

func (w *world) read(path string) string {
	w.t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(w.t, err)
	return string(b)
}

func (w *world) run() (base, head string, err error) {
	m, err := Open(w.t.Context(), w.o)
	if err != nil {
		return "", "", err
	}
	defer m.Close()
	return m.Run(w.t.Context())
}

// cacheDir is where worktrees and the lock are.
func (w *world) cacheDir() string {
	return filepath.Join(os.Getenv("XDG_CACHE_HOME"), "lorabench", "gate")
}

// worktree is where the base is checked out.
func (w *world) worktree() string {
	w.t.Helper()
	return worktreeDir(w.cacheDir(), w.root)
}
