package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
)

func madeStudy(commit string) *Study {
	return &Study{Machine: record.Machine{Commit: commit}, Settings: Settings{Ranks: []string{"8"}}, Testing: map[string]string{"count": "6"}}
}

func TestOpen(t *testing.T) {
	whole := &record.Record{Name: "rank=8", Rank: "8", Seed: 42, GlobalStep: 1, Runtime: 1}
	for _, c := range []struct {
		why    string
		before *Study // unfinished
		files  []string
		note   string // without the folder
		kept   int
		moved  []string
		stay   []string
	}{
		{"an empty folder", nil, nil, "", 0, nil, nil},
		{"what no study wrote", nil, []string{"bench.log", "notes.json"}, "", 0, nil, []string{"bench.log", "notes.json"}},
		{"a study that has ended, and one before it", nil, []string{"rank=8,seed=42.json", "bench.txt", "report.html", "bench.log", "old-1", "no-runs.txt"},
			"A study that has ended lay in DIR: it is in DIR/old-2 now.", 0,
			[]string{"bench.txt", "no-runs.txt", "rank=8,seed=42.json", "report.html"}, []string{"bench.log", "old-1"}},
		{"the same, unfinished, killed while it wrote", madeStudy("abc"), []string{"rank=8,seed=42.json", "rank=8,seed=43.json", "bench.txt",
			".rank=8,seed=44.json.ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
			"The unfinished study in DIR goes on: runs that are whole are kept: 1.", 1,
			nil, []string{"bench.txt", "rank=8,seed=42.json", "rank=8,seed=43.json"}},
		{"of another commit", madeStudy("abd"), []string{"rank=8,seed=42.json", ".rank=8,seed=43.json.TEMP"},
			`An unfinished study with other settings lay in DIR ("commit": "abd", now "commit": "abc"): it is in DIR/old-1 now.`, 0,
			[]string{".rank=8,seed=43.json.TEMP", "rank=8,seed=42.json", unfinished}, nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			dir := t.TempDir()
			if c.before != nil {
				_, _, err := c.before.Open(dir)
				require.NoError(t, err)
				c.before.release()
			}
			for _, name := range c.files {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("{}"), 0o666))
				if name == whole.FileName()+".json" {
					require.NoError(t, whole.Save(dir))
				}
			}
			s := madeStudy("abc")
			kept, note, err := s.Open(dir)
			require.NoError(t, err)
			require.Equal(t, c.note, strings.ReplaceAll(note, dir, "DIR"))
			require.Len(t, kept, c.kept)
			var moved []string
			found, err := filepath.Glob(filepath.Join(dir, "old-[12]", "*"))
			require.NoError(t, err)
			for _, path := range found {
				moved = append(moved, filepath.Base(path))
			}
			require.Equal(t, c.moved, moved, "moved")
			require.NoFileExists(t, filepath.Join(dir, ".rank=8,seed=44.json.ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
			for _, name := range append(c.stay, unfinished) {
				require.FileExists(t, filepath.Join(dir, name))
			}
			_, _, err = madeStudy("abc").Open(dir)
			require.ErrorContains(t, err, fmt.Sprintf("process %d is writing to it", os.Getpid()))
			require.NoError(t, s.Finish())
			require.NoFileExists(t, filepath.Join(dir, unfinished))
		})
	}
}

// TestADirtyTreeIsItsProgram: of a tree that no commit holds, the program itself says whether two are equal.
func TestADirtyTreeIsItsProgram(t *testing.T) {
	s, err := small(t, 1).Study(nil)
	require.NoError(t, err)
	held := s.Machine.Commit != "unknown" && !strings.HasSuffix(s.Machine.Commit, "+")
	require.Len(t, s.Code, map[bool]int{true: 0, false: 64}[held])
}

// TestAnotherAdapterOfTheSameNameIsAnotherStudy, and so is another tokenizer.
func TestAnotherAdapterOfTheSameNameIsAnotherStudy(t *testing.T) {
	w := small(t, 1, "-limit=20", "-eval=2")
	plain, err := w.inputs()
	require.NoError(t, err)
	seen := map[string]bool{plain: true}
	for n := range 2 {
		w.Adapter = filepath.Join(t.TempDir(), "run", "adapter")
		require.NoError(t, os.MkdirAll(w.Adapter, 0o777))
		require.NoError(t, os.WriteFile(filepath.Join(w.Adapter, "adapter_model.safetensors"), []byte{byte(n)}, 0o666))
		sum, err := w.inputs()
		require.NoError(t, err)
		seen[sum] = true
	}
	w.Train[0].IDs[1]++
	sum, err := w.inputs()
	require.NoError(t, err)
	seen[sum] = true
	require.Len(t, seen, 4)
}

// TestWritingACheckpointTakesNoTime of the run, after its end neither, and a run that took no step has none.
func TestWritingACheckpointTakesNoTime(t *testing.T) {
	w := small(t, 3, "-out="+t.TempDir(), "-limit=20", "-eval=2")
	r, err := w.Start(armOf(t, w, "2"), 1)
	require.NoError(t, err)
	defer r.Close()
	r.Begin()
	require.NoError(t, r.Save())
	require.NoFileExists(t, r.fileName(checkpointed))
	require.NoError(t, r.Step())
	r.began = r.began.Add(-time.Hour)
	require.NoError(t, inOrder(r.End, r.Save, r.End))
	require.FileExists(t, r.fileName(checkpointed))
	require.Less(t, r.Elapsed, 90*time.Minute, "the hour before the end counts once")
	laps := 0.0
	for _, l := range r.Laps {
		laps += l.Seconds
	}
	require.InDelta(t, r.Elapsed.Seconds(), laps, 1e-6)
}
