package decoder_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/decoder"
	"lorabench/internal/fixture"
	"lorabench/internal/torch"
)

func TestSaveThenLoad(t *testing.T) {
	for _, from := range []string{post, pre, sharded} {
		t.Run(filepath.Base(from), func(t *testing.T) {
			m := loadModel(t, from, torch.Float32)
			dir := filepath.Join(t.TempDir(), "new", "folder")
			require.NoError(t, m.Save(dir, torch.Float32))
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, entries, 2, "config.json, model.safetensors and nothing half-written")
			c, err := ReadConfig(dir)
			require.NoError(t, err)
			require.Equal(t, m.Config, c)
			want, err := m.Fingerprint()
			require.NoError(t, err)
			got, err := loadModel(t, dir, torch.Float32).Fingerprint()
			require.NoError(t, err)
			require.Equal(t, want, got, "bit for bit")

			require.NoError(t, m.Save(dir, torch.Float16), "over what is there")
			half := loadModel(t, dir, torch.Float32)
			for _, p := range m.Params() {
				exact, rounded := values(t, m.Weights()[p.Name]), values(t, half.Weights()[p.Name])
				if from == pre {
					require.Equal(t, exact, rounded, "they were float16 from the start: %s", p.Name)
				}
				for i, x := range exact {
					// Half a unit of 11 bits; below 2^-14 the unit is 2^-24.
					require.InDelta(t, x, rounded[i], max(math.Abs(float64(x))*0x1p-11, 0x1p-25), p.Name)
				}
			}
			st, err := os.Stat(filepath.Join(dir, "model.safetensors"))
			require.NoError(t, err)
			all, _ := decoder.NumParameters(m.Config)
			require.InDelta(t, 2*all, st.Size(), 8192, "two bytes a weight, and the header")
		})
	}
}

func TestSavesThatAreRefused(t *testing.T) {
	m := loadModel(t, post, torch.Float32)
	dir := t.TempDir()
	require.ErrorContains(t, m.Save(dir, torch.BFloat16), "bfloat16 is not supported, want float32 or float16")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries, "nothing was begun")
	taken := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(taken, nil, 0o644))
	require.ErrorContains(t, m.Save(taken, torch.Float32), taken)
}

func TestFloat16IsRefusedWhereItCannotHoldAWeight(t *testing.T) {
	m := loadModel(t, post, torch.Float32)
	name := m.Params()[0].Name
	run(t, func(s *torch.Scope) { torch.FillIn(m.Weights()[name], 7e4) })
	dir := t.TempDir()
	require.ErrorContains(t, m.Save(dir, torch.Float16), name+" has the value 70000, which float16 cannot hold")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	require.NoError(t, m.Save(dir, torch.Float32))
}

// switched is a small model with every switch the published ones leave alone.
func switched(t *testing.T, on torch.Device) *Model {
	c, err := ParseConfig([]byte(`{"model_type": "opt", "vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2, "ffn_dim": 64,
		"num_attention_heads": 4, "max_position_embeddings": 64, "word_embed_proj_dim": 16, "init_std": 0.2, "activation_function": "gelu",
		"enable_bias": false, "layer_norm_elementwise_affine": false, "_remove_final_layer_norm": true}`))
	require.NoError(t, err)
	return keep(t, func(s *torch.Scope) (*Model, error) {
		m, _, err := Hash(s, c, 1, torch.Float32, on)
		return m, err
	})
}

// withTransformers reads [[folder, sequences]] and answers with the logits of each sequence.
const withTransformers = `
import json, sys
try:
    import torch, transformers
except ImportError as e:
    print(e, file=sys.stderr)
    sys.exit(3)
torch.set_num_threads(1)
out = []
for folder, sequences in json.load(sys.stdin):
    model, info = transformers.OPTForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    for what, names in info.items():
        assert not names, (what, names)
    with torch.no_grad():
        out.append([model.eval()(torch.tensor([s])).logits[0].flatten().tolist() for s in sequences])
json.dump(out, sys.stdout)
`

func TestTransformersReadsWhatSaveWrites(t *testing.T) {
	sequences := [][]int32{sequence(1, 9).IDs, sequence(2, 1).IDs, sequence(3, 16).IDs}
	models := []*Model{loadModel(t, post, torch.Float32), loadModel(t, pre, torch.Float32), switched(t, torch.CPU)}
	var ask [][2]any
	for _, m := range models {
		dir := t.TempDir()
		require.NoError(t, m.Save(dir, torch.Float32))
		ask = append(ask, [2]any{dir, sequences})
	}
	in, err := json.Marshal(ask)
	require.NoError(t, err)
	cmd := exec.Command("python3", "-c", withTransformers)
	cmd.Env = append(os.Environ(), "HF_HUB_OFFLINE=1", "CUDA_VISIBLE_DEVICES=")
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &complaint
	err = cmd.Run()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() == 3 {
		t.Skipf("python3 with transformers is needed: pip install -r testdata/parity/requirements.txt (%v %s)", err, complaint.String())
	}
	require.NoError(t, err, "%s", complaint.String())
	var answer [][][]float32
	require.NoError(t, json.Unmarshal(out.Bytes(), &answer))
	require.Len(t, answer, len(models))
	for i, m := range models {
		for j, want := range answer[i] {
			s := sequence(j+1, len(sequences[j]))
			require.Less(t, fixture.Largest(t, logits(t, m, pack(s), false), want), logitsWithin, "model %d, sequence %d", i, j)
		}
	}
}
