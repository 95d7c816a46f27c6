package data

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// parse reads the records of one file, told by its content.
func parse(raw []byte) ([]Record, error) {
	if bytes.HasPrefix(raw, []byte("\x1f\x8b")) {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		if raw, err = io.ReadAll(z); err != nil {
			return nil, fmt.Errorf("gzip: %w: the file is cut off or damaged", err)
		}
	}
	if bytes.HasPrefix(raw, []byte("PAR1")) {
		return parseParquet(raw)
	}
	for _, other := range []struct{ magic, name string }{
		{"\x1f\x8b", "gzip within gzip"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"PK\x03\x04", "zip"}, {"BZh", "bzip2"},
		{"\xfd7zXZ\x00", "xz"}, {"ARROW1", "Arrow"}, {"version https://git-lfs", "a Git LFS pointer, not the file itself"},
	} {
		if bytes.HasPrefix(raw, []byte(other.magic)) {
			return nil, fmt.Errorf("this is %s: give JSON, JSON lines or parquet, plain or gzipped", other.name)
		}
	}
	return parseJSON(raw)
}

// parseJSON reads an array of records, or records one after the other (JSON lines).
func parseJSON(raw []byte) ([]Record, error) {
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	if !utf8.Valid(raw) {
		good := 0
		for r, n := utf8.DecodeRune(raw); r != utf8.RuneError || n > 1; r, n = utf8.DecodeRune(raw[good:]) {
			good += n
		}
		return nil, fmt.Errorf("line %d is not UTF-8: byte 0x%02x", lineAt(raw, good), raw[good])
	}
	var values []json.RawMessage
	var err error
	switch text := bytes.TrimLeft(raw, " \t\r\n"); {
	case len(text) == 0:
		return nil, errors.New("the file is empty")
	case text[0] == '[':
		values, err = arrayValues(raw)
	case text[0] == '{':
		values, err = lineValues(raw)
	default:
		return nil, fmt.Errorf("it begins with %.20q: give JSON, JSON lines or parquet", text)
	}
	if err != nil {
		return nil, err
	}
	recs, errs := make([]Record, len(values)), make([]error, len(values))
	inParallel(len(values), func(i int) { recs[i], errs[i] = parseRecord(values[i]) })
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", i+1, err)
		}
	}
	return recs, nil
}

// lineAt is the number of the line that an offset is in.
func lineAt(raw []byte, offset int) int {
	return 1 + bytes.Count(raw[:min(offset, len(raw))], []byte("\n"))
}

func arrayValues(raw []byte) ([]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	var values []json.RawMessage
	for dec.More() {
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, badValue(raw, len(values)+1, dec, err)
		}
		values = append(values, v)
	}
	if _, err := dec.Token(); err != nil {
		return nil, badValue(raw, len(values)+1, dec, err)
	}
	if rest := bytes.TrimSpace(raw[dec.InputOffset():]); len(rest) > 0 {
		return nil, fmt.Errorf("after the array there is more: %.20q", rest)
	}
	return values, nil
}

func lineValues(raw []byte) ([]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	var values []json.RawMessage
	for {
		var v json.RawMessage
		err := dec.Decode(&v)
		if err == io.EOF {
			return values, nil
		}
		if err != nil {
			return nil, badValue(raw, len(values)+1, dec, err)
		}
		values = append(values, v)
	}
}

func badValue(raw []byte, record int, dec *json.Decoder, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("record %d: the file is cut off: %w", record, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("record %d, after line %d: %w", record, lineAt(raw, int(dec.InputOffset())), err)
}

// parseRecord reads one object. Names are exact: encoding/json's own matching takes Output for output, and of both
// whichever comes last.
func parseRecord(value json.RawMessage) (r Record, err error) {
	if value[0] != '{' {
		return r, fmt.Errorf("it is %s, not an object", kindOf(value))
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(value, &fields); err != nil {
		return r, err
	}
	for _, f := range []struct {
		name     string
		to       *string
		optional bool
	}{{"instruction", &r.Instruction, false}, {"input", &r.Input, true}, {"output", &r.Output, false}} {
		raw, ok := fields[f.name]
		if f.optional && (!ok || string(raw) == "null") {
			continue
		}
		if !ok {
			return r, fmt.Errorf("no field %q among %s", f.name, nameList(fields))
		}
		if raw[0] != '"' {
			return r, fmt.Errorf("field %q is %s, not a string", f.name, kindOf(raw))
		}
		if loneSurrogate(raw) {
			return r, fmt.Errorf("field %q has half of a surrogate pair, which is no character", f.name)
		}
		if err := json.Unmarshal(raw, f.to); err != nil {
			return r, fmt.Errorf("field %q: %w", f.name, err)
		}
	}
	return r, r.check()
}

// check refuses a record that says nothing.
func (r Record) check() error {
	if r.Instruction == "" && r.Output == "" {
		return errors.New("instruction and output are both empty")
	}
	return nil
}

func kindOf(value json.RawMessage) string {
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	}
	return "a number"
}

func nameList(fields map[string]json.RawMessage) string {
	names := slices.Sorted(maps.Keys(fields))
	if len(names) == 0 {
		return "none"
	}
	return fmt.Sprintf("%.100q", strings.Join(names, ", "))
}

// loneSurrogate looks for an escape such as \ud83d without its other half. encoding/json would quietly put U+FFFD.
func loneSurrogate(raw []byte) bool {
	escape := func(b []byte) (rune, bool) {
		if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
			return 0, false
		}
		v, err := strconv.ParseUint(string(b[2:6]), 16, 32)
		return rune(v), err == nil
	}
	for {
		at := bytes.IndexByte(raw, '\\')
		if at < 0 {
			return false
		}
		raw = raw[at:]
		first, ok := escape(raw)
		if !ok {
			raw = raw[min(2, len(raw)):]
			continue
		}
		raw = raw[6:]
		if !utf16.IsSurrogate(first) {
			continue
		}
		second, _ := escape(raw)
		if utf16.DecodeRune(first, second) == utf8.RuneError {
			return true
		}
		raw = raw[6:]
	}
}
