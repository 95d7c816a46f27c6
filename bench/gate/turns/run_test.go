package turns

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	w := newWorld(t)
	t.Setenv("GIT_DIR", filepath.Join(w.root, ".git")) // as in a hook; the fake program refuses to see it
	t.Setenv("GOWORK", filepath.Join(w.root, "go.work"))
	w.o.Flags = []string{"-ranks=8", "-batch", "2", "-cpu=1", "-tags=x"}
	stale := filepath.Join(w.root, "out", "gate", "head", "rank=8,seed=1.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(stale), 0o755))
	require.NoError(t, os.WriteFile(stale, nil, 0o644))
	_, _, err := w.run()
	require.ErrorContains(t, err, "holds rank=8,seed=1.json, which is no gate's")
	require.FileExists(t, stale, "what is not the gate's stays")
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(stale), setupLog), nil, 0o644))
	base, head, err := w.run()
	require.NoError(t, err)
	assert.Len(t, w.turns(), 3*2*3, "three legs each")
	assert.Equal(t, filepath.Join(w.root, "out", "gate", "base"), base)
	assert.NoFileExists(t, stale)

	calls := w.read(w.calls)
	assert.Contains(t, calls, "go run ./internal/setup in "+w.root+" GOWORK=off")
	assert.Contains(t, calls, "go run ./internal/setup in "+w.worktree()+" GOWORK=off")
	assert.Contains(t, calls, "go test -c -o "+filepath.Join(base, "bench.test")+" -tags=x ./bench in "+w.worktree()+" GOWORK=\n")
	assert.Contains(t, w.read(w.calls+".began"), "old 42 -test.run=^$ -test.bench=^BenchmarkRank$ -test.count=1 -test.timeout=0 -test.benchtime=40x -recipe=reported "+
		"-seed=42 -out="+filepath.Join(base, "turn-000")+" -relay=3,4 -ranks=8 -batch=2 -test.cpu=1\n")

	text := w.read(filepath.Join(head, "bench.txt"))
	for _, seed := range []string{"42", "43", "44"} {
		assert.Contains(t, text, "commit: new\nseed: "+seed+"\n\nBenchmarkRank")
		assert.FileExists(t, filepath.Join(head, "rank=8,seed="+seed+".json"))
	}
	assert.NotContains(t, text, "old")
	assert.Contains(t, w.read(filepath.Join(base, "bench.txt")), "commit: old\nseed: 44\n")

	said := w.err.String()
	assert.Contains(t, said, "gate: pair 1 of 3: seed 42, base and head step by step\n")
}

func TestHeadIsTheWorkingTree(t *testing.T) {
	w := newWorld(t)
	w.o.Base, w.o.Seeds = "HEAD", 1
	w.write("bench/program.sh", strings.Replace(program, "VERSION", "edited", 1))
	_, _, err := w.run()
	require.NoError(t, err)
	assert.Equal(t, []string{"new 42", "edited 42"}, w.turns()[:2])
	assert.Regexp(t, `head is commit [0-9a-f]{12}\+, in `, w.err.String(), "what is not committed is measured, and said")
}

func TestBaseIsHead(t *testing.T) {
	w := newWorld(t)
	w.o.Base, w.o.Seeds = "main", 1
	_, _, err := w.run()
	require.NoError(t, err, "main is checked out in the working tree too")
	assert.Len(t, w.turns(), 2*3)
}

func TestRunFails(t *testing.T) {
	for _, tt := range []struct {
		why  string
		make func(w *world)
		want []string
	}{
		{"a turn that ends badly names side, seed, log and what it said", func(w *world) { w.mark("stop-old-43") },
			[]string{"base (", "seed 43", "exit status 3", filepath.Join("base", "turn-001.log"), "cannot allocate memory"}},
		{"a turn that leaves no result is no turn", func(w *world) { w.mark("silent-new-44") },
			[]string{"head (", "seed 44", "left no result", "bench.txt"}},
		{"an arm without a result for one seed would be judged by the others", func(w *world) { w.mark("diverge-new-43") },
			[]string{"head (", "seed 43", "rank=8/lr=1 diverged at step 7", "give a lower -lr"}},
		{"a set-up that fails says so", func(w *world) { w.write("broken-setup", "") },
			[]string{"head (", "setting it up", "no compiler here", "setup.log"}},
		{"go test -c compiles nothing and succeeds where there are no tests", func(w *world) { w.write("no-tests", "") },
			[]string{"head (", "./bench has no test files"}},
		{"an unknown revision", func(w *world) { w.o.Base = "origin/main" }, []string{`no commit "origin/main"`, "fetched first"}},
		{"one that git would take as a flag", func(w *world) { w.o.Base = "--all" }, []string{`no commit "--all"`}},
		{"none", func(w *world) { w.o.Base = "" }, []string{`no commit ""`}},
		{"a flag that the gate sets", func(w *world) { w.o.Flags = []string{"-seed=7"} }, []string{"-seed=7", "leave it out"}},
		{"a base without the package", func(w *world) { w.git("rm", "-qr", "bench"); w.commit("none"); w.o.Base = "HEAD" }, []string{"HEAD", "no folder bench"}},
		{"no module", func(w *world) { require.NoError(w.t, os.Remove(filepath.Join(w.root, "go.mod"))) }, []string{"no go.mod"}},
		{"no repository", func(w *world) { w.t.Chdir(w.t.TempDir()) }, []string{"in no checkout of a git repository"}},
		{"no seeds", func(w *world) { w.o.Seeds = 0 }, []string{"0 seeds"}},
		{"fewer steps than none", func(w *world) { w.o.Steps = -1 }, []string{"-1 steps"}},
	} {
		t.Run(tt.why, func(t *testing.T) {
			w := newWorld(t)
			w.t = t
			old := filepath.Join(w.root, "out", "gate", "base", "bench.txt")
			tt.make(w)
			base, head, err := w.run()
			require.Error(t, err)
			for _, s := range tt.want {
				assert.ErrorContains(t, err, s)
			}
			assert.Empty(t, base+head)
			assert.NoFileExists(t, old)
		})
	}
}

func TestShallowClone(t *testing.T) {
	w := newWorld(t)
	whole := w.root
	w.root = filepath.Join(t.TempDir(), "shallow")
	require.NoError(t, os.Mkdir(w.root, 0o755))
	w.git("clone", "-q", "--depth=1", "file://"+whole, ".")
	t.Chdir(w.root)
	_, _, err := w.run()
	require.ErrorContains(t, err, `no commit "HEAD~1"`)
	assert.ErrorContains(t, err, "shallow clone")
	assert.ErrorContains(t, err, "fetch-depth: 0")
}

func TestModuleBelowTheRoot(t *testing.T) {
	w := newWorld(t)
	w.write("below/go.mod", "module example\n")
	w.write("below/bench/deep/program.sh", "")
	w.commit("moved")
	w.o.Base = "HEAD"
	t.Chdir(filepath.Join(w.root, "below", "bench", "deep"))
	m, err := Open(t.Context(), w.o)
	require.NoError(t, err)
	defer m.Close()
	assert.Equal(t, filepath.Join(w.worktree(), "below"), m.sides[0].root)
	assert.Equal(t, filepath.Join(w.root, "below"), m.sides[1].root)
	assert.Equal(t, filepath.Join(w.root, "below", "out", "gate", "head"), m.sides[1].out)
}

func TestParts(t *testing.T) {
	w := newWorld(t)
	m, err := Open(t.Context(), w.o)
	require.NoError(t, err)
	defer m.Close()
	base, head, err := m.Run(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.Truncate(w.calls, 0))
	require.NoError(t, m.Parts(t.Context()))
	assert.Equal(t, []string{"old none", "new none", "new none", "old none", "old none", "new none"}, w.turns())
	for _, dir := range []string{base, head} {
		for k := range 3 {
			assert.Contains(t, w.read(filepath.Join(dir, fmt.Sprintf("parts-%d.txt", k))), "BenchmarkPart/part=attention 3 10 ns/op\n")
		}
		assert.FileExists(t, filepath.Join(dir, "bench.txt"))
	}
	assert.NotContains(t, w.read(w.calls), "go test", "nothing is compiled anew")
}

// TestAccepts is that the message of any commit of the change, and of no other one, accepts other digits.
func TestAccepts(t *testing.T) {
	for _, c := range []struct {
		why, before, message string
		accepted             bool
	}{
		{"a line of it", "old", "softmax in one pass\n\nRounds differently.\n" + Accept + "\n\nSigned-off-by: a", true},
		{"any case, as git's own keys", "old", "x\n\ngate-accept: losses", true},
		{"no line of its own", "old", "why " + Accept + " is not here", false},
		{"something else", "old", "x\n\nGate-Accept: speed", false},
		{"the base's own", "x\n\n" + Accept, "y", false},
	} {
		w := newWorld(t)
		w.git("commit", "-q", "--allow-empty", "-m", c.before)
		base := w.git("rev-parse", "HEAD")
		w.git("commit", "-q", "--allow-empty", "-m", c.message)
		want := w.git("rev-parse", "--short", "HEAD")
		w.git("commit", "-q", "--allow-empty", "-m", "one more")
		w.o.Base = base
		m, err := Open(t.Context(), w.o)
		require.NoError(t, err)
		m.Close()
		if !c.accepted {
			want = ""
		}
		assert.Equal(t, want, m.Accepts, c.why)
	}
}
