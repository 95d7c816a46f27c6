package bench

import (
	"fmt"
	"os/exec"
	"slices"
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
	whole := t.TempDir()
	args := []string{"-ranks=2,4", "-test.benchtime=30x", "-save-adapter", "-test.v"}
	out, code := ended(t, append(args, "-out="+whole)...)
	require.Zero(t, code, out)
	want, err := record.ReadDir(whole)
	require.NoError(t, err)

	unnamed := []string{unfinished, checkpointed, "adapter_model", "tensorboard", ".jsonl", "seed=42.json"}
	for _, every := range []string{"-save-steps=12", "-save-steps=0"} {
		code = 1
		for size := 4; code != 0; size += 16 {
			small, kept := t.TempDir(), t.TempDir()
			cmd := child(t, append(args, every)...)
			cmd.Args = append([]string{"unshare", "-rm", "sh", "-c", onSmallDisk, "sh", fmt.Sprint(size), small, kept, cmd.Path}, cmd.Args[1:]...)
			cmd.Path, err = exec.LookPath("unshare")
			require.NoError(t, err)
			b, _ := cmd.CombinedOutput()
			if code = cmd.ProcessState.ExitCode(); code == 0 {
				require.Greater(t, size, 100, "a disk that was never full")
				continue
			}
			require.Equal(t, 1, code, string(b))
			line := lineWith(string(b), "no space left on device")
			require.NotEmpty(t, line, "%d KiB: %s", size, b)
			unnamed = slices.DeleteFunc(unnamed, func(file string) bool { return strings.Contains(line, file) })
			require.Empty(t, glob(t, kept, ".*.*"), "half a file is left")

			out, again := ended(t, append(args, every, "-out="+kept)...)
			require.Zero(t, again, out)
			got, err := record.ReadDir(kept)
			require.NoError(t, err)
			require.Len(t, got, 2)
			for i := range want {
				require.Equal(t, computed(want[i]), computed(got[i]), "%d KiB: %s", size, want[i].Name)
			}
		}
	}
	t.Logf("the disk was never full at %v", unnamed)
	require.LessOrEqual(t, len(unnamed), 2)
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}
