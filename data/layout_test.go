package data

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parse reads the records of one file.
func parse(raw []byte) ([]Record, error) {
	var s Set
	err := s.add(raw)
	return s.Records, err
}

// layoutFiles are a record of each layout, and of more than one.
var layoutFiles = []struct {
	content string
	want    Record
	layout  string
	unused  []string
	why     string
}{
	{`{"instruction":"a","input":"b","output":"c"}`, Record{"a", "b", "c", ""}, "instruction, input, output", nil, "Alpaca"},
	{`{"instruction":"a","context":"b","response":"c","category":"d"}`, Record{"a", "b", "c", ""}, "instruction, context, response",
		[]string{"category"}, "Dolly"},
	{`{"instruction":"a","response":"c"}`, Record{"a", "", "c", ""}, "instruction, context, response", nil, "without a context"},
	{`{"prompt":"a","completion":"c"}`, Record{"a", "", "c", ""}, "prompt, completion", nil, "TRL's prompt-completion"},
	{`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"c"}]}`, Record{"a", "", "c", ""}, "messages",
		nil, "TRL's messages"},
	{`{"messages":[{"content":"a","role":"user"},{"role":"assistant","content":"c","thinking":"t","weight":1,"name":""}]}`,
		Record{"a", "", "c", ""}, "messages", []string{"messages.thinking"}, "more within a turn"},
	{`{"text":"t","n":1,"ok":true,"none":null,"empty":"","list":["x"],"nested":{"a":[{"b":"c"}]},"nothing":["",""]}`,
		Record{"", "", "", "t"}, "text", []string{"list", "nested"}, "TRL's text; what has no text is not named"},
	{`{"instruction":"a","input":"","output":"c","text":"Below is an instruction: a"}`, Record{"a", "", "c", ""}, "instruction, input, output",
		[]string{"text"}, "Alpaca's own file: the first layout is taken, the rest named"},
	{`{"prompt":"a","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"c"}],"prompt_id":"7"}`,
		Record{"a", "", "c", ""}, "messages", []string{"prompt", "prompt_id"}, "half of a layout is none"},
	{`{"instruction":"a","context":"b","output":"c"}`, Record{"a", "", "c", ""}, "instruction, input, output", []string{"context"},
		"an optional field of another layout"},
	{`{"instruction":"a","output":null,"response":"c"}`, Record{"a", "", "c", ""}, "instruction, context, response", nil, "null is absent"},
}

func TestLayouts(t *testing.T) {
	for _, c := range layoutFiles {
		t.Run(c.why, func(t *testing.T) {
			for _, content := range []string{c.content, "[" + c.content + "]", zip(c.content)} {
				var s Set
				require.NoError(t, s.add([]byte(content)))
				assert.Equal(t, []Record{c.want}, s.Records)
				assert.Equal(t, c.layout, s.Layout)
				assert.Equal(t, c.unused, s.Unused)
			}
		})
	}
}

// What one record lacks another may have, and files of one set must agree.
func TestLayoutOfFiles(t *testing.T) {
	var s Set
	require.NoError(t, s.add([]byte("[]")), "nothing is of every layout")
	require.NoError(t, s.add([]byte(`{"text":"a","b":"x"} {"text":"b","a":"x"}`)))
	require.NoError(t, s.add([]byte(`{"text":"c","a":"x","c":"y"}`)))
	assert.Equal(t, []Record{{Text: "a"}, {Text: "b"}, {Text: "c"}}, s.Records)
	assert.Equal(t, []string{"a", "b", "c"}, s.Unused)
	err := s.add([]byte(two))
	require.EqualError(t, err, "its records have the fields instruction, input, output, those of the files before have text: "+
		"give files of one layout")
	assert.Len(t, s.Records, 3, "nothing is added beside an error")
}

func TestMessagesRefused(t *testing.T) {
	for _, c := range []struct{ messages, want, why string }{
		{`[]`, `field "messages" has the turns none: one of user`, "no turn"},
		{`[{"role":"user","content":"a"}]`, `has the turns "user": one of user and then one of assistant is read`, "no answer"},
		{`[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"c"}]`,
			`the turns "system, user, assistant": one of user and then one of assistant is read, no system prompt`, "a system prompt"},
		{`[{"role":"assistant","content":"a"},{"role":"user","content":"c"}]`, `"assistant, user"`, "the wrong way round"},
		{`[{"role":"user","content":"a"},{"role":"assistant","content":"c"},{"role":"user","content":"a"},{"role":"assistant","content":"c"}]`,
			"no longer conversation, as chat templates are not applied", "two questions"},
		{`[{"role":"user","content":"a"},{"role":"assistant","content":null}]`, "a turn, number 2, whose content is null, not", "a call of a tool"},
		{`[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":"c"}]`,
			"number 1, whose content is an array", "parts"},
		{`[{"role":"user","content":"a"},{"role":"assistant"}]`, "number 2, whose content is absent", "no content"},
		{`[{"Role":"user","content":"a"},{"role":"assistant","content":"c"}]`, "number 1, whose role is absent", "names are exact"},
		{`[{"from":"human","value":"a"},{"from":"gpt","value":"c"}]`, "number 1, whose role is absent", "ShareGPT's names"},
		{`"hello"`, `field "messages" is a string, not a list of turns`, "a string"},
		{`["a","b"]`, "is not a list of objects with role and content", "strings"},
	} {
		_, err := parse([]byte(`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"c"}]} {"messages":` + c.messages + `}`))
		require.ErrorContains(t, err, "record 2: field", c.why)
		require.ErrorContains(t, err, c.want, c.why)
	}
}

// What is written in a layout is read from it, whatever the text and however the file is written.
func TestLayoutsRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	pieces := []string{"a", "\n", "\"", "\\", "'", "\u2028", "🙂", "NaN", "\x00", "{", "]", "é", "</s>", " ### Answer:"}
	some := func() string {
		s := "x"
		for range rng.IntN(8) {
			s += pieces[rng.IntN(len(pieces))]
		}
		return s
	}
	for _, l := range layouts {
		var want []Record
		var lines []any
		for range 100 {
			var r Record
			m := map[string]any{}
			for _, f := range l {
				if f.of == nil {
					r = Record{Instruction: some(), Output: some()}
					m[f.name] = []any{map[string]string{"role": "user", "content": r.Instruction},
						map[string]string{"role": "assistant", "content": r.Output}}
				} else {
					*f.of(&r) = some()
					m[f.name] = *f.of(&r)
				}
			}
			want, lines = append(want, r), append(lines, m)
		}
		array, err := json.MarshalIndent(lines, "", " ")
		require.NoError(t, err)
		var jsonl bytes.Buffer
		for _, line := range lines {
			require.NoError(t, json.NewEncoder(&jsonl).Encode(line))
		}
		files := map[string][]byte{"array": array, "JSON lines": jsonl.Bytes(), "gzip": []byte(zip(jsonl.String())),
			"parquet": asParquet(t, l, want)}
		for kind, raw := range files {
			got, err := parse(raw)
			require.NoError(t, err, "%s of %s", kind, l)
			require.Equal(t, want, got, "%s of %s", kind, l)
		}
	}
}

// asParquet writes records in a layout, in row groups of 30.
func asParquet(t *testing.T, l layout, recs []Record) []byte {
	type turn struct {
		Role    string `parquet:"role"`
		Content string `parquet:"content"`
	}
	node := parquet.Group{}
	for _, f := range l {
		node[f.name] = parquet.Optional(parquet.String())
		if f.of == nil {
			node[f.name] = parquet.List(parquet.SchemaOf(turn{}))
		}
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[map[string]any](&b, parquet.NewSchema("records", node), parquet.MaxRowsPerRowGroup(30))
	for _, r := range recs {
		row := map[string]any{}
		for _, f := range l {
			if f.of == nil {
				row[f.name] = []turn{{"user", r.Instruction}, {"assistant", r.Output}}
			} else {
				row[f.name] = *f.of(&r)
			}
		}
		_, err := w.Write([]map[string]any{row})
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestParquetLayouts(t *testing.T) {
	recs := testRecords(t)
	for i := range recs {
		recs[i].Input = ""
	}
	for _, c := range []struct {
		file, layout string
		unused       []string
		why          string
	}{
		{"null_input", "instruction, input, output", nil, "an optional column of nulls is no column"},
		{"messages", "messages", []string{"messages.thinking"}, "a list of structs; a column of numbers is not text"},
	} {
		raw, err := os.ReadFile("testdata/parquet/" + c.file + ".parquet")
		require.NoError(t, err)
		var s Set
		require.NoError(t, s.add(raw), c.why)
		assert.Equal(t, recs, s.Records, c.why)
		assert.Equal(t, c.layout, s.Layout, c.why)
		assert.Equal(t, c.unused, s.Unused, c.why)
	}
}

func TestTypeNames(t *testing.T) {
	raw, err := os.ReadFile("testdata/parquet/types.parquet")
	require.NoError(t, err)
	f, err := parquet.OpenFile(bytes.NewReader(raw), int64(len(raw)))
	require.NoError(t, err)
	got := map[string]string{}
	for _, c := range f.Root().Columns() {
		got[c.Name()] = typeName(c)
	}
	assert.Equal(t, map[string]string{"list": "a list", "struct": "a struct", "map": "a map", "integer": "an integer",
		"bool": "true or false", "float": "a floating-point number", "decimal": "a decimal number", "date": "a date",
		"time": "a time of day", "timestamp": "a date and time"}, got)
}

func TestForeignFiles(t *testing.T) {
	utf16 := func(s, mark string, first, second int) string {
		b := []byte(mark)
		for _, c := range []byte(s) {
			b = append(b, c&byte(first), c&byte(second))
		}
		return string(b)
	}
	python := `{"instruction":"a","output":"b"}` + "\n\n" + `{"instruction":"a",` + "\n"
	for _, c := range []struct{ content, want, why string }{
		{"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n",
			"this is a Git LFS pointer, not the file that it stands for: run git lfs pull", "cloned without LFS"},
		{"ARROW1\x00\x00", "this is an Arrow IPC file (Feather): write it with to_parquet or to_json", "Feather"},
		{"\xff\xff\xff\xff\x10\x00\x00\x00", "this is an Arrow IPC stream, as datasets keeps in its cache", "datasets' own files"},
		{utf16(two, "\xff\xfe", 0xff, 0), "this is UTF-16 text: make it UTF-8, with iconv -t UTF-8 -f UTF-16;", "as PowerShell writes"},
		{utf16(two, "\xfe\xff", 0, 0xff), "-f UTF-16;", "the other order"},
		{utf16(two, "", 0xff, 0), "-f UTF-16LE;", "no byte order mark"},
		{utf16(array(two), "", 0xff, 0), "-f UTF-16LE;", "an array"},
		{utf16(two, "", 0, 0xff), "-f UTF-16BE;", "the other order"},
		{utf16(array(two), "", 0, 0xff), "-f UTF-16BE;", "an array in the other order"},
		{zip(zip(two)), "this is gzip within gzip: unpack it once", "gzipped twice"},
		{"\x28\xb5\x2f\xfd....", "this is packed with zstd: unpack it with zstd -d", "zstd"},
		{"BZh91AY", "bunzip2", "bzip2"},
		{"\xfd7zXZ\x00", "unxz", "xz"},
		{zip("PK\x03\x04"), "a zip archive: unpack it with unzip", "zip, and within gzip"},
		{python + `"score":NaN}`, "record 2, line 4: Python writes NaN and Infinity, JSON has neither: write null", "json.dumps of a float"},
		{python + `"score":-Infinity}`, "record 2, line 4: Python writes NaN and Infinity", "a negative one"},
		{"[" + `{"instruction":"a","output":"b"},` + "\n" + `{"score": [1, NaN]}]`, "record 2, line 2: Python writes NaN", "in an array"},
		{python + `'output': 'b'}`, "record 2, line 4: this is a dict as Python prints it, not JSON: write it with json.dumps", "single quotes"},
		{`{'instruction': 'a', 'output': 'b'}`, "record 1, line 1: this is a dict as Python prints it", "in the first record"},
		{`[{'instruction': 'a'}]`, "record 1, line 1: this is a dict as Python prints it", "in an array"},
		{python + `"output":None}`, "line 4: this is a dict as Python prints it", "None"},
		{python + `"output":True}`, "line 4: this is a dict as Python prints it", "True"},
		{python + `"output":nothing}`, "record 2, line 4: invalid character 'o' in literal null", "neither JSON nor Python"},
		{`{"instruction":"a","output":"b"},` + "\n" + `{"instruction":"a","output":"b"}`,
			"record 2, line 1: invalid character ','", "commas between lines"},
	} {
		_, err := parse([]byte(c.content))
		require.ErrorContains(t, err, c.want, c.why)
		require.NotContains(t, err.Error(), "\n", c.why)
	}
}

// A file of some hundred kilobytes that unpacks to more than expandable is not read to its end; one that shrinks as much and is small is.
func TestGzipBomb(t *testing.T) {
	blank := strings.Repeat(" ", expandable)
	_, err := parse([]byte(zip(blank + two)))
	require.ErrorContains(t, err, "gzip: it unpacks to more than 64 MiB and more than 100 times the file's size")
	recs, err := parse([]byte(zip(blank[:expandable/8] + two)))
	require.NoError(t, err)
	assert.Equal(t, twoRecords, recs)
}

// TestParquetBomb: a dictionary with one text, and a run of its index.
func TestParquetBomb(t *testing.T) {
	type row struct {
		Text string `parquet:"text,dict,zstd"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b)
	text := strings.Repeat("x", 1<<10)
	rows := make([]row, expandable>>10)
	for i := range rows {
		rows[i].Text = text
	}
	_, err := w.Write(rows)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.Less(t, b.Len(), expandable/expansion)
	_, err = parse(b.Bytes())
	require.ErrorContains(t, err, `column "text" unpacks to more than 64 MiB`)
}
