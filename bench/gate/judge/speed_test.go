package judge

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// many is a file of so many result lines, as lorabench writes them: exact, and with a seed before each.
func many(lines, benchmarks int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	b.WriteString("Unit samples/sec better=higher\nmodel: testdata/small\ndata: train.jsonl.gz\nrecipe: reported\nsettings: batch=4 accum=4 max-length=1024\n" +
		"device: cpu\ncpu: AMD EPYC 7B13\nthreads: 2\ntorch: 2.11.0\ndtype: float32\ncommit: 5471c87f72b3\n\n")
	for i := range lines {
		if i%benchmarks == 0 {
			fmt.Fprintf(&b, "seed: %d\n", 42+i/benchmarks)
		}
		x := func(v float64) float64 { return v * (1 + 0.01*r.NormFloat64()) }
		fmt.Fprintf(&b, "BenchmarkRank/rank=%d-2 100 %v ns/op %v loss %v train-loss %v eval-loss %v samples/sec %v tokens/sec %v grad-norm %v peak-RSS-GB\n",
			1+i%benchmarks, x(5e7), x(1.67), x(1.68), x(1.75), x(319), x(13850), x(0.3), x(0.2))
	}
	return b.Bytes()
}

// BenchmarkJudge reads and judges 100,000 lines: 50,000 a side, of 10 benchmarks or of 5,000.
func BenchmarkJudge(b *testing.B) {
	for _, benchmarks := range []int{10, 5000} {
		b.Run(fmt.Sprintf("benchmarks=%d", benchmarks), func(b *testing.B) {
			dir := b.TempDir()
			old, new := filepath.Join(dir, "old.txt"), filepath.Join(dir, "new.txt")
			data := many(50_000, benchmarks)
			require.NoError(b, os.WriteFile(old, data, 0o644))
			require.NoError(b, os.WriteFile(new, data, 0o644))
			b.SetBytes(int64(2 * len(data)))
			for b.Loop() {
				x, y := ReadBoth(old, new)
				v := Judge(x, y, Options{})
				if v.Status != Pass {
					b.Fatal(v.Text)
				}
			}
		})
	}
}
