package data

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

var errPages = errors.New("is damaged: a page claims more than the file holds")

// checkFooter refuses a list longer than the footer that it is in: parquet-go allocates a list of the claimed length before it
// reads the items. Skipping them all needs no memory.
func checkFooter(raw []byte) error {
	var none struct{}
	return thrift.NewDecoder(new(thrift.CompactProtocol).NewReaderFromBytes(raw)).Decode(&none)
}

// checkPages refuses a chunk of a column whose pages claim more than most bytes. parquet-go allocates what they claim
// before it reads it: one wrong bit in the length of a run costs 8 GiB.
func checkPages(f *parquet.File, column *parquet.Column, chunk *format.ColumnMetaData, most int) error {
	at := cmp.Or(chunk.DictionaryPageOffset, chunk.DataPageOffset)
	if at < 0 || at > f.Size() || chunk.TotalCompressedSize < 0 || chunk.TotalCompressedSize > f.Size()-at {
		return errPages
	}
	raw := make([]byte, chunk.TotalCompressedSize)
	if _, err := f.ReadAt(raw, at); err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	for len(raw) > 0 {
		var h format.PageHeader
		r := new(thrift.CompactProtocol).NewReaderFromBytes(raw)
		if err := thrift.NewDecoder(r).Decode(&h); err != nil {
			return fmt.Errorf("is damaged: %w", err)
		}
		raw = raw[r.BytesRead():]
		values := max(h.DictionaryPageHeader.V.NumValues, h.DataPageHeader.V.NumValues, h.DataPageHeaderV2.V.NumValues)
		size := int(h.CompressedPageSize)
		if size < 0 || size > len(raw) || int(h.UncompressedPageSize) > most || int(values) > most/4 {
			return errPages
		}
		if h.Type != format.DictionaryPage {
			if err := checkRuns(&h, raw[:size], column, chunk.Codec, most); err != nil {
				return err
			}
		}
		raw = raw[size:]
	}
	return nil
}

// checkRuns refuses a page whose levels, or indexes of a dictionary, are runs of more values than most bytes hold.
func checkRuns(h *format.PageHeader, page []byte, column *parquet.Column, codec format.CompressionCodec, most int) (err error) {
	v2 := h.DataPageHeaderV2
	// The levels of a page of version 1 are compressed with it, and each has its length before it.
	lengths := []int{int(v2.V.RepetitionLevelsByteLength), int(v2.V.DefinitionLevelsByteLength)}
	for i, level := range []int{column.MaxRepetitionLevel(), column.MaxDefinitionLevel()} {
		if i == 0 && !v2.Valid {
			if page, err = parquet.LookupCompressionCodec(codec).Decode(nil, page); err != nil {
				return fmt.Errorf("is damaged: %w", err)
			}
		}
		if !v2.Valid && level > 0 && len(page) >= 4 {
			lengths[i], page = int(binary.LittleEndian.Uint32(page)), page[4:]
		}
		if lengths[i] < 0 || lengths[i] > len(page) || !runsFit(page[:lengths[i]], bits.Len(uint(level)), most) {
			return errPages
		}
		page = page[lengths[i]:]
	}
	if v2.Valid && (v2.V.IsCompressed.V || !v2.V.IsCompressed.Valid) {
		if page, err = parquet.LookupCompressionCodec(codec).Decode(nil, page); err != nil {
			return fmt.Errorf("is damaged: %w", err)
		}
	}
	encoding := cmp.Or(h.DataPageHeader.V.Encoding, v2.V.Encoding)
	//lint:ignore SA1019 deprecated, and what Spark writes
	dictionary := encoding == format.RLEDictionary || encoding == format.PlainDictionary
	if dictionary && len(page) > 0 && !runsFit(page[1:], int(page[0]), most) {
		return errPages
	}
	return nil
}

// runsFit reports whether the values that runs claim, each of width bits, fit into most bytes at 4 bytes each.
func runsFit(runs []byte, width, most int) bool {
	total := 0
	for len(runs) > 0 {
		n, used := binary.Uvarint(runs)
		if used <= 0 || n > uint64(most) {
			return false
		}
		count, size := int(n>>1), (width+7)/8
		if n&1 != 0 { // eights, packed
			count, size = 8*count, count*width
		}
		if total += count; 4*total > most {
			return false
		}
		if count == 0 {
			size = 0
		}
		runs = runs[min(used+size, len(runs)):]
	}
	return true
}
