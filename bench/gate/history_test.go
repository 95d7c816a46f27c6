package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHistoryGrows(t *testing.T) {
	t.Chdir(t.TempDir())
	commit := func(name string, slower float64) {
		require.NoError(t, os.WriteFile(name+".txt", append([]byte("commit: "+name+"\n"), made(4, slower)...), 0o666))
	}
	commit("5471c87f72b3", 1)
	commit("0ff21c37a8d1", 1.3)
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run([]string{"-history=kept", "5471c87f72b3.txt"}, &stdout, &stderr), &stderr)
	require.Contains(t, stdout.String(), "history: the trend is kept/index.html")
	require.Len(t, mustGlob(t, "kept/*.txt"), 1)

	// With a baseline the results are judged and kept; what is printed stays one document.
	stdout.Reset()
	require.Equal(t, 1, run([]string{"-history=kept", "-format=json", "5471c87f72b3.txt", "0ff21c37a8d1.txt"}, &stdout, &stderr), &stderr)
	require.True(t, json.Valid(stdout.Bytes()))
	require.Contains(t, stderr.String(), "history: the results are kept/")
	require.Len(t, mustGlob(t, "kept/*.txt"), 2)

	// Drawn anew, from what is there.
	require.NoError(t, os.Remove("kept/index.html"))
	require.Equal(t, 0, run([]string{"-history=kept"}, &stdout, &stderr), &stderr)
	page, err := os.ReadFile("kept/index.html")
	require.NoError(t, err)
	require.Contains(t, string(page), "0ff21c37")

	// What cannot be used is not kept.
	require.NoError(t, os.WriteFile("bad.txt", []byte("BenchmarkX 1 NaN ns/op\n"), 0o666))
	require.NoError(t, os.WriteFile("anonymous.txt", made(4, 1), 0o666))
	for _, args := range [][]string{{"bad.txt"}, {"bad.txt", "bad.txt"}, {"anonymous.txt"}} {
		stderr.Reset()
		require.Equal(t, 2, run(append([]string{"-history=kept"}, args...), &stdout, &stderr), args)
	}
	require.Contains(t, stderr.String(), "commit", "it says what the results lack")
	require.Len(t, mustGlob(t, "kept/*.txt"), 2)
	require.Equal(t, 2, run([]string{"-history=" + strings.Repeat("none/", 3)}, &stdout, &stderr), "nothing to draw")
}
