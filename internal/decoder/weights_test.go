package decoder_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/checkpoint"
	"lorabench/internal/decoder"
	"lorabench/internal/torch"
)

const embedTokens = "model.decoder.embed_tokens.weight"

func TestLoadReadsEveryFormat(t *testing.T) {
	for _, c := range []struct {
		why, dir string
		files    []string
	}{
		{"one safetensors", post, []string{"model.safetensors"}},
		{"pytorch_model.bin, float16, keys without model.", pre, []string{"pytorch_model.bin"}},
		{"shards", sharded, []string{"model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			var src decoder.Source
			m := keep(t, func(s *torch.Scope) (m *Model, err error) {
				m, src, err = Load(s, c.dir, torch.Float32, torch.CPU)
				return m, err
			})
			var all []byte
			var files []string
			for _, name := range c.files {
				b, err := os.ReadFile(filepath.Join(c.dir, name))
				require.NoError(t, err)
				all, files = append(all, b...), append(files, filepath.Join(c.dir, name))
			}
			require.Equal(t, decoder.Source{Files: files, SHA256: fmt.Sprintf("%x", sha256.Sum256(all))}, src)

			seen := 0
			for _, x := range tensors(t, c.dir) {
				name := "model." + strings.TrimPrefix(x.Name, "model.")
				if x.Name == "lm_head.weight" {
					continue
				}
				want, err := checkpoint.Float32(x)
				require.NoError(t, err)
				require.Equal(t, want, values(t, m.Weights()[name]), name)
				seen++
			}
			require.Equal(t, len(m.Params()), seen)
			require.Equal(t, torch.Float32, m.DType())
			require.Equal(t, torch.CPU, m.Device())
			require.InDelta(t, 0.1, m.ModelDropout, 0, "config.json's")
		})
	}
}

func TestLoadConverts(t *testing.T) {
	exact := loadModel(t, post, torch.Float32)
	for _, d := range []torch.DType{torch.Float16, torch.BFloat16} {
		m := loadModel(t, post, d)
		require.Equal(t, d, m.DType())
		for _, p := range m.Params() {
			require.Equal(t, d, m.Weights()[p.Name].DType(), p.Name)
			run(t, func(s *torch.Scope) {
				require.True(t, torch.Equal(s.Cast(exact.Weights()[p.Name], d), m.Weights()[p.Name]), p.Name)
			})
		}
	}
}

// weight is a tensor of a checkpoint by name, for a row of a table to change.
func weight(t *testing.T, ts []checkpoint.Tensor, name string) *checkpoint.Tensor {
	for i := range ts {
		if ts[i].Name == name {
			return &ts[i]
		}
	}
	require.Fail(t, "no weight "+name)
	return nil
}

func zeros(name string, d checkpoint.DType, shape ...int64) checkpoint.Tensor {
	n := int64(d.Size())
	for _, k := range shape {
		n *= k
	}
	return checkpoint.Tensor{Name: name, DType: d, Shape: shape, Data: make([]byte, n)}
}

func without(ts []checkpoint.Tensor, name string) []checkpoint.Tensor {
	var rest []checkpoint.Tensor
	for _, x := range ts {
		if x.Name != name {
			rest = append(rest, x)
		}
	}
	return rest
}

func renamed(x checkpoint.Tensor, name string) checkpoint.Tensor {
	x.Name = name
	return x
}

func TestWeightsThatAreAccepted(t *testing.T) {
	want, err := loadModel(t, post, torch.Float32).Fingerprint()
	require.NoError(t, err)
	for _, c := range []struct {
		why    string
		change func(ts []checkpoint.Tensor) []checkpoint.Tensor
	}{
		{"keys without model.", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			for i := range ts {
				ts[i].Name = strings.TrimPrefix(ts[i].Name, "model.")
			}
			return ts
		}},
		{"keys of both kinds", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			ts[3].Name = strings.TrimPrefix(ts[3].Name, "model.")
			return ts
		}},
		{"the tied head beside it", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			return append(ts, renamed(*weight(t, ts, embedTokens), "lm_head.weight"))
		}},
		{"the tied head instead of it", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			weight(t, ts, embedTokens).Name = "lm_head.weight"
			return ts
		}},
		{"float64 whose values are float32's", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			for i, x := range ts {
				v, err := checkpoint.Float32(x)
				require.NoError(t, err)
				var b []byte
				for _, f := range v {
					b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(f)))
				}
				ts[i].DType, ts[i].Data = checkpoint.F64, b
			}
			return ts
		}},
	} {
		dir := copyFiles(t, post, "config.json")
		require.NoError(t, checkpoint.Write(filepath.Join(dir, "model.safetensors"), c.change(tensors(t, post)), nil))
		got, err := loadModel(t, dir, torch.Float32).Fingerprint()
		require.NoError(t, err)
		require.Equal(t, want, got, c.why)
	}
}

// refused loads dir, which must fail with an error that has every text and leave no tensor.
func refused(t *testing.T, why, dir string, texts ...string) {
	live := torch.Live()
	err := torch.Run(func(s *torch.Scope) error {
		m, src, err := Load(s, dir, torch.Float32, torch.CPU)
		require.Nil(t, m, why)
		require.Zero(t, src, why)
		return err
	})
	for _, text := range append(texts, dir) {
		require.ErrorContains(t, err, text, why)
	}
	require.Equal(t, live, torch.Live(), why)
}

func TestWeightsThatAreRefused(t *testing.T) {
	const fc1 = "model.decoder.layers.1.fc1.weight"
	for _, c := range []struct {
		why    string
		change func(ts []checkpoint.Tensor) []checkpoint.Tensor
		text   string
	}{
		{"a missing weight", func(ts []checkpoint.Tensor) []checkpoint.Tensor { return without(ts, fc1) },
			"weight " + fc1 + " is missing from "},
		{"the table and its twin the head missing", func(ts []checkpoint.Tensor) []checkpoint.Tensor { return without(ts, embedTokens) },
			"weight " + embedTokens + " is missing from "},
		{"a layer more than config.json says", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			return append(ts, zeros("model.decoder.layers.2.fc2.weight", checkpoint.F32, 32, 64),
				zeros("model.decoder.layers.2.fc1.weight", checkpoint.F32, 64, 32))
		}, "weight model.decoder.layers.2.fc1.weight in "},
		{"and how many there are", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			return append(ts, zeros("a", checkpoint.F32, 1), zeros("b", checkpoint.F32, 1))
		}, "is not part of the model that config.json describes (2 such weights)"},
		{"an extra weight is shown by its own key", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			return append(ts, zeros("decoder.version", checkpoint.F32, 1))
		}, "weight decoder.version in "},
		{"transposed", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			weight(t, ts, fc1).Shape = []int64{32, 64}
			return ts
		}, "has shape [32 64], config.json wants [64 32]"},
		{"a dimension more", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			weight(t, ts, fc1).Shape = []int64{1, 64, 32}
			return ts
		}, "weight " + fc1 + " in "},
		{"integers", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			*weight(t, ts, fc1) = zeros(fc1, checkpoint.I64, 64, 32)
			return ts
		}, "has element type I64, want a floating-point one"},
		{"quantized to bytes", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			*weight(t, ts, fc1) = zeros(fc1, checkpoint.I8, 64, 32)
			return ts
		}, "has element type I8, want a floating-point one"},
		{"the same weight under both keys", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			return append(ts, renamed(*weight(t, ts, fc1), strings.TrimPrefix(fc1, "model.")))
		}, "weight " + fc1 + " is there twice, as " + strings.TrimPrefix(fc1, "model.") + " and as " + fc1},
		{"a head of its own", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			head := renamed(*weight(t, ts, embedTokens), "lm_head.weight")
			head.Data = bytes.Clone(head.Data)
			head.Data[len(head.Data)-1] ^= 0x80 // one sign
			return append(ts, head)
		}, "weight lm_head.weight differs from embed_tokens.weight"},
		{"a head of another shape", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			return append(ts, zeros("lm_head.weight", checkpoint.F32, 96, 32))
		}, "has shape [96 32], config.json wants [96 16]"},
		{"a head of integers", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			return append(ts, zeros("lm_head.weight", checkpoint.U8, 96, 16))
		}, "has element type U8"},
	} {
		dir := copyFiles(t, post, "config.json")
		require.NoError(t, checkpoint.Write(filepath.Join(dir, "model.safetensors"), c.change(tensors(t, post)), nil))
		refused(t, c.why, dir, c.text)
	}
}

func TestFoldersThatAreRefused(t *testing.T) {
	const shard = "model-00002-of-00002.safetensors"
	for _, c := range []struct {
		why, from string
		files     []string
		cut       string // this file to 60 percent
		texts     []string
	}{
		{"no config.json", post, []string{"model.safetensors"}, "", []string{"config.json", "no such file"}},
		{"no weights", post, []string{"config.json"}, "", []string{"holds no weights", "model.safetensors", "pytorch_model.bin"}},
		{"config.json cut", post, []string{"config.json", "model.safetensors"}, "config.json", []string{"config.json", "not a model config"}},
		{"safetensors cut", post, []string{"config.json", "model.safetensors"}, "model.safetensors", []string{"model.safetensors", `tensor "model.decoder.`}},
		{"pytorch_model.bin cut", pre, []string{"config.json", "pytorch_model.bin"}, "pytorch_model.bin", []string{"pytorch_model.bin", "cut short"}},
		{"a shard cut", sharded, []string{"config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors", shard}, shard,
			[]string{shard, `tensor "model.decoder.`}},
		{"a shard missing", sharded, []string{"config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors"}, "",
			[]string{shard, "no such file"}},
	} {
		dir := copyFiles(t, c.from, c.files...)
		if c.cut != "" {
			path := filepath.Join(dir, c.cut)
			st, err := os.Stat(path)
			require.NoError(t, err)
			require.NoError(t, os.Truncate(path, st.Size()*6/10))
		}
		refused(t, c.why, dir, c.texts...)
	}
	refused(t, "no folder", filepath.Join(t.TempDir(), "none"), "no such file")

	dir := copyFiles(t, post, "model.safetensors")
	b, err := os.ReadFile(post + "/config.json")
	require.NoError(t, err)
	b = bytes.Replace(b, []byte(`"vocab_size": 96`), []byte(`"vocab_size": 97`), 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), b, 0o644))
	refused(t, "another model's config.json", dir, embedTokens+" in ", "model.safetensors has shape [96 16], config.json wants [97 16]")
}

// TestWeightsBehindAPrefix: the error names the prefix, and what has one can be mended by its words.
func TestWeightsBehindAPrefix(t *testing.T) {
	for _, c := range []struct{ prefix, strip string }{
		{"module.", ""}, {"_orig_mod.", ""}, {"base_model.model.", ""}, {"module._orig_mod.", ""}, {"module.", "model."},
	} {
		dir := copyFiles(t, post, "config.json")
		ts := tensors(t, post)
		for i := range ts {
			ts[i].Name = c.prefix + strings.TrimPrefix(ts[i].Name, c.strip)
		}
		require.NoError(t, checkpoint.Write(filepath.Join(dir, "model.safetensors"), ts, nil))
		err := torch.Run(func(s *torch.Scope) error {
			_, _, err := Load(s, dir, torch.Float32, torch.CPU)
			return err
		})
		require.ErrorContains(t, err, "decoder.embed_tokens.weight is missing from "+filepath.Join(dir, "model.safetensors"))
		require.ErrorContains(t, err, fmt.Sprintf("take %q off every name", c.prefix))
	}
}

// TestWeightsThatAreNoNumbers: NaN and infinity are found before anything is trained, whatever the type they load as.
func TestWeightsThatAreNoNumbers(t *testing.T) {
	const name = "model.decoder.layers.1.fc1.weight"
	for _, c := range []struct {
		values []float64
		d      torch.DType
		text   string
	}{
		{[]float64{math.NaN()}, torch.Float32, "has 1 elements that are NaN or infinite, the first, NaN, at 33"},
		{[]float64{math.Inf(-1), 1, math.NaN()}, torch.BFloat16, "has 2 elements that are NaN or infinite, the first, -Inf, at 33"},
		{[]float64{1e5}, torch.Float16, "has values that float16 cannot hold"},
	} {
		dir := copyFiles(t, post, "config.json")
		ts := tensors(t, post)
		data := bytes.Clone(weight(t, ts, name).Data)
		for i, v := range c.values {
			binary.LittleEndian.PutUint32(data[4*(33+i):], math.Float32bits(float32(v)))
		}
		weight(t, ts, name).Data = data
		path := filepath.Join(dir, "model.safetensors")
		require.NoError(t, checkpoint.Write(path, ts, nil))
		err := torch.Run(func(s *torch.Scope) error {
			_, _, err := Load(s, dir, c.d, torch.CPU)
			return err
		})
		require.ErrorContains(t, err, c.text)
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, path)
	}
}
