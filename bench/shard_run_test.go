package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/shard"
)

// TestPartsOfAStudy deals a study of three ranks and two seeds to processes: every cell is there once, and its losses are, bit
// by bit, those of one process. Blocks are whole where there are as many as parts.
func TestPartsOfAStudy(t *testing.T) {
	commitKnown(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	args := []string{"-ranks=2,4,full", "-test.count=2", "-test.benchtime=6x", "-dropout=0.1"}
	single := t.TempDir()
	out, code := ended(t, append(args, "-out="+single)...)
	require.Zero(t, code, out)
	want, notes, err := shard.Merge([]string{single})
	require.NoError(t, err)
	require.Empty(t, notes)
	require.Len(t, want, 6)
	for _, c := range []struct {
		why       string
		n, empty  int
		scattered bool
	}{
		{"a block each", 2, 0, false},
		{"more parts than blocks", 5, 0, true},
		{"more parts than cells", 7, 1, true},
	} {
		t.Run(c.why, func(t *testing.T) {
			dir := t.TempDir()
			empty := 0
			for i := range c.n {
				t.Setenv("SLURM_ARRAY_TASK_ID", fmt.Sprint(i))
				part := append(args, fmt.Sprintf("-shard=slurm/%d", c.n), "-out="+dir)
				out, code := ended(t, part...)
				require.Zero(t, code, out)
				if strings.Contains(out, "of the study has no run: there are 6.") {
					empty++
					continue
				}
				own := filepath.Join(dir, shard.Part{I: i, N: c.n}.Folder())
				require.FileExists(t, filepath.Join(own, "bench.txt"))
				if i > 0 {
					continue
				}
				out, code = ended(t, part...) // a task that is queued again after its end
				require.Zero(t, code, out)
			}
			require.Equal(t, c.empty, empty)
			got, notes, err := shard.Merge([]string{dir})
			require.NoError(t, err)
			require.Len(t, got, len(want))
			for i := range want {
				require.Equal(t, want[i].FileName(), got[i].FileName())
				require.Equal(t, computed(want[i]), computed(got[i]), want[i].FileName())
				require.Equal(t, want[i].Settings.Kernels, got[i].Settings.Kernels)
				require.Equal(t, c.scattered, got[i].Scattered)
				require.Equal(t, want[i].Block, got[i].Block)
			}
			require.Equal(t, c.scattered, strings.Contains(strings.Join(notes, "\n"), "arms ran in several processes: 42 and 43."), notes)
		})
	}
}

// TestPartsAgreeOnKernels: what the first process chose computes the others' runs too.
func TestPartsAgreeOnKernels(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out", "kernels.txt")
	before, err := readKernels(path)
	require.NoError(t, err)
	require.Equal(t, "auto", before)
	for _, name := range []string{"layers=own,head=own", "layers=libtorch,head=own"} {
		got, err := agreeOnKernels(path, name)
		require.NoError(t, err)
		require.Equal(t, "layers=own,head=own", got, "the first stays")
	}
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.NoError(t, os.WriteFile(path, []byte("layers="), 0o666))
	_, err = readKernels(path)
	require.ErrorContains(t, err, "was not written to its end")
}

func TestPartsThatAreRefused(t *testing.T) {
	commitKnown(t)
	out, code := ended(t, "-ranks=2", "-shard=3/2")
	require.Equal(t, 1, code)
	require.Contains(t, out, "-shard: 3/2: part 3 of 2 does not exist")
}
