package bench

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/torch"
)

// held is what a process holds of what it could lose.
type held struct {
	Tensors           int64
	RSS               int64 // bytes
	Files, Goroutines int
	Threads           int64
}

func holds(t *testing.T) held {
	debug.FreeOSMemory()
	require.NoError(t, torch.CPU.EmptyCache())
	files, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	rss, err := procStatus("VmRSS")
	require.NoError(t, err)
	threads, err := procStatus("Threads") // in its unit of KiB
	require.NoError(t, err)
	return held{torch.Live(), *rss, len(files), runtime.NumGoroutine(), *threads / 1024}
}

// TestSoak opens, trains, saves, records and closes runs of several ranks and of an adapter's file, and holds as much after the last as after
// the first few. LORABENCH_SOAK=20000 takes so many steps, 100 a run.
func TestSoak(t *testing.T) {
	steps, _ := strconv.Atoi(os.Getenv("LORABENCH_SOAK"))
	each, runs := 100, steps/100
	if runs < 12 {
		each, runs = 10, 12
	}
	args := []string{"-ranks=2,8,full", "-limit=20", "-eval=2", "-max-length=16", "-batch=1", "-accum=1"}
	plain := small(t, each, append(args, "-out="+t.TempDir(), "-save-adapter")...)
	trained(t, plain, "2", 0)
	loaded := small(t, each, append(args[1:], "-out="+t.TempDir(), "-adapter="+filepath.Join(plain.Out, "rank=2,seed=0.adapter"))...)
	var first held
	for n := range runs {
		w, rank := plain, []string{"2", "8", "full"}[n%3]
		if n%4 == 3 {
			w, rank = loaded, "2"
		}
		trained(t, w, rank, int64(n))
		if n == 7 {
			first = holds(t)
		}
		if n > 7 && n%(runs/6+1) == 0 {
			t.Logf("%d steps: %+v", (n+1)*each, holds(t))
		}
	}
	last := holds(t)
	t.Logf("%d steps: %+v, after %d: %+v", 8*each, first, runs*each, last)
	require.Equal(t, first.Tensors, last.Tensors)
	require.LessOrEqual(t, last.Files, first.Files)
	require.LessOrEqual(t, last.Goroutines, first.Goroutines)
	require.LessOrEqual(t, last.Threads, first.Threads+2) // Go starts one when a call of the system takes long
	require.Less(t, last.RSS-first.RSS, int64(16<<20), "resident memory grows")
}

// trained takes a run from its start to its record, with a checkpoint on the way.
func trained(t *testing.T, w *Workload, rank string, seed int64) {
	r, err := w.Start(armOf(t, w, rank), seed)
	require.NoError(t, err)
	defer r.Close()
	r.Begin()
	for !r.Done() {
		require.NoError(t, r.Step())
	}
	require.NoError(t, inOrder(r.Save, r.End))
	rec, err := r.Record()
	require.NoError(t, err)
	require.NoError(t, rec.Save(w.Out))
	require.NoError(t, w.DropCheckpoint(rec))
}
