package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRefusedFlags(t *testing.T) {
	for _, c := range []struct{ args, err, why string }{
		{"-ranks=8,x", `-ranks has "x", want whole numbers`, "not a number"},
		{"-ranks=0", `-ranks has "0"`, "no such adapter"},
		{"-ranks=full", `-ranks has "full"`, "PEFT has adapters only"},
		{"-ranks=", `-ranks has ""`, "nothing to do"},
		{"-ranks=8,08", "-ranks has 8 twice", "one row would hide the other"},
		{"-peers=fast", `-peers has "fast", want stock, stock-dtype, tuned, or several`, "no such peer"},
		{"-peers=stock,stock", "-peers has stock twice", "the same"},
		{"-peers=none", `-peers has "none"`, "nothing to compare with, outside -stand-in"},
		{"-dtype=float8", `-dtype has "float8", want float32, tf32, bf16, or several`, "no such type"},
		{"-dtype=bf16,bf16", "-dtype has bf16 twice", "the same"},
		{"-steps=0; -loss-steps=0", "-steps is 0: want at least 1, or -loss-steps alone", "nothing to do"},
		{"-loss-steps=-3", "-loss-steps is -3", "negative"},
		{"-threads=0", "-threads is 0", "no thread"},
		{"-turns=batch", `-turns is "batch", want step, round or run`, "no such turns"},
		{"-bench=-relay=3,4", "-bench has -relay, which the comparison sets itself", "other pipes"},
		{"-max-length=0", "-max-length is 0", "empty texts"},
		{"-bench=-order=random", "-bench has -order, which the comparison sets itself", "would break the comparison"},
		{"-bench=-test.benchtime=9x", "-bench has -test.benchtime", "-steps says it"},
		{"-bench=--adapter=x", "-bench has -adapter", "two dashes are the same flag"},
		{"-bench=-batch 2", `-bench has "2": write flags as -name=value`, "which flag it belongs to cannot be told"},
		{"more", `unexpected "more"`, "no argument is taken"},
		{"-nosuch", "-nosuch", "unknown"},
	} {
		t.Run(c.args, func(t *testing.T) {
			_, err := parse(strings.Split(c.args, "; "), io.Discard)
			require.ErrorContains(t, err, c.err, c.why)
			var out, errs bytes.Buffer
			assert.Equal(t, 2, run(strings.Split(c.args, "; "), &out, &errs))
			assert.Contains(t, errs.String(), c.err)
			assert.Empty(t, out.String())
		})
	}
}

func TestRefusedSettings(t *testing.T) {
	mamba := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(mamba, []byte(`{"model_type": "mamba"}`), 0o666))
	for _, c := range []struct{ args, err, why string }{
		{"-model=nosuch.json", "-model: there is no nosuch.json", "misspelt"},
		{"-data=nosuch.json", "-data: there is no nosuch.json", "the Hub is not asked"},
		{"-tokenizer=nosuch", "-tokenizer: there is no nosuch", "misspelt"},
		{"-model=testdata/small/vocab.json", "-model: ", "no config"},
		{"-model=" + mamba, `model_type is "mamba"`, "a family that neither program trains here"},
		{"-recipe=mine", `-recipe is "mine"`, "lorabench's own check"},
		{"-bench=-lr=0", "-lr is 0", "the same, of a flag in -bench"},
		{"-bench=-lr=fast", "-lr", "not a number"},
		{"-dtype=bf16,tf32", "-dtype=tf32 is for CUDA", "a CPU has none"},
		{"-bench=-targets=all-linear", "-targets=all-linear, which PEFT does not know in a list", "it would adapt nothing"},
	} {
		t.Run(c.args, func(t *testing.T) {
			o, err := parse([]string{"-device=cpu", c.args}, io.Discard)
			require.NoError(t, err)
			_, err = o.settings()
			require.ErrorContains(t, err, c.err, c.why)
		})
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		args                     string
		length, steps, batch, lr float64
		why                      string
	}{
		{"", 256, 3, 4, 2e-4, "1,024 tokens take too long on a CPU"},
		{"-recipe=assigned", 128, 3, 8, 2e-5, "the recipe's length is less than 256"},
		{"-max-length=1024", 1024, 3, 4, 2e-4, "asked for"},
		{"-model=testdata/small/config.json -max-length=1024", 256, 3, 4, 2e-4, "never more than the model has"},
		{"-model=testdata/parity/families/qwen3/config.json", 64, 3, 4, 2e-4, "nor than another family's"},
		{"-model=testdata/parity/families/qwen3", 64, 3, 4, 2e-4, "a folder has a config.json"},
		{"-steps=7", 256, 7, 4, 2e-4, "asked for"},
		{"-bench=-batch=2", 256, 3, 2, 2e-4, "lorabench's flag is the peer's too"},
		{"-bench=-step-timeout=1h", 256, 3, 4, 2e-4, "a flag of the benchmark's that says nothing of the recipe"},
	} {
		t.Run(c.args, func(t *testing.T) {
			o, err := parse(append(strings.Fields(c.args), "-device=cpu"), io.Discard)
			require.NoError(t, err)
			s, err := o.settings()
			require.NoError(t, err)
			assert.Equal(t, []float64{c.length, c.steps, c.batch, c.lr}, []float64{float64(s.MaxLength), float64(o.steps), float64(s.Batch), s.LR}, c.why)
			assert.Equal(t, 3, o.lossSteps)
			assert.Equal(t, "step", o.turns)
			assert.True(t, filepath.IsAbs(o.model) && filepath.IsAbs(o.data) && filepath.IsAbs(o.tokenizer) && filepath.IsAbs(o.out), "both programs run elsewhere")
		})
	}
}

func TestHelp(t *testing.T) {
	var out, errs bytes.Buffer
	assert.Equal(t, 0, run([]string{"-help"}, &out, &errs))
	assert.Contains(t, errs.String(), "-loss-steps")
	assert.Empty(t, out.String())
}
