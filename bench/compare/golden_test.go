package compare

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/results"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o777))
		require.NoError(t, os.WriteFile(path, got, 0o666))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run go test -update")
	assert.Equal(t, string(want), string(got), "%s: look at the change, then run go test -update", path)
}

// written is an analysis as text.
func written(t *testing.T, a *Analysis) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, a.WriteText(&b))
	return b.Bytes()
}

const studyFile = "../../testdata/study/bench.txt"

func TestGoldenFiles(t *testing.T) {
	for _, c := range []struct {
		path, name, why string
	}{
		{studyFile, "study", "the reference study: one run per rank"},
		{"testdata/six.txt", "six", "six seeds of three ranks and full, as lorabench writes them"},
		{"testdata/arms.txt", "arms", "ranks and rates, two seeds, GOMAXPROCS' suffix, a target that was missed"},
	} {
		t.Run(c.name+": "+c.why, func(t *testing.T) {
			golden(t, c.name+".txt.golden", written(t, analyzed(t, results.Read(c.path), Options{})))
		})
	}
}
