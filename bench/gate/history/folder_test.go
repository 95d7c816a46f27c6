package history

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/gate/judge"
)

const line = "BenchmarkRank/rank=8-2 100 2e6 ns/op 1.5 loss 320 samples/sec\n"

func read(t testing.TB, text string) *judge.Input {
	path := filepath.Join(t.TempDir(), "bench.txt")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	in, _ := judge.Read(path)
	return in
}

func TestAppend(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "history")
	in := read(t, "commit: 5471c87f72b3\n"+line)
	at := time.Date(2026, 11, 23, 21, 15, 0, 999, time.FixedZone("CET", 3600))
	one, err := Append(dir, in, at)
	require.NoError(t, err)
	assert.Equal(t, "20261123T201500Z-5471c87f72b3.txt", filepath.Base(one), "UTC, seconds, commit")
	first, err := os.ReadFile(one)
	require.NoError(t, err)

	again, err := Append(dir, in, at.Add(time.Hour))
	require.NoError(t, err)
	assert.Equal(t, one, again, "the same results are there already")

	two, err := Append(dir, read(t, "commit: 5471c87f72b3\n"+strings.ReplaceAll(line, "320", "321")), at)
	require.NoError(t, err)
	assert.Equal(t, "20261123T201501Z-5471c87f72b3.txt", filepath.Base(two), "nothing is written over: the next second is free")
	kept, err := os.ReadFile(one)
	require.NoError(t, err)
	assert.Equal(t, string(first), string(kept))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "nothing is left beside")
}

func TestAppendKeepsAllThatIsSaid(t *testing.T) {
	in := read(t, "Unit widgets/sec better=higher\npkg: example.com/a\ncommit: v1.2+\nseed: 42\n"+
		"BenchmarkX/lr=1e-4-8 3 1.2345678901234567e-3 widgets/sec 5.0 MB/s\nseed: 43\npkg:\n"+"BenchmarkX/lr=1e-4-8 3 2e-3 widgets/sec\n")
	path, err := Append(t.TempDir(), in, start)
	require.NoError(t, err)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, `Unit widgets/sec better=higher
pkg: example.com/a
commit: v1.2+
seed: 42

BenchmarkX/lr=1e-4-8 3 0.0012345678901234567 widgets/sec 5 MB/s

pkg:
seed: 43

BenchmarkX/lr=1e-4-8 3 0.002 widgets/sec
`, string(got))
}

func TestAppendRefuses(t *testing.T) {
	for _, c := range []struct{ why, text, want string }{
		{"a history by commit needs one", line, "bench.txt:1: Rank/rank=8-2 does not say its commit"},
		{"git was not there", "commit: unknown\n" + line, "does not say its commit"},
		{"it would leave the folder", "commit: ../x\n" + line, `commit "../x", which cannot be in a file's name`},
		{"a point has one commit", "commit: a1\n" + line + "commit: b2\n" + line, "bench.txt:4: Rank/rank=8-2 is of commit b2, results before it of a1"},
		{"a run that diverged is no level", "commit: a1\nBenchmarkRank/rank=8 100 NaN loss\n", "bench.txt:2: "},
		{"nor is infinity", "commit: a1\nBenchmarkRank/rank=8 100 +Inf loss\n", "bench.txt:2: "},
		{"half of the results is not the results", "commit: a1\n" + line + "BenchmarkRank/rank=8 100 1.5\n", "bench.txt:3: "},
		{"nothing to append", "commit: a1\n", "bench.txt"},
	} {
		t.Run(c.why, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "history")
			_, err := Append(dir, read(t, c.text), start)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "not appended")
			_, err = os.Stat(dir)
			require.ErrorIs(t, err, os.ErrNotExist, "nothing is written")
		})
	}
	_, err := Append(t.TempDir(), nil, start)
	require.ErrorContains(t, err, "no result file")
	_, err = Append(t.TempDir(), read(t, "commit: a1\n"+line), time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC))
	require.ErrorContains(t, err, "the year 12026")
	occupied := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(occupied, nil, 0o666))
	_, err = Append(occupied, read(t, "commit: a1\n"+line), start)
	require.ErrorContains(t, err, occupied)
}

func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct{ why, file, text, want string }{
		{"when is not known", "results.txt", "commit: a1\n" + line, "results.txt: the name does not say when"},
		{"no such day", "20261341T000000Z-a1.txt", "commit: a1\n" + line, "the name's time 20261341T000000Z is none"},
		{"renamed by hand", "20261123T201500Z-b2.txt", "commit: a1\n" + line, `20261123T201500Z-b2.txt:2: Rank/rank=8 is of commit "a1", the file's name says b2`},
		{"edited by hand", "20261123T201500Z-a1.txt", "commit: a1\n" + line + "BenchmarkRank/rank=8 many 1.5 loss\n", "20261123T201500Z-a1.txt:3: "},
		{"diverged", "20261123T201500Z-a1.txt", "commit: a1\nBenchmarkRank/rank=8 100 NaN loss\n", "20261123T201500Z-a1.txt:2: "},
		{"cut off", "20261123T201500Z-a1.txt", "", "20261123T201500Z-a1.txt"},
	} {
		t.Run(c.why, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "commit: c3\n"+line, start)
			require.NoError(t, os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o666))
			h, err := Load(dir)
			require.ErrorContains(t, err, c.want)
			assert.Nil(t, h, "no history of a part")
		})
	}
	_, err := Load(filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, err, "none")
	_, err = Load(t.TempDir())
	require.ErrorContains(t, err, "no result file")

	dir := t.TempDir()
	put(t, dir, "Unit w better=higher\ncommit: a1\nBenchmarkX 1 2 w\n", start)
	put(t, dir, "Unit w better=lower\ncommit: b2\nBenchmarkX 1 2 w\n", start.Add(time.Hour))
	_, err = Load(dir)
	require.ErrorContains(t, err, "b2.txt: better is lower of w; ")
	require.ErrorContains(t, err, "a1.txt says higher")
}

// A disk without hard links, and several that append at once: nothing is lost.
func TestAppendTogether(t *testing.T) {
	own := link
	t.Cleanup(func() { link = own })
	for _, c := range []struct {
		why  string
		link func(from, to string) error
	}{
		{"links", os.Link},
		{"no links", func(_, to string) error { return &os.LinkError{Op: "link", New: to, Err: errors.ErrUnsupported} }},
	} {
		t.Run(c.why, func(t *testing.T) {
			link = c.link
			dir := t.TempDir()
			var wait sync.WaitGroup
			paths := make([]string, 8)
			for i := range paths {
				in := read(t, "commit: a1\n"+strings.ReplaceAll(line, "320", "32"+string(rune('0'+i))))
				wait.Go(func() {
					var err error
					paths[i], err = Append(dir, in, start)
					assert.NoError(t, err)
				})
			}
			wait.Wait()
			h, err := Load(dir)
			require.NoError(t, err)
			assert.Len(t, h.Files, len(paths))
			for i, p := range paths {
				b, err := os.ReadFile(p)
				require.NoError(t, err)
				assert.Contains(t, string(b), " 32"+string(rune('0'+i))+" samples/sec")
			}
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			assert.Len(t, entries, len(paths), "nothing is left beside")
		})
	}
}

func FuzzLoad(f *testing.F) {
	for _, s := range []string{
		"commit: a1\n" + line, "commit: a1\nUnit x better=up\n" + line, "", "\ufeffcommit: a1\r\n" + line, "commit: a1\nBenchmarkX 1 1e308 ns/op 2 sec/op\n",
		"commit: a1\nBenchmarkX-4 1 0 B/op -3 MB/s\nBenchmarkX-8 1 0 B/op\npkg: p\nBenchmarkX 1 5e-324 loss\n", "Benchmark\x00\xff 1 1 \xf0", "commit: a1\ngpu: \xff</svg>\nBenchmarkRank/rank=\x01 7 1 <\x02>\n",
	} {
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, twice bool) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "20261123T201500Z-a1.txt"), data, 0o666))
		if twice {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "20261124T201500Z-b2.txt"), []byte("commit: b2\n"+line), 0o666))
		}
		h, err := Load(dir)
		if err != nil {
			assert.Nil(t, h)
			assert.Contains(t, err.Error(), dir)
			return
		}
		all := h.charts() // not Write: it flushes each file to the disk
		require.NoError(t, h.page(io.Discard, all))
		for _, cs := range all {
			for _, c := range cs {
				var b bytes.Buffer
				require.NoError(t, c.svg(&b))
				d := xml.NewDecoder(&b)
				for {
					if _, err := d.Token(); err == io.EOF {
						break
					} else if err != nil {
						t.Fatalf("%s: %v", c.Title, err)
					}
				}
			}
		}
	})
}
