package data

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const two = `{"instruction":"a","input":"b","output":"c"}
{"instruction":"d","output":"e"}
`

var twoRecords = []Record{{Instruction: "a", Input: "b", Output: "c"}, {Instruction: "d", Output: "e"}}

func zip(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

func array(lines string) string {
	return "[" + strings.ReplaceAll(strings.TrimSpace(lines), "\n", ",\n") + "]"
}

func TestLoadFile(t *testing.T) {
	for _, c := range []struct{ name, content, why string }{
		{"a.jsonl", two, "JSON lines"},
		{"a.json", array(two), "an array"},
		{"a.json", two, "lines under the name of an array"},
		{"a.parquet", array(two), "an array under the name of parquet"},
		{"a", two, "no extension"},
		{"a.jsonl.gz", zip(two), "gzipped"},
		{"a.json", zip(array(two)), "gzipped and not called so"},
		{"a.json.gz", array(two), "called gzipped and not so"},
		{"a.jsonl", "\ufeff" + two, "a byte order mark"},
		{"a.jsonl", "\r\n\r\n" + strings.ReplaceAll(two, "\n", "\r\n\r\n"), "CRLF and blank lines"},
		{"a.jsonl", strings.TrimSpace(two), "no line end at the end"},
		{"a.json", " \n" + array(two) + "\n\n", "white space around the array"},
		{"a.jsonl", strings.ReplaceAll(two, `,"`, ",\n  \""), "objects over several lines"},
		{"a.jsonl", strings.ReplaceAll(two, `"d",`, `"d","input":null,`), "null for no input"},
		{"a.jsonl", strings.ReplaceAll(two, `"d",`, `"d","id":7,"Output":"no","tags":["x"],`), "other fields are not looked at"},
	} {
		t.Run(c.why, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.name)
			require.NoError(t, os.WriteFile(path, []byte(c.content), 0o600))
			set, err := Load(context.Background(), path)
			require.NoError(t, err)
			assert.Equal(t, twoRecords, set.Records)
			assert.Equal(t, []string{path}, set.Files)
			assert.Equal(t, c.name, set.Name)
			sum := sha256.Sum256([]byte(c.content))
			assert.Equal(t, hex.EncodeToString(sum[:]), set.SHA256, "of the bytes on disk")
			assert.Empty(t, set.Revision)
		})
	}
}

func TestLoadText(t *testing.T) {
	recs, err := parse([]byte(`[{"instruction":"\u00e9 \ud83d\ude42 \\ud83d \ufffd","output":"\u0000\n\/"}]`))
	require.NoError(t, err)
	assert.Equal(t, []Record{{Instruction: "é 🙂 \\ud83d \ufffd", Output: "\x00\n/"}}, recs)
}

func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct{ content, want, why string }{
		{"", "empty", "an empty file"},
		{" \n\t", "empty", "white space"},
		{"[]", "no records", "an empty array"},
		{"instruction,output\n", "begins with", "CSV"},
		{`[{"instruction":"a"}]`, `record 1: the fields "instruction" are not those of a record: give instruction, input, output; or `, "output is missing"},
		{two + `{"output":"x"}`, `record 3: no field "instruction"`, "instruction is missing"},
		{two + `{"instruction":"x"}`, `record 3: no field "output" among "instruction"`, "output is missing later"},
		{two + `{"text":"x"}`, `record 3: no field "instruction" among "text"`, "another layout within the file"},
		{`[{}]`, "the fields none are not", "no field at all"},
		{`[{"question":"a","answer":"b"}]`, `the fields "answer, question" are not`, "fields of another data set"},
		{`[{"Instruction":"a","output":"b"}]`, `the fields "Instruction, output" are not`, "names are exact"},
		{`[{"instruction":"a","output":7}]`, `record 1: field "output" is a number`, "a number"},
		{`[{"instruction":["a"],"output":"b"}]`, `field "instruction" is an array`, "an array"},
		{`[{"instruction":"a","input":{},"output":"b"}]`, `field "input" is an object`, "an object"},
		{`[{"instruction":"a","output":null}]`, `the fields "instruction" are not`, "null"},
		{two + `{"instruction":"a","output":null}`, `record 3: field "output" is null`, "null later"},
		{`[{"instruction":"","input":"x","output":""}]`, "record 1: it is empty: no text in instruction, input, output", "nothing said"},
		{`{"text":"a"} {"text":""}`, "record 2: it is empty: no text in text", "an empty text"},
		{`[{"instruction":"a","output":"\ud83d"}]`, "surrogate", "half a character"},
		{`[{"instruction":"a","output":"\ude42\ud83d"}]`, "surrogate", "halves the wrong way round"},
		{`[{"instruction":"a","output":"b"},`, "record 2: the file is cut off", "cut off after a comma"},
		{`[{"instruction":"a","output":"b"}`, "cut off", "cut off before the bracket"},
		{`{"instruction":"a","outp`, "record 1: the file is cut off", "cut off in a line"},
		{`[{"instruction":"a" "output":"b"}]`, "record 1", "a comma is missing"},
		{two + "\n\n{]", "record 3, line 5: invalid character ']'", "the line is named"},
		{`[{"instruction":"a","output":"b"}] x`, "after the array", "something after the array"},
		{`[["a","b"]]`, "record 1: it is an array, not an object", "rows instead of records"},
		{two + `"text"`, "record 3: it is a string", "a string among the lines"},
		{`{"data":[{"instruction":"a","output":"b"}]}`, `record 1: the fields "data" are not`, "records one level down"},
		{"{\"instruction\":\"a\",\n\"output\":\"\xff\"}", "line 2 is not UTF-8: byte 0xff", "Latin-1"},
		{zip(array(two))[:40], "gzip", "cut off within gzip"},
		{zip(zip(two)), "gzip within gzip", "gzipped twice"},
		{"PAR1 not really PAR1", "parquet", "parquet's mark and nothing else"},
	} {
		t.Run(c.why, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.json")
			require.NoError(t, os.WriteFile(path, []byte(c.content), 0o600))
			set, err := Load(context.Background(), path)
			require.ErrorContains(t, err, c.want)
			assert.ErrorContains(t, err, path, "the error names the file")
			assert.Nil(t, set)
		})
	}
}

func TestLoadFolder(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	line := func(s string) string { return `{"instruction":"` + s + `","output":"x"}` + "\n" }
	write("data/train-00001-of-00002.jsonl", line("second"))
	write("data/train-00000-of-00002.jsonl", line("first"))
	write("data/train.json", "["+line("same again")+"]")
	write("data/test.jsonl", line("test"))
	write("README.md", "text")
	write("dataset_infos.json", "{}")
	write(".git/train.jsonl", line("hidden"))
	set, err := Load(context.Background(), dir)
	require.NoError(t, err)
	assert.Equal(t, []Record{{Instruction: "first", Output: "x"}, {Instruction: "second", Output: "x"}}, set.Records)
	assert.Equal(t, []string{filepath.Join(dir, "data/train-00000-of-00002.jsonl"), filepath.Join(dir, "data/train-00001-of-00002.jsonl")}, set.Files)
	assert.Equal(t, []string{filepath.Join(dir, "data/test.jsonl"), filepath.Join(dir, "data/train.json")}, set.Skipped)
	sum := sha256.Sum256([]byte(line("first") + line("second")))
	assert.Equal(t, hex.EncodeToString(sum[:]), set.SHA256)

	require.NoError(t, os.Remove(filepath.Join(dir, "data/train-00001-of-00002.jsonl")))
	_, err = Load(context.Background(), dir)
	require.ErrorContains(t, err, "of the shards train-*-of-00002 there are 1, not 2")
	dir = t.TempDir()
	_, err = Load(context.Background(), dir)
	require.ErrorContains(t, err, "no data files")
	write("data-00000-of-00001.arrow", "\xff\xff\xff\xff")
	write("state.json", "{}")
	_, err = Load(context.Background(), dir)
	require.ErrorContains(t, err, "Arrow files, as save_to_disk writes them: write it with to_parquet")
}

func TestLoadSource(t *testing.T) {
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_HUB_CACHE", "")
	t.Setenv("HF_HUB_OFFLINE", "1")
	for _, c := range []struct{ source, want, why string }{
		{"", "no data", "nothing given"},
		{"no/such/file.json", "no such file or folder, and it is not owner/name", "a path with too many parts"},
		{"missing.json", "no such file or folder", "a name alone"},
		{"../x", "no such file or folder", "a relative path"},
		{"owner/name", "taken for a data set on the Hub", "a Hub id, offline"},
		{"owner/name@v1.0", `"v1.0"`, "a Hub id with its revision"},
	} {
		_, err := Load(context.Background(), c.source)
		require.ErrorContains(t, err, c.want, c.why)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Load(ctx, "testdata/records.json")
	require.ErrorIs(t, err, context.Canceled)
}

func TestParquet(t *testing.T) {
	want := testRecords(t)
	for _, c := range []struct{ name, why string }{
		{"snappy", "the usual"}, {"zstd", ""}, {"gzip", ""}, {"brotli", ""}, {"none", ""},
		{"large_string", "as the datasets library writes: 64-bit offsets, row groups, a further column, pages of version 2"},
	} {
		set, err := Load(context.Background(), "testdata/parquet/"+c.name+".parquet")
		require.NoError(t, err, "%s %s", c.name, c.why)
		assert.Equal(t, want, set.Records, "%s %s", c.name, c.why)
	}
	set, err := Load(context.Background(), "testdata/parquet/no_input.parquet")
	require.NoError(t, err)
	for i, r := range set.Records {
		assert.Equal(t, Record{Instruction: want[i].Instruction, Output: want[i].Output}, r)
	}
	for _, c := range []struct{ name, want, why string }{
		{"no_output", `the columns "instruction, input" are not those of a record`, "parquet-go itself would read empty strings"},
		{"output_is_int", `column "output" is an integer, not a string`, "a number"},
		{"output_is_list", `column "output" is a list, not a string`, "a list of strings"},
		{"output_null", `column "output" is null in record 1`, "a null where text must be"},
		{"lz4", `column "instruction" is compressed with LZ4_RAW, which is not supported: write the file again with snappy`, "its decoder is not safe"},
		{"null_output", `the columns "instruction, input" are not those of a record`, "nothing but nulls is no column"},
		{"types", `the columns "list, struct, map, `, "none of it is text"},
		{"messages_system", `column "messages" in record 7 has the turns "system, user, assistant": one of user and then one of assistant`, "a system prompt"},
		{"messages_empty", `column "messages" in record 2 has the turns`, "no turn"},
		{"messages_null", `column "messages" in record 2 has a content that is null`, "nothing said"},
		{"empty", "no records", "no rows"},
	} {
		_, err := Load(context.Background(), "testdata/parquet/"+c.name+".parquet")
		require.ErrorContains(t, err, c.want, c.why)
	}
}

// What Hadoop wrote under the name of LZ4 is another format than LZ4_RAW. No writer at hand makes it, so the codec of one
// column is changed in the footer: after the column's name, field 4 (0x15) as a zigzag number, 7 becomes 5.
func TestParquetOfHadoopLZ4(t *testing.T) {
	raw, err := os.ReadFile("testdata/parquet/lz4.parquet")
	require.NoError(t, err)
	old := bytes.Replace(raw, []byte("instruction\x15\x0e"), []byte("instruction\x15\x0a"), 1)
	require.NotEqual(t, raw, old)
	_, err = parse(old)
	require.ErrorContains(t, err, `column "instruction" is compressed with LZ4, which`)
}

// No file that is cut off or has a wrong bit is a panic or takes memory; what is read of one has all rows, as no checksum
// says which bytes are wrong.
func TestDamagedParquet(t *testing.T) {
	want := testRecords(t)
	for _, name := range []string{"snappy", "large_string", "messages"} {
		whole, err := os.ReadFile("testdata/parquet/" + name + ".parquet")
		require.NoError(t, err)
		for cut := 4; cut < len(whole); cut += 97 {
			_, err := parse(whole[:cut])
			require.ErrorContains(t, err, "cut off or damaged", "%s cut off at %d", name, cut)
		}
		var before, after runtime.MemStats
		for bit := 32; bit < 8*len(whole); bit += 13 {
			bad := bytes.Clone(whole)
			bad[bit/8] ^= 1 << (bit % 8)
			runtime.ReadMemStats(&before)
			recs, err := parse(bad)
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8*expandable), "%s, bit %d", name, bit)
			if err == nil {
				require.Len(t, recs, len(want))
			}
		}
	}
}

// The length of a run of a dictionary's indexes, for which parquet-go alone allocates 8 GiB.
func TestParquetRun(t *testing.T) {
	raw, err := os.ReadFile("testdata/parquet/snappy.parquet")
	require.NoError(t, err)
	raw[2402] ^= 1
	_, err = parse(raw)
	require.ErrorContains(t, err, `column "instruction" is damaged: a page claims more than the file holds`)
	require.True(t, runsFit([]byte{0x06, 1, 0x03, 0xff, 0x00}, 8, expandable), "three ones and eight of one bit each, an empty run")
	require.False(t, runsFit([]byte{0xfe, 0xff, 0xff, 0xff, 0x0f, 1}, 8, expandable), "2^31 - 1 ones")
	require.False(t, runsFit([]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 1}, 8, expandable), "2^31 - 1 eights")
	require.False(t, runsFit(bytes.Repeat([]byte{0x80, 0x80, 0x80, 0x04, 1}, 9), 8, expandable), "of each of nine runs the half would fit")
	require.False(t, runsFit([]byte{0x80}, 8, expandable), "cut off")
}

func TestSplit(t *testing.T) {
	recs := testRecords(t)
	train, held, err := Split(recs, 5)
	require.NoError(t, err)
	require.Len(t, held, 5)
	assert.Equal(t, recs, merged(recs, train, held), "both parts keep the order of the file")

	turned := make([]Record, len(recs))
	for i, r := range recs {
		turned[len(recs)-1-i] = r
	}
	_, other, err := Split(turned, 5)
	require.NoError(t, err)
	assert.ElementsMatch(t, held, other, "the order of the file does not matter")

	_, more, err := Split(recs, 9)
	require.NoError(t, err)
	assert.Subset(t, more, held, "a larger part holds the smaller")

	all, none, err := Split(recs, 0)
	require.NoError(t, err)
	assert.Equal(t, recs, all)
	assert.Empty(t, none)
	for _, n := range []int{-1, len(recs), len(recs) + 1} {
		_, _, err := Split(recs, n)
		require.ErrorContains(t, err, "cannot hold back")
	}
}

func merged(order, a, b []Record) []Record {
	var out []Record
	for range order {
		if len(a) > 0 && (len(b) == 0 || a[0] == order[len(out)]) {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return out
}

func TestSplitKeepsCopiesTogether(t *testing.T) {
	var recs []Record
	for _, r := range testRecords(t) {
		recs = append(recs, r, r, r)
	}
	train, held, err := Split(recs, 9)
	require.NoError(t, err)
	require.Len(t, held, 9)
	for _, r := range train {
		assert.NotContains(t, held, r)
	}
	_, _, err = Split(recs, 10)
	require.ErrorContains(t, err, "9 is possible", "copies of three cannot make ten")

	moved := []Record{{Instruction: "ab", Output: "c"}, {Instruction: "a", Output: "bc"}, {Instruction: "ab", Input: "c"}}
	assert.NotEqual(t, moved[0].hash(), moved[1].hash())
	assert.NotEqual(t, moved[0].hash(), moved[2].hash())
}
