package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"lorabench/bench/record"
	"lorabench/internal/decoder"
	"lorabench/internal/smollm2"
	"lorabench/internal/torch"
)

// small is the repository's model with few records.
func small(t *testing.T, steps int, args ...string) *Workload {
	s, _, err := parse(t, steps, append([]string{"-device=cpu", "-model=" + smallModel, "-data=" + smallData, "-limit=200", "-eval=20", "-batch=2",
		"-accum=2"}, args...)...)
	require.NoError(t, err)
	w, err := LoadWorkload(context.Background(), s, nil)
	require.NoError(t, err)
	t.Cleanup(w.Close)
	return w
}

func runOnce(t *testing.T, w *Workload, rank string, seed int64, steps int) *record.Record {
	r, err := w.Start(armOf(t, w, rank), seed)
	require.NoError(t, err)
	defer r.Close()
	r.Begin()
	for range steps {
		require.NoError(t, r.Step())
	}
	require.NoError(t, r.End())
	rec, err := r.Record()
	require.NoError(t, err)
	return rec
}

// armOf is the workload's first arm with another rank.
func armOf(t *testing.T, w *Workload, rank string) Arm {
	s := w.Settings
	s.Ranks = []string{rank}
	return s.Arms()[0]
}

func losses(r *record.Record) (v []float64) {
	for _, s := range r.Steps {
		v = append(v, s.Loss)
	}
	return v
}

func TestARunDependsOnNothingThatRanBefore(t *testing.T) {
	w := small(t, 4)
	live := torch.Live()
	first := runOnce(t, w, "8", 1, 4)
	runOnce(t, w, "full", 1, 4)
	runOnce(t, w, "32", 2, 4)
	again := runOnce(t, w, "8", 1, 4)
	require.Equal(t, losses(first), losses(again), "bit for bit")
	require.Equal(t, first.EvalLoss, again.EvalLoss)
	require.Equal(t, live, torch.Live(), "a run leaves no tensor behind")
	other := runOnce(t, w, "8", 2, 4)
	require.NotEqual(t, losses(first), losses(other), "another seed is another run")
	// Paired: rank 32's first loss is rank 8's, since B is 0 in both and the data are the same.
	require.InDelta(t, first.Steps[0].Loss, runOnce(t, w, "32", 1, 4).Steps[0].Loss, 0.2)
	require.Equal(t, first.RealTokens, runOnce(t, w, "full", 1, 4).RealTokens, "same seed, same data")
}

func TestWithoutDropoutAllRanksStartAtTheSameLoss(t *testing.T) {
	w := small(t, 2, "-dropout=0", "-model-dropout=0")
	first := runOnce(t, w, "4", 1, 2).Steps[0].Loss
	for _, rank := range []string{"16", "64", "full"} {
		require.InDelta(t, first, runOnce(t, w, rank, 1, 2).Steps[0].Loss, 1e-6, rank)
	}
}

func TestRecordSaysWhatWasMeasured(t *testing.T) {
	w := small(t, 12)
	rec := runOnce(t, w, "8", 3, 12)
	require.Equal(t, 12, rec.GlobalStep)
	require.Len(t, rec.Steps, 12)
	require.EqualValues(t, 2*2*2*8*256, rec.Trainable, "layers x projections x (A and B) x r x hidden")
	sum, last := 0.0, 0.0
	for i, s := range rec.Steps {
		sum += s.Loss
		if i >= 2 {
			last += s.Loss
		}
		require.InDelta(t, 2e-4*float64(12-i)/12, s.LearningRate, 1e-12)
	}
	require.InDelta(t, sum/12, rec.TrainLoss, 1e-12, "the mean of all steps")
	require.InDelta(t, last/10, rec.Loss, 1e-12, "the mean of the last ten")
	require.Zero(t, rec.LearningRate, "the Trainer logs the rate of the step to come")
	require.InDelta(t, 12*4/180.0, rec.Epoch, 1e-12, "48 of 180 records")
	require.InEpsilon(t, 48/rec.Runtime, rec.SamplesPerSecond, 1e-9)
	require.InEpsilon(t, float64(rec.RealTokens)/rec.Runtime, rec.TokensPerSecond, 1e-9)
	require.Greater(t, rec.PaddedTokens, rec.RealTokens)
	_, n := decoder.NumParameters(w.Base.Config)
	require.Equal(t, 6*float64(n+rec.Trainable)*float64(rec.PaddedTokens), rec.TotalFLOPs)
	require.Equal(t, 20, rec.Data.Held)
	require.NotNil(t, rec.EvalLoss)
	require.Less(t, *rec.EvalLoss, *rec.Data.EvalLossBase+0.05)
	require.Nil(t, rec.PeakMemory.GPUAllocated, "no GPU, no figure")
	units := map[string]float64{}
	for _, m := range rec.Metrics() {
		require.False(t, math.IsNaN(m.Value) || math.IsInf(m.Value, 0), m.Unit)
		units[m.Unit] = m.Value
	}
	for _, u := range []string{"ns/op", "loss", "train-loss", "eval-loss", "samples/sec", "tokens/sec", "grad-norm"} {
		require.Contains(t, units, u)
	}
	require.NotContains(t, units, "peak-GPU-GB")
	if rec.PeakMemory.RSS != nil {
		require.InDelta(t, float64(*rec.PeakMemory.RSS)/(1<<30), units["peak-RSS-GB"], 1e-9)
	}

	without := small(t, 1, "-eval=0")
	rec = runOnce(t, without, "8", 1, 1)
	require.Nil(t, rec.EvalLoss)
	for _, m := range rec.Metrics() {
		require.NotEqual(t, "eval-loss", m.Unit, "never a metric that was not measured")
	}
}

func TestRecordsAndResultsAreWrittenWhole(t *testing.T) {
	w := small(t, 2)
	dir := t.TempDir()
	var rs []*record.Record
	for seed := w.Seed; seed < w.Seed+2; seed++ {
		rec := runOnce(t, w, "8", seed, 2)
		require.NoError(t, rec.Save(dir))
		rs = append(rs, rec)
		require.NoError(t, WriteResults(dir, w.ConfigLines(), rs, 4))
		var back record.Record
		b, err := os.ReadFile(filepath.Join(dir, rec.FileName()+".json"))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, &back))
		require.NotEmpty(t, back.Checksum)
		back.Checksum = ""
		require.Equal(t, *rec, back, "every value survives exactly")
	}
	f, err := os.Open(filepath.Join(dir, "bench.txt"))
	require.NoError(t, err)
	defer f.Close()
	r := benchfmt.NewReader(f, "bench.txt")
	n := 0
	for r.Scan() {
		switch x := r.Result().(type) {
		case *benchfmt.Result:
			n++
			require.Equal(t, "Rank/rank=8-4", x.Name.String())
			require.Equal(t, "testdata/small", x.GetConfig("model"))
			require.Equal(t, "reported", x.GetConfig("recipe"))
			require.Equal(t, "42", x.GetConfig("seed"))
			require.Equal(t, w.ModelInfo.SHA256[:12], x.GetConfig("model-sha256"))
			require.Regexp(t, `^batch=2 accum=2 max-length=\d+ alpha=16 lr=2e-4 targets=q,v dropout=0.1 model-dropout=0.1 order=random limit=\d+ eval=\d+ steps=2 graphs=off row-tokens=1024$`, x.GetConfig("settings"))
			require.NotEmpty(t, x.GetConfig("cpu"))
			require.NotEmpty(t, x.GetConfig("threads"))
		case *benchfmt.SyntaxError:
			t.Fatal(x)
		}
	}
	require.NoError(t, r.Err())
	require.Equal(t, 2, n)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 3, "no half-written file is left")
}

// TestWhyThereWereNoGraphsIsInTheResult: beside a note that was there, and not with the runs that had graphs.
func TestWhyThereWereNoGraphsIsInTheResult(t *testing.T) {
	dir := t.TempDir()
	var rs []*record.Record
	for _, failed := range []string{"", "out of memory", ""} {
		rs = append(rs, &record.Record{Name: "rank=8", GlobalStep: 1, GraphsFailed: failed})
	}
	require.NoError(t, WriteResults(dir, [][2]string{{"note", "small"}}, rs, 1))
	f, err := os.Open(filepath.Join(dir, "bench.txt"))
	require.NoError(t, err)
	defer f.Close()
	var notes []string
	for r := benchfmt.NewReader(f, "bench.txt"); r.Scan(); {
		if x, ok := r.Result().(*benchfmt.Result); ok {
			notes = append(notes, x.GetConfig("note"))
		}
	}
	require.Equal(t, []string{"small", "small; rank=8 ran without CUDA graphs: out of memory", "small"}, notes)
}

func TestPreamble(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Preamble(&b, [][2]string{{"model", "testdata/small"}, {"cpu", "left to go test"}, {"recipe", "reported"}}))
	require.Equal(t, `model: testdata/small
recipe: reported
Unit loss better=lower
Unit train-loss better=lower
Unit eval-loss better=lower
Unit forget-loss better=lower
Unit samples/sec better=higher
Unit tokens/sec better=higher
Unit peak-GPU-GB better=lower
Unit peak-RSS-GB better=lower
Unit sec-to-loss better=lower
`, b.String())
}

func TestDivergenceIsNoResult(t *testing.T) {
	w := small(t, 3, "-lr=1e30")
	r, err := w.Start(armOf(t, w, "8"), 1)
	if err == nil {
		defer r.Close()
		r.Begin()
		for range 3 {
			require.NoError(t, r.Step())
		}
		require.NoError(t, r.End())
		_, err = r.Record()
	}
	require.ErrorContains(t, err, "the training diverged; lower -lr or -alpha")
}

// TestAmongSeveralRatesDivergenceIsARecord: it has no result, and goes through its file.
func TestAmongSeveralRatesDivergenceIsARecord(t *testing.T) {
	w := small(t, 3, "-lr=1e30,1e-3", "-eval-every=1", "-forget="+smallOther)
	rec := runOnce(t, w, "8", 1, 3)
	require.Positive(t, rec.Diverged)
	require.Len(t, rec.Steps, rec.Diverged-1)
	require.Empty(t, rec.Metrics())
	require.Nil(t, rec.EvalLoss)
	dir := t.TempDir()
	require.NoError(t, rec.Save(dir))
	back, err := record.Read(filepath.Join(dir, rec.FileName()+".json"))
	require.NoError(t, err)
	require.Equal(t, rec, back)

	s := w.Settings
	s.LRs = s.LRs[1:]
	r, err := w.Start(s.Arms()[0], 1)
	require.NoError(t, err)
	defer r.Close()
	for range 3 {
		require.NoError(t, r.Step())
	}
	require.NoError(t, r.End())
	rec, err = r.Record()
	require.NoError(t, err)
	require.Zero(t, rec.Diverged)
	require.NotNil(t, rec.EvalLoss)
}

func TestWorkloadsThatAreRefused(t *testing.T) {
	other := t.TempDir()
	for _, c := range []struct {
		why  string
		args []string
		text string
	}{
		{"no such model", []string{"-model=/nowhere", "-data=testdata/small/train.jsonl.gz"}, "-model"},
		{"a model without weights", []string{"-model=" + other, "-data=testdata/small/train.jsonl.gz"}, "config.json"},
		{"real weights that are not prepared", []string{"-model=smollm2", "-data=testdata/small/train.jsonl.gz"}, "-model smollm2: smollm2 is not prepared"},
		{"no such data", []string{"-model=testdata/small", "-data=/nowhere.json"}, "/nowhere.json"},
		{"another model's tokenizer", []string{"-model=testdata/parity/post", "-tokenizer=testdata/small", "-data=testdata/small/train.jsonl.gz", "-limit=2", "-eval=0"}, "testdata/small has ids up to 1023, the model's vocabulary is"},
		{"a kernel that there is not", []string{"-model=testdata/small", "-data=testdata/small/train.jsonl.gz", "-kernels=head=abacus"}, `-kernels: head is "abacus": this processor has `},
		{"nothing left to train on", []string{"-model=testdata/small", "-data=testdata/small/train.jsonl.gz", "-limit=20", "-eval=20"}, "-eval 20"},
	} {
		t.Run(c.why, func(t *testing.T) {
			s, _, err := parse(t, 1, append([]string{"-device=cpu"}, c.args...)...)
			require.NoError(t, err)
			live := torch.Live()
			t.Setenv("HF_HUB_OFFLINE", "1")
			t.Setenv("XDG_CACHE_HOME", t.TempDir())
			_, err = LoadWorkload(context.Background(), s, nil)
			require.ErrorContains(t, err, c.text)
			require.Equal(t, live, torch.Live())
		})
	}
	w := small(t, 1, "-adapter=testdata/parity/post/adapter")
	_, err := w.Start(armOf(t, w, "5"), 1)
	require.Error(t, err)
	require.True(t, strings.HasPrefix(err.Error(), "rank=5, seed 1: "), err)
}

// TestAddedTokenOutsideTheVocabulary: a token for padding that no record has does not matter, and one that ends a record, where it is only a
// label, is refused.
func TestAddedTokenOutsideTheVocabulary(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"vocab.json", "merges.txt"} {
		b, err := os.ReadFile(filepath.Join("..", smallModel, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o644))
	}
	for name, text := range map[string]string{"added_tokens.json": `{"<extra>": 1024}`, "tokenizer_config.json": `{"tokenizer_class": "GPT2Tokenizer",
		"add_bos_token": true, "bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}`} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	require.Equal(t, small(t, 1).Train, small(t, 1, "-tokenizer="+dir).Train)
	records := filepath.Join(dir, "records.jsonl")
	plain, ends := `{"instruction": "q", "output": "b"}`+"\n", `{"instruction": "a", "output": "b<extra>"}`+"\n"
	for _, c := range []struct{ why, records, flag, text string }{
		{"in training", ends + strings.Replace(ends, "b<", "c<", 1), "-data=" + records, ": the tokenizer"},
		{"held out", ends + plain, "-data=" + records, "held-out records: the tokenizer"},
		{"other text", ends, "-forget=" + records, "-forget"},
	} {
		require.NoError(t, os.WriteFile(records, []byte(c.records), 0o644))
		s, _, err := parse(t, 1, "-device=cpu", "-model="+smallModel, "-data="+smallData, "-limit=20", "-eval=1", "-tokenizer="+dir, c.flag)
		require.NoError(t, err, c.why)
		_, err = LoadWorkload(t.Context(), s, nil)
		require.ErrorContains(t, err, `gives "<extra>" id 1024, the model's vocabulary is 1024`, c.why)
		require.ErrorContains(t, err, c.text, c.why)
	}
}

// TestAllLinearIsRecordedAsGiven: records and arms show the flag, whose names only the saved adapter lists.
func TestAllLinearIsRecordedAsGiven(t *testing.T) {
	w := small(t, 1, "-targets=all-linear:q_proj")
	all, query := w.Arms()[0], w.Arms()[1]
	rec := runOnce(t, w, all.Rank, 1, 1)
	require.Equal(t, []string{"all-linear"}, rec.Settings.Targets)
	require.Contains(t, query.Name, "targets=q")
	require.Contains(t, all.Name, "targets=all-linear")
}

func TestRealWeightsByName(t *testing.T) {
	if _, err := smollm2.Folder(); err != nil {
		t.Skipf("skipped: %v", err)
	}
	s, _, err := parse(t, 1, "-device=cpu", "-model="+smollm2.Name, "-data="+smallData, "-limit=20", "-eval=0")
	require.NoError(t, err)
	w, err := LoadWorkload(t.Context(), s, nil)
	require.NoError(t, err)
	defer w.Close()
	require.Equal(t, "smollm2", w.ModelInfo.Name, "no path of the user's cache")
	require.Equal(t, "smollm2", w.recorded().Model)
	require.EqualValues(t, 134_515_008, w.ModelInfo.Parameters)
	require.Equal(t, 49152, w.tokenizer.Vocabulary(), "its own tokenizer")
}
