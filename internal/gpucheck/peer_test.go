package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lorabench/internal/root"
)

// fakePeer writes a peer.json for the rank asked for, and notes how it was called. Of rank 4 it has nothing.
const fakePeer = `
for a; do
	case $a in
	-check) echo "python 3, torch 2"; exit 0 ;;
	-out=*) out=${a#*=} ;;
	-ranks=*) rank=${a#*=} ;;
	esac
done
printf '%s\n' "$@"
[ "$rank" != 4 ] || { echo "no room for rank 4"; exit 1; }
cat >"$out/peer.json" <<JSON
[{"rank": $rank, "peer": "stock", "dtype": "bfloat16", "samples_per_second": 80, "peer_samples_per_second": 40,
  "samples_per_second_ratio": 2, "samples_per_second_ratio_interval": [1.9, 2.1],
  "peak_memory_bytes": 1073741824, "peer_peak_memory_bytes": 3221225472, "max_step_loss_difference": 0.001,
  "step_seconds": [0.1, 0.1, 0.1], "peer_step_seconds": [0.19, 0.2, 0.21], "step_loss": [3, 2, 1], "peer_step_loss": [3, 2.5, 2]}]
JSON
`

func TestPeer(t *testing.T) {
	for _, c := range []struct{ memory, turns, why string }{
		{"139.8 GiB, 139.2 free", "round", "seven programs fit"}, {"15.7 GiB, 15.1 free", "step", "two do"},
	} {
		fakeBundle(t, map[string]string{"check": "echo 'device    cuda:0, First'; echo 'memory    " + c.memory + "'", "peer": fakePeer})
		s := call(t, t.TempDir(), "-stages=3,5", "-ranks=2,4", "-steps=7", "-peer-steps=3", "-long-steps=9", "-max-length=48", "-bench=-batch=2")
		require.NoError(t, s.prepare(t.Context()))
		require.Empty(t, s.noPeer)
		failed, err := s.runStage(t.Context(), &stages()[2], 20*time.Second)
		require.NoError(t, err)
		require.Equal(t, 1, failed, "rank 4")
		r, err := s.load(&stages()[2])
		require.NoError(t, err)
		require.Len(t, r.Items, 2)
		require.Contains(t, r.Items[1].Error, "no room for rank 4")
		require.Equal(t, "rank=2", r.Items[0].Name)
		require.Len(t, r.Items[0].Rows, 1)
		found := r.Items[0].Rows[0]
		require.Equal(t, "bf16 beside stock", found.Name)
		for column, want := range map[string]float64{"samples/s": 80, "peer's": 40, "step ms": 100, "peer's step ms": 200, "times as fast": 2,
			"peak GiB": 1, "peer's peak": 3, "of it": 1. / 3} {
			require.InDelta(t, want, found.value(column), 1e-9, column)
		}
		require.Contains(t, found.Figures, figure{Column: "times as fast", Value: 2, Low: new(1.9), High: new(2.1)})
		log, err := os.ReadFile(filepath.Join(s.folder(3, "rank=2"), "log.txt"))
		require.NoError(t, err)
		for _, flag := range []string{"-device=cuda:0", "-dtype=float32,bf16,tf32", "-steps=7", "-loss-steps=0", "-max-length=48", "-bench=-batch=2",
			"-turns=" + c.turns} {
			require.Contains(t, strings.Split(string(log), "\n"), flag, c.why)
		}
		_, err = s.runStage(t.Context(), &stages()[4], 20*time.Second)
		require.NoError(t, err)
		r, err = s.load(&stages()[4])
		require.NoError(t, err)
		peer := r.Items[len(r.Items)-1]
		require.Equal(t, "peer rank=2 float32", peer.Name)
		require.Empty(t, peer.Error)
		require.Len(t, peer.Rows, 2)
		ours, theirs := peer.Rows[0], peer.Rows[1]
		require.InDelta(t, 2, ours.value("loss at 3"), 1e-9)
		require.InDelta(t, 2.5, theirs.value("loss at 3"), 1e-9)
		require.InDelta(t, 0.001, ours.value("largest difference"), 1e-9)
		require.Equal(t, "-", ours.Figures[1].Text, "no step 9")
	}
}

// TestPeerThatHangs: looking for it has a limit, and what needs it is skipped.
func TestPeerThatHangs(t *testing.T) {
	fakeBundle(t, map[string]string{"check": `echo "device    cuda:0, First"`, "peer": "exec sleep 600"})
	s := call(t, t.TempDir(), "-stages=3", "-ranks=2")
	s.deadline = time.Now().Add(time.Second)
	require.NoError(t, s.prepare(t.Context()))
	require.Contains(t, s.noPeer, "ended at its limit of 1s")
	require.NoError(t, s.runStages(t.Context()), "a skipped run has not failed")
	r, err := s.load(&stages()[2])
	require.NoError(t, err)
	require.Contains(t, r.Items[0].Error, "skipped: peer: ended at its limit")
}

// TestPeersFieldsAreThere holds what is read of peer.json to what the peer program writes.
func TestPeersFieldsAreThere(t *testing.T) {
	top, err := root.Dir()
	require.NoError(t, err)
	source, err := os.ReadFile(filepath.Join(top, "internal", "peer", "row.go"))
	require.NoError(t, err)
	for _, field := range reflect.VisibleFields(reflect.TypeFor[peerRow]()) {
		tag := field.Tag.Get("json")
		require.Regexp(t, "`json:\""+tag+`[",]`, string(source))
	}
}
