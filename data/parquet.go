package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// parseParquet reads the columns instruction, input and output. It goes column by column, not through parquet-go's
// rows: those give "" for a column that the file does not have.
func parseParquet(raw []byte) (recs []Record, err error) {
	// parquet-go checks most of what it reads, but not all: a damaged file can still make it panic.
	defer func() {
		if r := recover(); r != nil {
			recs, err = nil, fmt.Errorf("parquet: the file is damaged: %v", r)
		}
	}()
	f, err := parquet.OpenFile(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, fmt.Errorf("parquet: %w", err)
	}
	columns := []struct {
		name     string
		optional bool
		field    func(*Record) *string
	}{
		{"instruction", false, func(r *Record) *string { return &r.Instruction }},
		{"input", true, func(r *Record) *string { return &r.Input }},
		{"output", false, func(r *Record) *string { return &r.Output }},
	}
	for _, c := range columns {
		column := f.Root().Column(c.name)
		if column == nil && c.optional {
			continue
		}
		if err := checkColumn(f, column, c.name); err != nil {
			return nil, err
		}
		values, err := readColumn(f, column, c.optional)
		if err != nil {
			return nil, fmt.Errorf("parquet: column %q: %w", c.name, err)
		}
		if recs == nil {
			recs = make([]Record, len(values))
		}
		if len(values) != len(recs) {
			return nil, fmt.Errorf("parquet: column %q has %d values, but instruction has %d", c.name, len(values), len(recs))
		}
		for i, v := range values {
			*c.field(&recs[i]) = v
		}
	}
	for i, r := range recs {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("record %d: %w", i+1, err)
		}
	}
	return recs, nil
}

func checkColumn(f *parquet.File, column *parquet.Column, name string) error {
	if column == nil {
		var names []string
		for _, c := range f.Root().Columns() {
			names = append(names, c.Name())
		}
		return fmt.Errorf("parquet: no column %q among %.100q", name, strings.Join(names, ", "))
	}
	if !column.Leaf() || column.Repeated() || column.Type().Kind() != parquet.ByteArray {
		return fmt.Errorf("parquet: column %q is %v, not a string", name, column)
	}
	for _, group := range f.Metadata().RowGroups {
		if codec := group.Columns[column.Index()].MetaData.Codec; codec == format.Lz4 {
			return fmt.Errorf("parquet: column %q is compressed with %s, which is not supported: write the file again with snappy, zstd or gzip",
				name, codec)
		}
	}
	return nil
}

// readColumn returns the values of a column of strings; a null is "" where that is allowed.
func readColumn(f *parquet.File, column *parquet.Column, nullable bool) ([]string, error) {
	var out []string
	var values [256]parquet.Value
	for _, group := range f.RowGroups() {
		pages := group.ColumnChunks()[column.Index()].Pages()
		err := func() error {
			defer pages.Close()
			for {
				page, err := pages.ReadPage()
				if err == io.EOF {
					return nil
				}
				if err != nil {
					return err
				}
				reader := page.Values()
				for err == nil {
					var n int
					n, err = reader.ReadValues(values[:])
					for _, v := range values[:n] {
						if v.IsNull() && !nullable {
							return fmt.Errorf("record %d is null", len(out)+1)
						}
						s := string(v.ByteArray()) // a copy: the page's memory is used again
						if !utf8.ValidString(s) {
							return fmt.Errorf("record %d is not UTF-8", len(out)+1)
						}
						out = append(out, s)
					}
				}
				parquet.Release(page)
				if !errors.Is(err, io.EOF) {
					return err
				}
			}
		}()
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
