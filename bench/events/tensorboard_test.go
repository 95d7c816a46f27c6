package events

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

//go:embed testdata/read.py
var reader string

// tensorboardPython is a Python that has tensorboard, or the reasons why there is none.
func tensorboardPython() (string, error) {
	var why []error
	for _, name := range []string{os.Getenv("LORABENCH_PEER_PYTHON"), "python3"} {
		if name == "" {
			continue
		}
		out, err := exec.Command(name, "-c", "import tensorboard").CombinedOutput()
		if err == nil {
			return name, nil
		}
		said := strings.Split(strings.TrimSpace(string(out)), "\n")
		why = append(why, fmt.Errorf("%s: %w: %s", name, err, said[len(said)-1]))
	}
	return "", errors.Join(why...)
}

// TestTensorBoardReads has the real package read what was written, as the server does: by folder.
func TestTensorBoardReads(t *testing.T) {
	python, why := tensorboardPython()
	if why != nil {
		t.Skipf("no Python with the package tensorboard (python3, or LORABENCH_PEER_PYTHON): %v", why)
	}
	dir := t.TempDir()
	one, two := example(), example()
	two.Seed = 43
	require.NoError(t, Save(dir, one))
	require.NoError(t, Save(dir, two))

	cmd := exec.Command(python, "-c", reader, filepath.Join(dir, "tensorboard"))
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	require.NoError(t, err)
	var runs map[string]struct {
		Scalars map[string][][3]float64 // step, value, wall time
		Texts   map[string]string
	}
	require.NoError(t, json.Unmarshal(out, &runs))
	require.Len(t, runs, 2, "each folder is a run")
	run, ok := runs["rank=8,targets=q,v,seed=42"]
	require.True(t, ok)

	began := float64(start.UnixMilli()) / 1000
	want := map[string][][3]float64{}
	for _, e := range history(one) {
		for key, v := range e {
			name := "train/" + key
			if key == "eval_loss" {
				name = "eval/loss"
			}
			if key != "step" {
				want[name] = append(want[name], [3]float64{e["step"], float64(float32(v)), began + 2*e["step"]})
			}
		}
	}
	require.Equal(t, want, run.Scalars)
	for _, name := range []string{"train/loss", "train/grad_norm", "train/learning_rate", "train/epoch", "eval/loss", "train/train_loss",
		"train/train_runtime", "train/train_samples_per_second", "train/train_steps_per_second", "train/total_flos"} {
		require.NotEmpty(t, run.Scalars[name], "the callback's name for it")
	}

	var args struct {
		Seed     int64
		Settings struct{ Data string }
		Model    struct{ Config map[string]any }
	}
	require.NoError(t, json.Unmarshal([]byte(run.Texts["args/text_summary"]), &args), "the settings are JSON")
	require.EqualValues(t, 42, args.Seed, "the run's own seed, not that of the first run")
	require.Equal(t, "instructions <&>", args.Settings.Data)
	require.Equal(t, 1024.0, args.Model.Config["hidden_size"])
}
