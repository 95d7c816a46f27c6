package turns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/gate/show"
)

// TestReal harms lorabench itself in five ways and wants the gate to say so of each, and of ten runs without
// harm in a row that nothing is wrong. It takes four to five minutes a run, and some ten more the first
// time, when C++ is compiled at two new places:
//
//	LORABENCH_GATE_REAL=1 go test -v -timeout=0 -run=TestReal ./bench/gate/turns
//	LORABENCH_GATE_REAL=1 LORABENCH_GATE_REAL_FLAGS=-seeds=10 go test -v -timeout=0 -run=TestReal/gradient ./bench/gate/turns
//
// The command is built from the working tree, and judges a copy of HEAD: the working tree is not touched. The copy,
// and each run's results, stay in the user's cache folder, under lorabench/gate-real.
func TestReal(t *testing.T) {
	if os.Getenv("LORABENCH_GATE_REAL") != "1" {
		t.Skip("by hand only, since it takes an hour: LORABENCH_GATE_REAL=1 go test -v -timeout=0 -run=TestReal ./bench/gate/turns")
	}
	r := newReal(t)
	t.Run("slower", func(t *testing.T) {
		r.mutate(t, "lora/trainer.go", `import (
	"fmt"
	"math"
`, `import (
	"fmt"
	"math"
	"time"
`)
		// On a CPU a step has been computed when this returns. Each is measured, so it is 5 % at every rank.
		r.mutate(t, "lora/trainer.go", "func (t *Trainer) Step(micros []data.Micro) error {\n",
			"func (t *Trainer) Step(micros []data.Micro) error {\n\tdefer func(start time.Time) { time.Sleep(time.Since(start) / 20) }(time.Now())\n")
		exit, v := r.gate(t, "a sleep of 5 % of a step")
		assert.Equal(t, 1, exit)
		assert.NotEmpty(t, worse(v, "speed"))
		assert.Empty(t, worse(v, "loss"), "waiting changes no digit of a loss")
	})
	t.Run("memory", func(t *testing.T) {
		peak := r.leastPeak(t)
		const at = "t.rate = t.scope.Zeros(torch.Float32, on, 1)\n"
		r.mutate(t, "lora/trainer.go", at, fmt.Sprintf("%s\t\tt.scope.Zeros(torch.Float32, on, %d)\n", at, int64(peak*0.10/4)))
		exit, v := r.gate(t, fmt.Sprintf("10 %% more memory: %.1f MiB", peak*0.10/(1<<20)))
		assert.Equal(t, 1, exit)
		assert.NotEmpty(t, worse(v, "memory"))
		assert.Empty(t, worse(v, "loss"))
	})
	t.Run("gradient's sign", func(t *testing.T) {
		r.mutate(t, "lora/group.go", "torch.AddMM(g.part(s, e, i), part, q.b, false, false, 0, g.config.Scaling())",
			"torch.AddMM(g.part(s, e, i), part, q.b, false, false, 0, -g.config.Scaling())")
		exit, v := r.gate(t, "A's gradient has the wrong sign; B still learns, so the loss still falls")
		assert.Equal(t, 1, exit)
		assert.NotEmpty(t, worse(v, "loss"))
	})
	// The smallest that was found. AdamW divides a gradient by its own size, so that a factor in it (dropping
	// the scaling) hardly shows; a mask left out changes the direction a little, and the losses in the
	// eighth digit: only comparing exactly can see it.
	t.Run("gradient's mask", func(t *testing.T) {
		r.mutate(t, "lora/group.go", "e, s.DropoutWith(x, k.Drawn, n, p), true", "e, s.DropoutWith(x, k.Drawn, n, 0), true")
		exit, v := r.gate(t, "A's gradient is scaled as if there were no dropout")
		assert.Equal(t, 1, exit)
		assert.NotEmpty(t, worse(v, "loss"))
	})
	t.Run("dropped rank", func(t *testing.T) {
		r.mutate(t, "bench/flags.go", `"ranks", "8,128,256",`, `"ranks", "8,128",`)
		exit, v := r.gate(t, "rank 256 is not trained any more")
		assert.Equal(t, 2, exit)
		assert.True(t, slices.ContainsFunc(v.Problems, func(p show.JSONProblem) bool {
			return p.Kind == "missing benchmark" && strings.Contains(p.Benchmark+p.Text, "rank=256")
		}), "%v", v.Problems)
	})
	t.Run("unchanged", func(t *testing.T) {
		for i := range 10 {
			r.restore(t)
			exit, v := r.gate(t, fmt.Sprintf("unchanged, %d of 10", i+1))
			require.Equal(t, 0, exit, "run %d: %s", i+1, v.Verdict)
		}
	})
}

// realRepo is a copy of HEAD to harm.
type realRepo struct {
	dir, out, commit, command string
	changed                   string // the test that has changed files
}

func newReal(t *testing.T) *realRepo {
	ctx := context.Background()
	cwd, err := os.Getwd()
	require.NoError(t, err)
	here, err := find(ctx, cwd)
	require.NoError(t, err)
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	// Always the same folder, so that C++ compiles once.
	r := &realRepo{dir: filepath.Join(cache, "lorabench", "gate-real", "repo"), out: filepath.Join(cache, "lorabench", "gate-real", "out")}
	unlock, err := lock(ctx, Options{Stderr: os.Stderr}, filepath.Dir(r.dir), here.root) // a second test would change the files under this one
	require.NoError(t, err)
	t.Cleanup(unlock)
	require.NoError(t, os.MkdirAll(r.dir, 0o755))
	for _, args := range [][]string{{"init", "--quiet"}, {"fetch", "--quiet", "--force", "--no-tags", here.root, "HEAD"}} {
		_, err := git(ctx, r.dir, args...)
		require.NoError(t, err)
	}
	r.commit, err = git(ctx, r.dir, "rev-parse", "FETCH_HEAD")
	require.NoError(t, err)
	r.command = filepath.Join(t.TempDir(), "gate")
	build := exec.Command("go", "build", "-o", r.command, "./bench/gate")
	build.Dir = filepath.Join(here.root, here.module)
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return r
}

// restore brings the copy back to HEAD as it was.
func (r *realRepo) restore(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{{"checkout", "--quiet", "--force", "--detach", r.commit}, {"clean", "-ffdq"}} {
		_, err := git(context.Background(), r.dir, args...)
		require.NoError(t, err)
	}
}

// mutate replaces the only occurrence of a text in a file.
func (r *realRepo) mutate(t *testing.T, path, from, to string) {
	t.Helper()
	if r.changed != t.Name() {
		r.restore(t)
		r.changed = t.Name()
	}
	path = filepath.Join(r.dir, path)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(b), from), "%s has changed: it should have this once, bring the test up to date:\n%s", path, from)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(b), from, to, 1)), 0o644))
}

// gate commits what was changed, judges it against HEAD and returns the exit status and the verdict.
func (r *realRepo) gate(t *testing.T, what string) (int, show.JSON) {
	t.Helper()
	ctx := context.Background()
	_, err := git(ctx, r.dir, "-c", "user.name=gate", "-c", "user.email=gate@localhost", "commit", "--quiet", "--all", "--allow-empty", "-m", what)
	require.NoError(t, err)
	out := filepath.Join(r.out, strings.ReplaceAll(strings.TrimPrefix(t.Name(), "TestReal/"), "/", "-"))
	require.NoError(t, os.MkdirAll(out, 0o755))
	verdict := filepath.Join(out, "verdict.json")
	_ = os.Remove(verdict)
	args := append([]string{"-base=" + r.commit, "-out=" + out, "-json=" + verdict}, strings.Fields(os.Getenv("LORABENCH_GATE_REAL_FLAGS"))...)
	cmd := exec.Command(r.command, args...)
	cmd.Dir, cmd.Stderr = r.dir, os.Stderr
	text, err := cmd.Output()
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	t.Logf("%s: exit status %d\n%s", what, cmd.ProcessState.ExitCode(), text)
	b, err := os.ReadFile(verdict)
	require.NoError(t, err)
	var v show.JSON
	require.NoError(t, json.Unmarshal(b, &v))
	require.Equal(t, cmd.ProcessState.ExitCode(), v.Exit)
	return v.Exit, v
}

// worse are the results of a class that got worse.
func worse(v show.JSON, class string) []string {
	var got []string
	for _, r := range v.Results {
		if r.Class == class && r.Call == "worse" {
			got = append(got, r.Benchmark+" "+r.Unit)
		}
	}
	return got
}

// leastPeak is the lowest peak of memory of any rank, in bytes: a tenth of it is at most a tenth of each.
func (r *realRepo) leastPeak(t *testing.T) float64 {
	t.Helper()
	r.restore(t)
	out := filepath.Join(r.out, "peak")
	base, _, err := Run(context.Background(), Options{Base: r.commit, Dir: r.dir, Out: out, Seeds: 1, Steps: 20, Stderr: os.Stderr})
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(base, "bench.txt"))
	require.NoError(t, err)
	least := math.Inf(1)
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		for i, unit := range f {
			if strings.HasPrefix(unit, "peak-") && strings.HasPrefix(line, "Benchmark") {
				v, err := strconv.ParseFloat(f[i-1], 64)
				require.NoError(t, err)
				least = min(least, v*(1<<30))
			}
		}
	}
	if math.IsInf(least, 1) {
		t.Skip("no peak is measured on this machine, so none can be seen to grow")
	}
	return least
}
