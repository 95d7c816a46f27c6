package bench

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
)

// onSmallDisk runs a child whose folder of results, its last argument, is a tmpfs of so many KiB, and copies what it left there to kept.
const onSmallDisk = `mount -t tmpfs -o size=$1k tmpfs "$2" || exit 77
kept=$3
small=$2
shift 3
"$@" -out="$small"
code=$?
cp -R "$small/." "$kept"
exit $code`

// TestAFullDiskLosesNothing fills the disk at each file that a study of two ranks writes: it ends with an error that names the file, and
// goes on, once there is room, to the records of a study that nothing happened to.
func TestAFullDiskLosesNothing(t *testing.T) {
	if out, err := exec.Command("unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", t.TempDir()).CombinedOutput(); err != nil {
		t.Skipf("needs a file system of its own (unshare, mount): %v: %s", err, out)
	}
	commitKnown(t)
	args := []string{"-ranks=2,4", "-test.benchtime=60x", "-save-steps=25", "-save-adapter", "-test.v"}
	whole := t.TempDir()
	out, code := ended(t, append(args, "-out="+whole)...)
	require.Zero(t, code, out)
	want, err := record.ReadDir(whole)
	require.NoError(t, err)

	named := map[string]bool{}
	for size := 4; code != 0 || size == 4; size += 24 {
		small, kept := t.TempDir(), t.TempDir()
		cmd := child(t, args...)
		cmd.Args = append([]string{"unshare", "-rm", "sh", "-c", onSmallDisk, "sh", fmt.Sprint(size), small, kept, cmd.Path}, cmd.Args[1:]...)
		cmd.Path, err = exec.LookPath("unshare")
		require.NoError(t, err)
		b, _ := cmd.CombinedOutput()
		if code = cmd.ProcessState.ExitCode(); code == 0 {
			require.Greater(t, size, 100, "a disk that was never full")
			break
		}
		require.Equal(t, 1, code, string(b))
		line := lineWith(string(b), "no space left on device")
		require.NotEmpty(t, line, "%d KiB: %s", size, b)
		for _, file := range []string{unfinished, checkpointed, "adapter_config.json", "adapter_model", "tensorboard", "seed=42.json", "bench.txt"} {
			named[file] = named[file] || strings.Contains(line, file)
		}
		require.Empty(t, glob(t, kept, ".*.*"), "half a file is left")

		out, again := ended(t, append(args, "-out="+kept)...)
		require.Zero(t, again, out)
		got, err := record.ReadDir(kept)
		require.NoError(t, err)
		require.Len(t, got, 2)
		for i := range want {
			require.Equal(t, computed(want[i]), computed(got[i]), "%d KiB: %s", size, want[i].Name)
		}
	}
	t.Logf("the disk was full at %v", named)
	require.True(t, named[checkpointed])
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}
