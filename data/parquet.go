package data

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// parseParquet reads the columns of the first layout that the file has. It goes column by column, not through
// parquet-go's rows: those give "" for a column that the file does not have.
func (s *Set) parseParquet(raw []byte) (err error) {
	// parquet-go checks most of what it reads, but not all: a damaged file can still make it panic.
	defer func() {
		if r := recover(); r != nil {
			*s, err = Set{}, fmt.Errorf("parquet: the file is damaged: %v", r)
		}
	}()
	// The last eight bytes are the footer's length and the mark again.
	end := len(raw) - 8
	if end < 4 || !bytes.HasSuffix(raw, []byte("PAR1")) || int64(binary.LittleEndian.Uint32(raw[end:])) > int64(end)-4 {
		return errors.New("parquet: the file is cut off or damaged: it has no footer")
	}
	if err := checkFooter(raw[end-int(binary.LittleEndian.Uint32(raw[end:])) : end]); err != nil {
		return fmt.Errorf("parquet: the file is damaged: %w", err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(raw), int64(len(raw)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("parquet: %w", err)
	}
	columns := slices.DeleteFunc(slices.Clone(f.Root().Columns()), func(c *parquet.Column) bool { return typeName(c) == nulls })
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name()
	}
	l, err := choose("columns", names)
	if err != nil {
		return fmt.Errorf("parquet: %w", err)
	}
	var recs []Record
	most := mostExpanded(len(raw))
	for _, field := range l {
		column := f.Root().Column(field.name)
		switch {
		case !slices.Contains(names, field.name):
		case field.of == nil:
			recs, err = readTurns(f, turn(column), most)
		default:
			recs, err = readField(recs, f, column, most, field)
		}
		if err != nil {
			return fmt.Errorf("parquet: column %q %w", field.name, err)
		}
	}
	s.Records, s.Layout = recs, l.String()
	for _, c := range columns {
		if !l.has(c.Name()) && holdsText(c) {
			s.Unused = append(s.Unused, c.Name())
		}
		for _, part := range turn(c).Columns() {
			if c.Name() == s.Layout && part.Name() != "role" && part.Name() != "content" && holdsText(part) {
				s.Unused = append(s.Unused, c.Name()+"."+part.Name())
			}
		}
	}
	return nil
}

// readField reads one column into recs, which the first column allocates.
func readField(recs []Record, f *parquet.File, column *parquet.Column, most int, field field) ([]Record, error) {
	cells, err := readColumn(f, column, 0, most)
	if err != nil {
		return nil, err
	}
	if recs == nil {
		recs = make([]Record, len(cells))
	}
	if len(cells) != len(recs) {
		return nil, fmt.Errorf("has %d values, the first column %d", len(cells), len(recs))
	}
	for i, c := range cells {
		if c.null && !field.optional {
			return nil, fmt.Errorf("is null in record %d", i+1)
		}
		*field.of(&recs[i]) = c.text
	}
	return recs, nil
}

// turn returns the group of role and content within a list of turns, however the writer named the levels between.
func turn(list *parquet.Column) *parquet.Column {
	for list.Column("role") == nil && len(list.Columns()) == 1 {
		list = list.Columns()[0]
	}
	return list
}

func readTurns(f *parquet.File, turn *parquet.Column, most int) (recs []Record, err error) {
	roles, err := readColumn(f, turn.Column("role"), 1, most)
	if err != nil {
		return nil, fmt.Errorf("has a role that %w", err)
	}
	contents, err := readColumn(f, turn.Column("content"), 1, most)
	if err != nil {
		return nil, fmt.Errorf("has a content that %w", err)
	}
	if !slices.EqualFunc(roles, contents, func(a, b cell) bool { return a.row == b.row }) {
		return nil, errors.New("has not as many contents as roles")
	}
	for i := 0; i < len(roles); i += 2 {
		var turns []string
		for _, c := range roles[i:] {
			if c.row != len(recs) {
				break
			}
			turns = append(turns, c.text) // an empty list is one null
		}
		if err := checkRoles(turns); err != nil {
			return nil, fmt.Errorf("in record %d %w", len(recs)+1, err)
		}
		if contents[i].null || contents[i+1].null {
			return nil, fmt.Errorf("in record %d has a content that is null", len(recs)+1)
		}
		recs = append(recs, Record{Instruction: contents[i].text, Output: contents[i+1].text})
	}
	return recs, nil
}

// cell is one string, or null, of a column.
type cell struct {
	row  int
	text string
	null bool
}

// readColumn reads a column of strings, or with lists = 1 of lists of them, up to most bytes.
func readColumn(f *parquet.File, column *parquet.Column, lists, most int) (cells []cell, err error) {
	if column == nil {
		return nil, errors.New("is absent")
	}
	if !column.Leaf() || column.MaxRepetitionLevel() != lists || column.Type().Kind() != parquet.ByteArray {
		return nil, fmt.Errorf("is %s, not a string", typeName(column))
	}
	row := -1
	var values [256]parquet.Value
	for i, group := range f.RowGroups() {
		// parquet-go does not read Hadoop's LZ4, and unpacks a damaged block of LZ4_RAW into ever more memory, until none is
		// left and the process dies.
		chunk := &f.Metadata().RowGroups[i].Columns[column.Index()].MetaData
		switch chunk.Codec {
		case format.Lz4, format.Lz4Raw:
			return nil, fmt.Errorf("is compressed with %s, which is not supported: write the file again with snappy, zstd or gzip", chunk.Codec)
		}
		if err := checkPages(f, column, chunk, most); err != nil {
			return nil, err
		}
		pages := group.ColumnChunks()[column.Index()].Pages()
		defer pages.Close()
		for {
			page, err := pages.ReadPage()
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("cannot be read: %w", err)
			}
			reader := page.Values()
			for err == nil {
				var n int
				n, err = reader.ReadValues(values[:])
				for _, v := range values[:n] {
					if v.RepetitionLevel() == 0 {
						row++
					}
					c := cell{row, string(v.ByteArray()), v.IsNull()} // a copy: the page's memory is reused
					if !utf8.ValidString(c.text) {
						return nil, fmt.Errorf("is not UTF-8 in record %d", row+1)
					}
					if most -= 32 + len(c.text); most < 0 { // 32 is the size of a cell
						return nil, errExpands
					}
					cells = append(cells, c)
				}
			}
			parquet.Release(page)
			if !errors.Is(err, io.EOF) {
				return nil, fmt.Errorf("cannot be read: %w", err)
			}
		}
	}
	return cells, nil
}

// nulls is the typeName of a column that pandas and pyarrow write where every value is None. It is treated as absent.
const nulls = "a column of nulls"

// typeName describes what a column holds.
func typeName(c *parquet.Column) string {
	name, _, _ := strings.Cut(c.Type().String(), "(")
	if c.Repeated() {
		name = "LIST"
	}
	words := map[string]string{"NULL": nulls, "LIST": "a list", "MAP": "a map", "group": "a struct", "STRING": "a string",
		"BOOLEAN": "true or false", "INT": "an integer", "INT32": "an integer", "INT64": "an integer", "INT96": "a date and time",
		"FLOAT": "a floating-point number", "DOUBLE": "a floating-point number", "DECIMAL": "a decimal number",
		"DATE": "a date", "TIME": "a time of day", "TIMESTAMP": "a date and time"}
	return cmp.Or(words[name], "of type "+name)
}

// holdsText reports whether a column holds strings at any depth.
func holdsText(c *parquet.Column) bool {
	if c.Leaf() {
		return c.Type().Kind() == parquet.ByteArray && typeName(c) != nulls
	}
	return slices.ContainsFunc(c.Columns(), holdsText)
}
