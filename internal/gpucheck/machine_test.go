package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lorabench/internal/root"
)

// fakeBundle is a bundle of shell scripts, under which the test runs.
func fakeBundle(t *testing.T, scripts map[string]string) {
	top := t.TempDir()
	t.Setenv(root.Variable, top)
	require.NoError(t, os.WriteFile(filepath.Join(top, root.ManifestName), []byte(`{"commit": "c"}`), 0o666))
	require.NoError(t, os.MkdirAll(filepath.Join(top, "bin"), 0o777))
	for name, script := range scripts {
		require.NoError(t, os.WriteFile(filepath.Join(top, "bin", name), []byte("#!/bin/sh\n"+script), 0o777))
	}
}

// call is a session as flags make it, with this folder in place of model and data.
func call(t *testing.T, out string, args ...string) *session {
	o, err := parse(append([]string{"-out=" + out, "-model=.", "-data=.", "-tokenizer=."}, args...), os.Stderr)
	require.NoError(t, err)
	return &session{options: o, log: &bytes.Buffer{}, deadline: time.Now().Add(time.Minute), ended: map[int]string{}}
}

func TestDeviceHasItsOwnName(t *testing.T) {
	fakeBundle(t, map[string]string{"check": `case "$*" in
*cuda:1) echo "device    cuda:1, Second";;
*) echo "device    cuda:0, First";;
esac`})
	for _, c := range []struct{ flag, device, name string }{
		{"auto", "cuda:0", "First"}, {"cuda", "cuda:0", "First"}, {"cuda:1", "cuda:1", "Second"}, {"cpu", "cpu", "cpu"},
	} {
		s := call(t, t.TempDir(), "-stages=1", "-device="+c.flag)
		require.NoError(t, s.prepare(t.Context()))
		require.Empty(t, s.noDevice)
		require.Equal(t, []string{c.device, c.name}, []string{s.device, s.deviceName}, c.flag)
	}
}

// TestCheckThatFails: what needs no card still runs, and an earlier result of the card stays as it is.
func TestCheckThatFails(t *testing.T) {
	for _, c := range []struct{ script, device, why string }{
		{"echo 'missing   a card that works'; exit 1", "auto", "a card that works"},
		{"exec sleep 600", "auto", "ended at its limit of 2s"},
		{"echo 'driver    none: training runs on the CPU'", "cuda", "this machine has none that works"},
	} {
		fakeBundle(t, map[string]string{"check": c.script})
		out := t.TempDir()
		s := call(t, out, "-stages=1-2,4", "-device="+c.device)
		s.deadline = time.Now().Add(2 * time.Second)
		kept := &result{Stage: 2, Commit: "c", Device: "card", Items: []item{{Name: "done"}}}
		require.NoError(t, s.put(&stages()[1], kept, item{Name: "done"}))
		before, err := os.ReadFile(s.resultPath(&stages()[1]))
		require.NoError(t, err)
		require.NoError(t, s.prepare(t.Context()))
		require.Contains(t, s.noDevice, c.why)
		require.ErrorContains(t, s.runStages(t.Context()), "failed or are missing")
		require.Contains(t, s.ended[1], "skipped: ")
		require.Contains(t, s.ended[2], c.why)
		require.NotContains(t, s.ended[4], "skipped: ", "it needs no card")
		var first result
		b, err := os.ReadFile(s.resultPath(&stages()[0]))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, &first))
		require.Contains(t, first.Error, c.why)
		after, err := os.ReadFile(s.resultPath(&stages()[1]))
		require.NoError(t, err)
		require.Equal(t, string(before), string(after))
		var table strings.Builder
		require.NoError(t, s.table(&table))
		require.Equal(t, 2, strings.Count(table.String(), c.why), table.String())
	}
}

// TestStageThatCannotRun: one stage's damaged file ends that stage alone.
func TestStageThatCannotRun(t *testing.T) {
	fakeBundle(t, map[string]string{"check": `echo "device    cuda:0, First"`})
	s := call(t, t.TempDir(), "-stages=1,6", "-ranks=2")
	require.NoError(t, s.prepare(t.Context()))
	require.NoError(t, os.WriteFile(s.resultPath(&stages()[0]), []byte("{"), 0o666))
	require.ErrorContains(t, s.runStages(t.Context()), "4 runs or stages failed", "the stage, and three programs that are not there")
	require.Contains(t, s.ended[1], "remove it, or name another -out")
	var table strings.Builder
	require.NoError(t, s.table(&table))
	require.Contains(t, table.String(), "remove it, or name another -out")
	require.Contains(t, table.String(), "6. where a step's time goes")
}
