package shard

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
)

// made writes a record into dir.
func made(t *testing.T, dir, rank string, seed int64, part string, loss float64) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o777))
	r := &record.Record{Name: "rank=" + rank, Rank: rank, Seed: seed, Shard: part, GlobalStep: 1, Runtime: 1, SamplesPerSecond: 1, Loss: loss, TrainLoss: loss,
		Steps: []record.Step{{Step: 1, Loss: loss}}}
	require.NoError(t, r.Save(dir))
}

// wrote writes a file of a part.
func wrote(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
}

func TestMerge(t *testing.T) {
	for _, c := range []struct {
		why   string
		make  func(t *testing.T, dir string) (dirs []string)
		cells int
		notes []string
		err   string
	}{
		{"one folder is as it was", func(t *testing.T, dir string) []string {
			made(t, dir, "8", 1, "", 2)
			made(t, dir, "16", 1, "", 2)
			return []string{dir}
		}, 2, nil, ""},
		{"parts of whole blocks, one of which has not begun", func(t *testing.T, dir string) []string {
			for _, rank := range []string{"8", "16"} {
				made(t, filepath.Join(dir, "shard-1-of-3"), rank, 1, "1/3", 2)
				made(t, filepath.Join(dir, "shard-2-of-3"), rank, 2, "2/3", 2)
			}
			require.NoError(t, os.Mkdir(filepath.Join(dir, "shard-3-of-3"), 0o777))
			return []string{dir}
		}, 4, []string{"Of 3 parts these have no record: 3."}, ""},
		{"a block in two parts", func(t *testing.T, dir string) []string {
			made(t, filepath.Join(dir, "shard-1-of-2"), "8", 1, "1/2", 2)
			made(t, filepath.Join(dir, "shard-2-of-2"), "16", 1, "2/2", 2)
			return []string{dir}
		}, 2, []string{"Speeds of these seeds are not compared, since their arms ran in several processes: 1."}, ""},
		{"a cell that is missing", func(t *testing.T, dir string) []string {
			made(t, dir, "8", 1, "", 2)
			made(t, dir, "16", 1, "", 2)
			made(t, dir, "8", 2, "", 2)
			return []string{dir}
		}, 3, []string{"1 of 4 cells are missing: rank=16 with seed 2."}, ""},
		{"a folder and its copy", func(t *testing.T, dir string) []string {
			made(t, filepath.Join(dir, "a"), "8", 1, "", 2)
			made(t, filepath.Join(dir, "b"), "8", 1, "", 2)
			return []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}
		}, 1, []string{"In several folders, with equal losses, and counted once: rank=8,seed=1."}, ""},
		{"a cell with two results", func(t *testing.T, dir string) []string {
			made(t, filepath.Join(dir, "a"), "8", 1, "", 2)
			made(t, filepath.Join(dir, "b"), "8", 1, "", 3)
			return []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}
		}, 0, nil, "rank=8,seed=1 is in DIR/a and in DIR/b with other losses: they are not of one study"},
		{"a folder without records", func(t *testing.T, dir string) []string { return []string{dir} }, 0, nil, "DIR has no run record"},
		{"an arm that has failed with every seed", func(t *testing.T, dir string) []string {
			made(t, dir, "8", 1, "", 2)
			made(t, dir, "8", 2, "", 2)
			wrote(t, filepath.Join(dir, "unfinished.json"), `{"settings": {"seed": 1}, "testing": {"count": "2"}, "arms": ["rank=8", "rank=256"]}`)
			return []string{dir}
		}, 2, []string{"The study is unfinished in DIR: the same command goes on with it.", "2 of 4 cells are missing: rank=256 with seed 1 and rank=256 with seed 2."}, ""},
		{"a part that stopped between two blocks", func(t *testing.T, dir string) []string {
			for seed := int64(1); seed <= 3; seed++ {
				made(t, filepath.Join(dir, "shard-1-of-2"), "8", seed, "1/2", 2)
			}
			part := filepath.Join(dir, "shard-2-of-2")
			made(t, part, "8", 4, "2/2", 2)
			wrote(t, filepath.Join(part, "unfinished.json"), `{"settings": {"seed": 1}, "testing": {"count": "6"}}`)
			return []string{dir}
		}, 4, []string{"The study is unfinished in DIR/shard-2-of-2: the same command goes on with it.",
			"2 of 6 cells are missing: rank=8 with seed 5 and rank=8 with seed 6."}, ""},
		{"parts without a run", func(t *testing.T, dir string) []string {
			made(t, filepath.Join(dir, "shard-1-of-3"), "8", 1, "1/3", 2)
			for _, part := range []string{"shard-2-of-3", "shard-3-of-3"} {
				wrote(t, filepath.Join(dir, part, NoRuns), "")
			}
			return []string{dir}
		}, 1, nil, ""},
		{"parts that died before their first run had ended", func(t *testing.T, dir string) []string {
			made(t, filepath.Join(dir, "shard-1-of-4"), "8", 1, "1/4", 2)
			wrote(t, filepath.Join(dir, "shard-2-of-4", "unfinished.json"), `{"settings": {"seed": 1}, "testing": {"count": "2"}}`)
			return []string{dir}
		}, 1, []string{"The study is unfinished in DIR/shard-2-of-4: the same command goes on with it.", "Of 4 parts these have no record: 3 and 4.",
			"1 of 2 cells are missing: rank=8 with seed 2."}, ""},
		{"parts that have begun and have no record", func(t *testing.T, dir string) []string {
			wrote(t, filepath.Join(dir, "shard-1-of-2", "unfinished.json"), "{}")
			return []string{dir}
		}, 0, nil, "no part has a record yet: DIR/shard-1-of-2"},
		{"parts of two studies", func(t *testing.T, dir string) []string {
			made(t, filepath.Join(dir, "shard-1-of-2"), "8", 1, "1/2", 2)
			made(t, filepath.Join(dir, "shard-1-of-4"), "8", 2, "1/4", 2)
			return []string{dir}
		}, 0, nil, "DIR has parts of 2 and of 4: they are of several studies"},
		{"records and parts", func(t *testing.T, dir string) []string {
			made(t, dir, "8", 1, "", 2)
			made(t, filepath.Join(dir, "shard-1-of-2"), "8", 2, "1/2", 2)
			return []string{dir}
		}, 0, nil, "DIR has records and parts, such as shard-1-of-2: they are of several studies"},
		{"a part with a damaged record", func(t *testing.T, dir string) []string {
			made(t, filepath.Join(dir, "shard-1-of-2"), "8", 1, "1/2", 2)
			part := filepath.Join(dir, "shard-2-of-2")
			require.NoError(t, os.MkdirAll(part, 0o777))
			require.NoError(t, os.WriteFile(filepath.Join(part, "rank=8,seed=2.json"), []byte("{"), 0o666))
			return []string{dir}
		}, 0, nil, "DIR/shard-2-of-2/rank=8,seed=2.json: "},
	} {
		t.Run(c.why, func(t *testing.T) {
			dir := t.TempDir()
			rs, notes, err := Merge(c.make(t, dir))
			if c.err != "" {
				require.ErrorContains(t, err, replaced(c.err, dir))
				return
			}
			require.NoError(t, err)
			require.Len(t, rs, c.cells)
			for i := range c.notes {
				c.notes[i] = replaced(c.notes[i], dir)
			}
			require.Equal(t, c.notes, notes)
			for _, r := range rs {
				_, speed := metric(r, "samples/sec")
				require.Equal(t, !r.Scattered, speed, "no speed of a block in several processes")
				_, loss := metric(r, "loss")
				require.True(t, loss)
			}
		})
	}
}

func replaced(text, dir string) string { return strings.ReplaceAll(text, "DIR", dir) }

func metric(r *record.Record, unit string) (v float64, ok bool) {
	for _, m := range r.Metrics() {
		if m.Unit == unit {
			return m.Value, true
		}
	}
	return 0, false
}

func TestRefuse(t *testing.T) {
	parts, plain := t.TempDir(), t.TempDir()
	made(t, filepath.Join(parts, "shard-1-of-2"), "8", 1, "1/2", 2)
	require.NoError(t, os.Mkdir(filepath.Join(parts, "shard-1-of-3"), 0o777)) // has not begun
	made(t, plain, "8", 1, "", 2)
	for _, c := range []struct {
		dir  string
		part Part
		err  string
		why  string
	}{
		{parts, Part{1, 2}, "", "the other part"},
		{parts, Part{0, 3}, "shard-1-of-2 there is of another study", "another number of parts"},
		{parts, Part{}, "shard-1-of-2 there is of another study", "a study without parts"},
		{plain, Part{}, "", "it goes on, or the other is moved"},
		{plain, Part{0, 2}, "the records there are of another study, which had no parts", "a study with parts"},
		{filepath.Join(plain, "none"), Part{0, 2}, "", "no folder yet"},
	} {
		if err := Refuse(c.dir, c.part); c.err == "" {
			require.NoError(t, err, c.why)
		} else {
			require.ErrorContains(t, err, c.err, c.why)
		}
	}
}
