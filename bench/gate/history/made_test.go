package history

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lorabench/bench/gate/judge"
)

// start is when the histories of the tests begin.
var start = time.Date(2026, 9, 1, 6, 30, 0, 0, time.UTC)

// hash is the i-th commit.
func hash(i int) string { return fmt.Sprintf("%012x", 0x5471c87f72b3+uint64(i)*0x9e3779b97f4b)[:12] }

// resultFile is a result file.
func resultFile(config map[string]string, order []string, results ...string) string {
	var b strings.Builder
	b.WriteString("Unit samples/sec better=higher\nUnit loss better=lower\n")
	for _, k := range order {
		if config[k] != "" {
			fmt.Fprintf(&b, "%s: %s\n", k, config[k])
		}
	}
	return b.String() + "\n" + strings.Join(results, "\n") + "\n"
}

// put appends a result file's text to dir.
func put(t testing.TB, dir, text string, at time.Time) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bench.txt")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	in, problems := judge.Read(path)
	require.Empty(t, problems)
	out, err := Append(dir, in, at)
	require.NoError(t, err)
	return out
}

// made is a history with what there is to see: two classes, three ranks, several runs and single ones, an
// outlier, a slow stretch that was put right, a loss that got better, memory that does not change.
func made(t testing.TB, dir string) {
	r := rand.New(rand.NewPCG(6, 6))
	noise := func(v, sd float64) float64 { return v * math.Exp(sd*r.NormFloat64()) }
	order := []string{"model", "recipe", "device", "gpu", "cpu", "threads", "torch", "dtype", "commit"}
	cpu := map[string]string{"model": "testdata/small", "recipe": "reported", "device": "cpu", "cpu": "AMD EPYC 7B13", "threads": "2", "torch": "2.11.0", "dtype": "float32"}
	gpu := map[string]string{"model": "facebook/opt-350m", "recipe": "reported", "device": "cuda:0", "gpu": "NVIDIA H100 80GB HBM3", "torch": "2.11.0", "dtype": "bfloat16"}
	for i := range 60 {
		cpu["commit"] = hash(i)
		var results []string
		for _, rank := range []int{8, 32, 128} {
			for range 4 {
				speed, loss, rss := 320-0.4*float64(rank), 1.67, 0.2+float64(rank)/2000
				if i >= 30 && i < 44 {
					speed *= 0.95
				}
				if i >= 52 {
					speed *= 1.08
				}
				if i == 12 {
					speed *= 0.8
				}
				if i >= 20 && rank > 8 {
					loss *= 0.99
				}
				speed, loss = noise(speed, 0.008), noise(loss, 0.001)
				results = append(results, fmt.Sprintf("BenchmarkRank/rank=%d-2 100 %v ns/op %v loss %v samples/sec %v grad-norm %v peak-RSS-GB", rank, 1.6e10/speed, loss, speed, noise(0.3, 0.05), noise(rss, 0.002)))
			}
		}
		if i%2 == 0 {
			results = append(results, fmt.Sprintf("BenchmarkPart/rank=8/part=attention-2 3 %v ns/op", noise(1.2e8, 0.01)), fmt.Sprintf("BenchmarkPart/rank=8/part=feed-forward-2 3 %v ns/op", noise(2.1e8, 0.01)))
		}
		at := start.Add(time.Duration(i) * 26 * time.Hour)
		put(t, dir, resultFile(cpu, order, results...), at)
		if i%3 == 0 {
			gpu["commit"] = hash(i)
			speed := 2600.0
			if i >= 40 {
				speed *= 0.9
			}
			put(t, dir, resultFile(gpu, order, fmt.Sprintf("BenchmarkRank/rank=8 1000 %v samples/sec %v loss", noise(speed, 0.01), noise(1.5, 0.001))), at)
		}
	}
}
