package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
)

func exampleRow() row {
	return row{Rank: 8, Peer: "stock", On: "cpu", DType: "float32", SpeedRatio: 1.8421, SpeedInterval: &[2]float64{1.7901, 1.8967}, MemoryRatio: 0.6249, LossDifference: 1.43e-6,
		Samples: 1.4, PeerSamples: 0.76, Tokens: 123.4, PeerTokens: 67, Memory: 3 << 30, PeerMemory: 48 << 26, MemoryKind: "rss",
		RealTokens: 6164, PeerPadded: 10712, Steps: 3, LossSteps: 4, Warmup: 1, Turns: "step", Recipe: "reported", MaxLength: 256, Batch: 4, Accum: 4,
		LR: 2e-4, Alpha: 16, Dropout: 0.1, PeerDType: "float32", PeerOptim: "adamw_torch", PeerAttention: "sdpa",
		Model: "hash:testdata/opt-350m/config.json", Machine: record.Machine{CPU: "abacus", Threads: 2, Torch: "2.11.0", Commit: "c0ffee"},
		Versions: map[string]string{"torch": "2.11.0", "transformers": "5.23.0", "peft": "0.21.2", "accelerate": "1.15.0", "python": "3.11.7"}}
}

func TestReport(t *testing.T) {
	stock := exampleRow()
	tuned := exampleRow()
	tuned.Peer, tuned.PeerOptim, tuned.PeerGrouped, tuned.PeerPadded, tuned.SpeedRatio = "tuned", "adamw_torch_fused", true, 7001, 0.95
	tuned.SpeedInterval = &[2]float64{0.9012, 1.0014}
	wide := stock
	wide.Rank, wide.Samples, wide.PeerSamples, wide.Tokens = 256, 134.2, 99.95, 12345
	gpuStock, gpuTuned := stock, tuned
	for _, r := range []*row{&gpuStock, &gpuTuned} {
		r.On, r.GPU, r.DType, r.TF32, r.MemoryKind, r.Turns = "cuda:0", "NVIDIA H100", "bfloat16", true, "gpu_allocated", "run"
		r.SpeedInterval, r.Machine.Driver = nil, "580.1"
	}
	gpuTuned.PeerDType, gpuTuned.PeerTF32 = "bfloat16", true
	process := stock
	process.MemoryKind, process.Machine.Threads = "process_rss", 1
	for name, c := range map[string]struct {
		rows  []row
		notes []string
		why   string
	}{
		"cpu":     {[]row{stock, tuned, wide}, nil, "columns stay aligned; a peer is explained once"},
		"cuda":    {[]row{gpuStock, gpuTuned}, nil, "the stock peer computes in float32 whatever lorabench does, and that is said"},
		"process": {[]row{process}, []string{"transformers is 5.17.0; 5.23.0 is what was tried."}, "where the peak cannot be reset; other versions are named"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			require.NoError(t, report(&out, c.rows, c.notes))
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				require.NoError(t, os.WriteFile(golden, out.Bytes(), 0o666))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err, "run with -update")
			assert.Equal(t, string(want), out.String(), c.why)
		})
	}
}

func TestQuoted(t *testing.T) {
	for _, c := range []struct{ arg, want, why string }{
		{"-ranks=8,128", "-ranks=8,128", "as it is"},
		{"-bench=-batch=2 -accum=1", "'-bench=-batch=2 -accum=1'", "a space"},
		{"-data=/home/me/sets/code.json", "-data=sets/code.json", "a folder of the user's is no part of a result"},
		{"/home/me/out", "me/out", "the value of a flag before it"},
		{"it's", `'it'\''s'`, "a quote"},
	} {
		assert.Equal(t, []string{c.want}, quoted([]string{c.arg}), c.why)
	}
}
