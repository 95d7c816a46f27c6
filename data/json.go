package data

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"sync"
	"unicode/utf8"
)

// add appends the records of one file, whose format is recognised by its content.
func (s *Set) add(raw []byte) (err error) {
	if bytes.HasPrefix(raw, []byte("\x1f\x8b")) {
		if raw, err = gunzip(raw); err != nil {
			return err
		}
	}
	for _, f := range foreign {
		if bytes.HasPrefix(raw, []byte(f.magic)) {
			return fmt.Errorf("this is %s: %s; JSON, JSON lines and parquet are read, plain or gzipped", f.is, f.do)
		}
	}
	var f Set
	if bytes.HasPrefix(raw, []byte("PAR1")) {
		err = f.parseParquet(raw)
	} else {
		err = f.parseJSON(raw)
	}
	for i := 0; err == nil && i < len(f.Records); i++ {
		if f.Records[i] == (Record{Input: f.Records[i].Input}) {
			err = fmt.Errorf("record %d: it is empty: no text in %s", i+1, f.Layout)
		}
	}
	switch {
	case err != nil:
		return err
	case len(f.Records) > 0 && s.Layout != "" && f.Layout != s.Layout:
		return fmt.Errorf("its records have the fields %s, those of the files before have %s: give files of one layout", f.Layout, s.Layout)
	}
	s.Records = append(s.Records, f.Records...)
	s.Layout = cmp.Or(s.Layout, f.Layout)
	s.Unused = append(s.Unused, f.Unused...)
	slices.Sort(s.Unused)
	s.Unused = slices.Compact(s.Unused)
	return nil
}

// parseJSON reads an array of records, or records one after the other (JSON lines).
func (s *Set) parseJSON(raw []byte) error {
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	if !utf8.Valid(raw) {
		good := 0
		for r, n := utf8.DecodeRune(raw); r != utf8.RuneError || n > 1; r, n = utf8.DecodeRune(raw[good:]) {
			good += n
		}
		return fmt.Errorf("line %d is not UTF-8: byte 0x%02x", lineAt(raw, good), raw[good])
	}
	begin := bytes.TrimLeft(raw, " \t\r\n")
	if len(begin) == 0 {
		return errors.New("the file is empty")
	}
	if begin[0] != '[' && begin[0] != '{' {
		return fmt.Errorf("it begins with %.20q: give JSON, JSON lines or parquet", begin)
	}
	values, err := readValues(raw, begin[0] == '[')
	if err != nil || len(values) == 0 {
		return err
	}
	fields, err := object(values[0])
	maps.DeleteFunc(fields, func(_ string, raw json.RawMessage) bool { return string(raw) == "null" })
	var l layout
	if err == nil {
		l, err = choose("fields", slices.Sorted(maps.Keys(fields)))
	}
	if err != nil {
		return fmt.Errorf("record 1: %w", err)
	}
	var unused sync.Map
	recs, errs := make([]Record, len(values)), make([]error, len(values))
	inParallel(len(values), func(i int) { recs[i], errs[i] = parseRecord(values[i], l, &unused) })
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("record %d: %w", i+1, err)
		}
	}
	s.Records, s.Layout = recs, l.String()
	for name := range unused.Range {
		s.Unused = append(s.Unused, name.(string))
	}
	return nil
}

// lineAt returns the number of the line that an offset is in.
func lineAt(raw []byte, offset int) int {
	return 1 + bytes.Count(raw[:min(offset, len(raw))], []byte("\n"))
}

// readValues returns the values of an array, or values that follow each other (JSON lines).
func readValues(raw []byte, array bool) (values []json.RawMessage, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if array {
		_, err = dec.Token()
	}
	for err == nil && (!array || dec.More()) {
		var v json.RawMessage
		if err = dec.Decode(&v); err == nil {
			values = append(values, v)
		}
	}
	if !array && err == io.EOF {
		return values, nil
	}
	if err == nil {
		_, err = dec.Token()
	}
	if err != nil {
		return nil, badValue(raw, len(values)+1, dec, err)
	}
	if rest := bytes.TrimSpace(raw[dec.InputOffset():]); len(rest) > 0 {
		return nil, fmt.Errorf("after the array there is more: %.20q", rest)
	}
	return values, nil
}

func badValue(raw []byte, record int, dec *json.Decoder, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("record %d: the file is cut off: %w", record, io.ErrUnexpectedEOF)
	}
	at := int(dec.InputOffset())
	rest := bytes.TrimLeft(raw[at:], ", \t\r\n")
	// The decoder's own offset leaves out what it has read as tokens. A value parsed alone fails at the same place.
	var syntax *json.SyntaxError
	if errors.As(json.Unmarshal(rest, new(json.RawMessage)), &syntax) && syntax.Error() == err.Error() {
		at = len(raw) - len(rest) + int(syntax.Offset) - 1
	}
	for _, p := range pythonic {
		if bytes.HasPrefix(raw[at:], []byte(p.begins)) {
			err = errors.New(p.why)
		}
	}
	return fmt.Errorf("record %d, line %d: %w", record, lineAt(raw, at), err)
}

func object(value json.RawMessage) (fields map[string]json.RawMessage, err error) {
	if value[0] != '{' {
		return nil, fmt.Errorf("it is %s, not an object", kindOf(value))
	}
	return fields, json.Unmarshal(value, &fields)
}

// parseRecord reads one object, and adds to unused the names of its other fields that hold text. Names are
// matched exactly: encoding/json would accept Output for output, and use whichever of the two comes last.
func parseRecord(value json.RawMessage, l layout, unused *sync.Map) (r Record, err error) {
	fields, err := object(value)
	if err != nil {
		return r, err
	}
	for _, f := range l {
		raw, ok := fields[f.name]
		switch {
		case f.optional && (!ok || string(raw) == "null"):
		case !ok:
			return r, fmt.Errorf("no field %q among %s", f.name, quoted(slices.Sorted(maps.Keys(fields))))
		case f.of == nil:
			err = r.setTurns(raw, f.name, unused)
		default:
			*f.of(&r), err = parseText(raw)
		}
		if err != nil {
			return r, fmt.Errorf("field %q %w", f.name, err)
		}
	}
	for name, raw := range fields {
		if !l.has(name) && hasText(raw) {
			unused.Store(name, true)
		}
	}
	return r, nil
}

// setTurns reads one question and its answer from a list of turns, and adds to unused their other fields with text as name.field.
func (r *Record) setTurns(raw json.RawMessage, name string, unused *sync.Map) error {
	if raw[0] != '[' {
		return fmt.Errorf("is %s, not a list of turns", kindOf(raw))
	}
	var turns []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &turns); err != nil {
		return errors.New("is not a list of objects with role and content")
	}
	roles := make([]string, len(turns))
	for i, turn := range turns {
		var err error
		if roles[i], err = parseText(turn["role"]); err != nil {
			return fmt.Errorf("has a turn, number %d, whose role %w", i+1, err)
		}
	}
	if err := checkRoles(roles); err != nil { // before contents: a turn that calls a tool has none
		return err
	}
	for i, to := range []*string{&r.Instruction, &r.Output} {
		var err error
		if *to, err = parseText(turns[i]["content"]); err != nil {
			return fmt.Errorf("has a turn, number %d, whose content %w", i+1, err)
		}
		for field, raw := range turns[i] {
			if field != "role" && field != "content" && hasText(raw) {
				unused.Store(name+"."+field, true)
			}
		}
	}
	return nil
}

// parseText reads a string.
func parseText(raw json.RawMessage) (text string, err error) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", fmt.Errorf("is %s, not a string", kindOf(raw))
	}
	if loneSurrogate(raw) {
		return "", errors.New("has half of a surrogate pair, which is no character")
	}
	return text, json.Unmarshal(raw, &text)
}

// hasText reports whether a value holds a string that is not empty, at any depth.
func hasText(raw json.RawMessage) bool {
	return bytes.Count(raw, []byte{'"'}) > 2*bytes.Count(raw, []byte(`""`))
}

func kindOf(value json.RawMessage) string {
	if len(value) == 0 {
		return "absent"
	}
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

// escapes matches the escapes of a string; its group is half of a surrogate pair without the other half.
var escapes = regexp.MustCompile(`\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u([dD][89a-fA-F])..|.)`)

// loneSurrogate looks for an escape such as \ud83d without its other half. encoding/json would silently replace it by U+FFFD.
func loneSurrogate(raw []byte) bool {
	return bytes.Contains(raw, []byte(`\u`)) &&
		slices.ContainsFunc(escapes.FindAllSubmatchIndex(raw, -1), func(m []int) bool { return m[2] >= 0 })
}
