package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/torch"
)

// TestKernelsAreASetting: what computes is written down with every result, and an unfinished study goes on with its own, whatever would be
// chosen now.
func TestKernelsAreASetting(t *testing.T) {
	before := torch.CurrentKernels()
	t.Cleanup(func() { torch.SetKernels(before) })
	w := small(t, 2, "-kernels=layers=libtorch,head=libtorch")
	want := torch.CurrentKernels().String()
	require.Contains(t, want, "layers=libtorch,head=libtorch,")
	require.Equal(t, want, runOnce(t, w, "2", 1, 2).Settings.Kernels)
	require.Contains(t, w.ConfigLines(), [2]string{"kernels", want})

	dir := t.TempDir()
	study, err := w.Study(nil)
	require.NoError(t, err)
	_, _, err = study.Open(dir)
	require.NoError(t, err)
	study.release()
	torch.SetKernels(before)
	require.Equal(t, want, small(t, 2, "-out="+dir).Kernels)
	require.Equal(t, want, torch.CurrentKernels().String())

	path := filepath.Join(dir, unfinished)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(b), want, "layers=abacus", 1)), 0o666))
	require.NotContains(t, small(t, 2, "-out="+dir).Kernels, "abacus", "what another machine had is measured anew")
}
