package judge

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/bench/results"
)

// folder is a side: its results, and a record of each seed with memory in those categories.
func folder(t *testing.T, bench, parts string, mib map[string]int64, trainable int64) string {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bench.txt"), []byte(bench), 0o644))
	if parts != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "parts.txt"), []byte(parts), 0o644))
	}
	if mib == nil {
		return dir
	}
	for seed := range int64(2) {
		r := &record.Record{Name: "rank=8", Rank: "8", Seed: 42 + seed, GlobalStep: 1, Runtime: 1, Trainable: trainable, AdapterBytes: 4 * trainable}
		for _, c := range record.Categories {
			if v, ok := mib[c]; ok {
				v = v<<20 + seed
				r.Memory = append(r.Memory, record.Category{Name: c, Measured: &v})
			}
		}
		require.NoError(t, r.Save(dir))
	}
	return dir
}

func causes(v *Verdict) (all []string) {
	for _, r := range v.Results {
		all = append(all, r.Causes...)
	}
	return all
}

func compared(t *testing.T, old, new string) *Verdict {
	a, b := ReadBoth(old, new)
	return Judge(a, b, Options{})
}

func TestWhichMemoryGrew(t *testing.T) {
	const form = "BenchmarkRank/rank=8 1 %v peak-RSS-GB"
	old := folder(t, lines(form, 2, 2.01, 1.99, 2), "", map[string]int64{record.Weights: 1000, record.Activations: 500, record.Workspace: 100, record.Head: 100}, 8)
	new := folder(t, lines(form, 2.2, 2.21, 2.19, 2.2), "", map[string]int64{record.Weights: 1000, record.Activations: 680, record.Workspace: 90, record.Head: 101, record.Slack: 19}, 8)
	v := compared(t, old, new)
	require.Equal(t, Worse, v.Status, v.Text)
	assert.Equal(t, []string{"Rank/rank=8: activations takes 680 MiB instead of 500 MiB (+36 %), 90 % of what the categories grew by.",
		"Rank/rank=8: slack takes 19 MiB instead of 0 B, 9.5 % of what the categories grew by."}, causes(v), "what grew by less than 5 % of the whole is not named")
	assert.Equal(t, CallSame, of(t, v, results.AdapterBytes).Call)
	assert.Equal(t, CallSame, of(t, v, results.Parameters).Call)

	v = compared(t, old, folder(t, lines(form, 2.2, 2.21, 2.19, 2.2), "", nil, 0))
	assert.Contains(t, strings.Join(causes(v), "\n"), "Which memory of Rank/rank=8 grew cannot be told")
	v = compared(t, old, folder(t, lines(form, 2.2, 2.21, 2.19, 2.2), "", map[string]int64{record.Weights: 1000}, 8))
	assert.Contains(t, strings.Join(causes(v), "\n"), "no category of its run records grew")
}

func TestCountsOfRecords(t *testing.T) {
	const form = "BenchmarkRank/rank=8 1 %v peak-RSS-GB"
	text := lines(form, 2, 2.01, 1.99, 2)
	old, new := folder(t, text, "", map[string]int64{}, 8), folder(t, text, "", map[string]int64{}, 9)
	v := compared(t, old, new)
	assert.Equal(t, Worse, v.Status)
	assert.Contains(t, of(t, v, results.AdapterBytes).Why, "12.5 % higher: seed 42 gives 36 instead of 32, 2 of 2 seeds differ")
	assert.Contains(t, of(t, v, results.Parameters).Why, "it must not change: seed 42 gives 9 instead of 8")
	v = compared(t, old, folder(t, text, "", nil, 0))
	assert.Equal(t, Pass, v.Status, "what records only one side has says nothing")

	// Records beside both sides' files are of one of them at most.
	require.NoError(t, os.WriteFile(filepath.Join(old, "new.txt"), []byte(text), 0o644))
	v = compared(t, filepath.Join(old, "bench.txt"), filepath.Join(old, "new.txt"))
	assert.Len(t, v.Results, 1)

	require.NoError(t, os.WriteFile(filepath.Join(old, "rank=8,seed=44.json"), []byte("{"), 0o644))
	v = compared(t, old, new)
	assert.Contains(t, strings.Join(v.Notes, "\n"), "1 run record in "+old+" cannot be read")
	assert.Equal(t, Worse, v.Status)
}

func TestWhichPartSlowed(t *testing.T) {
	slow := func(seconds ...float64) string { return lines("BenchmarkRank/rank=8-2 1 %v sec/op", seconds...) }
	parts := func(rank string, attention, head, matmul, gradient, optimizer float64) string {
		var b strings.Builder
		for _, p := range []struct {
			name string
			ms   float64
		}{{"matmul", matmul}, {"attention", attention}, {"head", head}, {"gradient", gradient}, {"forward", gradient / 3}, {"optimizer", optimizer}} {
			b.WriteString(lines("BenchmarkPart/"+rank+"part="+p.name+"-2 3 %v ns/op 7 GFLOP/s", p.ms*1e6))
		}
		return b.String()
	}
	old, new := slow(1, 1.01, 0.99, 1), slow(1.1, 1.11, 1.09, 1.1)
	for _, c := range []struct {
		why, old, new string
		causes        []string
		note          string
	}{
		{"attention, which the gradient contains", parts("rank=8/", 10, 20, 50, 100, 5), parts("rank=8/", 19, 20, 50, 110, 5),
			[]string{"Rank/rank=8: part=attention takes 19 ms instead of 10 ms (+90 %), 100 % of what the parts slowed by."}, ""},
		{"two, the larger first", parts("rank=8/", 10, 20, 50, 100, 5), parts("rank=8/", 13, 20, 59, 111, 5),
			[]string{"part=matmul takes 59 ms instead of 50 ms (+18 %), 75 %", "part=attention takes 13 ms"}, ""},
		{"within 3 % of one sample each", parts("rank=8/", 10, 20, 50, 100, 5), parts("rank=8/", 10.2, 20.2, 50.5, 101, 5.1), nil, "none of its 6 parts is"},
		{"between the parts: the gradient itself", parts("rank=8/", 10, 20, 50, 100, 5), parts("rank=8/", 10, 20, 50, 110, 5),
			[]string{"part=gradient takes 110 ms instead of 100 ms (+10 %), ", "part=forward takes"}, ""},
		{"another rank's", parts("rank=128/", 10, 20, 50, 100, 5), parts("rank=128/", 19, 20, 50, 110, 5), nil, "no benchmark of its parts is on both sides. Run go test -bench=Part"},
		{"of all ranks", parts("", 10, 20, 50, 100, 5), parts("", 10, 20, 50, 100, 9), []string{"part=optimizer takes 9 ms instead of 5 ms"}, ""},
		{"on one side only", parts("", 10, 20, 50, 100, 5), "", nil, "no benchmark of its parts"},
	} {
		v := judged(t, old+c.old, new+c.new, "", Options{})
		require.Equal(t, Worse, v.Status, c.why)
		if c.note != "" {
			c.causes = []string{c.note}
		}
		require.Len(t, causes(v), len(c.causes), "%s: %+v", c.why, causes(v))
		for i, text := range c.causes {
			assert.Contains(t, causes(v)[i], text, c.why)
		}
		assert.Len(t, v.Results, 1, "parts are not judged")
	}
	v := judged(t, old, old+parts("", 1, 1, 1, 1, 1), "", Options{})
	assert.Equal(t, Pass, v.Status)
	assert.Empty(t, v.Added)
	assert.Empty(t, causes(v), "nothing is worse")
}
