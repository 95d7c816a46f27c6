package turns

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/internal/cache"
)

// harms are changes of lorabench itself that the gate must find: the only occurrence of a text in a file is replaced. A mask
// left out of a gradient is the smallest that was found: AdamW divides a gradient by its own size, so that a factor in it hardly
// shows; a mask changes the direction a little, and the losses in the eighth digit.
var harms = []struct {
	what, file, from, to string
	status               int
	call, class          string // of some result; "" is a problem
}{
	{"a sleep of 5 % of a step", "lora/trainer.go", "func (t *Trainer) Step(micros []data.Micro) error {\n",
		"func (t *Trainer) Step(micros []data.Micro) error {\n\tdefer func(start time.Time) { time.Sleep(time.Since(start) / 20) }(time.Now())\n",
		1, "worse", "speed"},
	{"20 MiB more memory", "lora/trainer.go", "t.log = t.scope.Zeros(torch.Float32, on, int64(o.Steps), 2)\n",
		"t.log = t.scope.Zeros(torch.Float32, on, int64(o.Steps), 2)\n\t\tt.scope.Zeros(torch.Float32, on, 5<<20)\n", 1, "worse", "memory"},
	{"the sign of A's gradient", "lora/group.go", "bs[i], false, false, 0, q.scaling)", "bs[i], false, false, 0, -q.scaling)", 1, "numerics changed", "loss"},
	{"a mask left out of A's gradient", "lora/group.go", "dropped := s.DropoutWith(x, k.Drawn, n, p)", "dropped := s.DropoutWith(x, k.Drawn, n, 0)", 1, "numerics changed", "loss"},
	{"a rank that is not trained", "bench/settings.go", `Ranks: "8,128,256", LRs: "2e-4"`, `Ranks: "8,128", LRs: "2e-4"`, 2, "", ""},
}

// TestReal harms a copy of HEAD and wants the gate to say so of each harm, and of ten runs without one in a row that nothing is
// wrong. It takes four to five minutes a run, and some ten more the first time, when C++ is compiled at two new places:
//
//	LORABENCH_GATE_REAL=1 go test -v -timeout=0 -run=TestReal ./bench/gate/turns
//	LORABENCH_GATE_REAL=1 LORABENCH_GATE_REAL_FLAGS=-seeds=6 go test -v -timeout=0 -run=TestReal/mask ./bench/gate/turns
//
// The copy, always in the same folder so that C++ compiles once, and each run's results stay in the user's cache.
func TestReal(t *testing.T) {
	if os.Getenv("LORABENCH_GATE_REAL") != "1" {
		t.Skip("by hand only, since it takes an hour: LORABENCH_GATE_REAL=1 go test -v -timeout=0 -run=TestReal ./bench/gate/turns")
	}
	here, err := find(t.Context())
	require.NoError(t, err)
	dir, err := cache.Dir()
	require.NoError(t, err)
	r := real{dir: filepath.Join(dir, "gate-real", "repo"), command: filepath.Join(t.TempDir(), "gate")}
	require.NoError(t, os.MkdirAll(r.dir, 0o755))
	out, err := exec.Command("go", "build", "-o", r.command, "lorabench/bench/gate").CombinedOutput()
	require.NoError(t, err, "%s", out)
	r.git(t, "init", "--quiet")
	r.git(t, "fetch", "--quiet", "--force", "--no-tags", here.root, "HEAD")
	r.commit = r.git(t, "rev-parse", "FETCH_HEAD")
	for _, h := range harms {
		t.Run(h.what, func(t *testing.T) {
			r.restore(t)
			path := filepath.Join(r.dir, h.file)
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, 1, strings.Count(string(b), h.from), "%s has changed: it should have this once, bring the test up to date:\n%s", h.file, h.from)
			text := strings.Replace(string(b), h.from, h.to, 1)
			if strings.Contains(h.to, "time.") && !strings.Contains(text, "\t\"time\"\n") {
				text = strings.Replace(text, "import (\n", "import (\n\t\"time\"\n", 1)
			}
			require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
			status, found := r.gate(t, h.what)
			assert.Equal(t, h.status, status)
			if h.call != "" {
				assert.Contains(t, found, h.call+" "+h.class)
			}
			if h.class == "speed" || h.class == "memory" {
				assert.NotContains(t, found, "numerics changed loss", "no digit of a loss changes")
			}
		})
	}
	t.Run("unchanged", func(t *testing.T) {
		for range 10 {
			r.restore(t)
			status, found := r.gate(t, "unchanged")
			require.Equal(t, 0, status, found)
		}
	})
}

// real is a copy of HEAD to harm.
type real struct{ dir, commit, command string }

func (r real) git(t *testing.T, args ...string) string {
	t.Helper()
	out, err := git(t.Context(), r.dir, args...)
	require.NoError(t, err)
	return out
}

// restore brings the copy back to HEAD as it was.
func (r real) restore(t *testing.T) {
	r.git(t, "checkout", "--quiet", "--force", "--detach", r.commit)
	r.git(t, "clean", "-ffdq")
}

// gate commits what was changed, judges it against HEAD and returns the exit status and the calls with their classes.
func (r real) gate(t *testing.T, what string) (status int, found []string) {
	t.Helper()
	r.git(t, "-c", "user.name=gate", "-c", "user.email=gate@localhost", "commit", "--quiet", "--all", "--allow-empty", "-m", what)
	out := filepath.Join(filepath.Dir(r.dir), "out", strings.ReplaceAll(what, " ", "-"))
	report := filepath.Join(out, "verdict.json")
	_ = os.Remove(report)
	args := append([]string{"-base=" + r.commit, "-out=" + out, "-json=" + report}, strings.Fields(os.Getenv("LORABENCH_GATE_REAL_FLAGS"))...)
	cmd := exec.Command(r.command, args...)
	cmd.Dir, cmd.Stderr = r.dir, os.Stderr
	text, _ := cmd.Output()
	t.Logf("%s: exit status %d\n%s", what, cmd.ProcessState.ExitCode(), text)
	b, err := os.ReadFile(report)
	require.NoError(t, err)
	var v struct {
		Results []struct{ Call, Class string }
	}
	require.NoError(t, json.Unmarshal(b, &v))
	for _, x := range v.Results {
		found = append(found, x.Call+" "+x.Class)
	}
	return cmd.ProcessState.ExitCode(), found
}
