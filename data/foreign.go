package data

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
)

// foreign lists the first bytes of file formats that are not read, and what to do with such a file.
var foreign = []struct{ magic, is, do string }{
	{"version https://git-lfs", "a Git LFS pointer, not the file that it stands for", "run git lfs pull in its folder, or download the file"},
	{"ARROW1", "an Arrow IPC file (Feather)", arrow},
	{"\xff\xff\xff\xff", "an Arrow IPC stream, as datasets keeps in its cache and in save_to_disk", arrow},
	{"\xff\xfe", "UTF-16 text", utf8From + "UTF-16"}, {"\xfe\xff", "UTF-16 text", utf8From + "UTF-16"},
	// Without a byte order mark: a bracket of two bytes.
	{"[\x00", "UTF-16 text", utf8From + "UTF-16LE"}, {"{\x00", "UTF-16 text", utf8From + "UTF-16LE"},
	{"\x00[", "UTF-16 text", utf8From + "UTF-16BE"}, {"\x00{", "UTF-16 text", utf8From + "UTF-16BE"},
	{"\x1f\x8b", "gzip within gzip", "unpack it once with gunzip"},
	{"\x28\xb5\x2f\xfd", "packed with zstd", "unpack it with zstd -d"},
	{"BZh", "packed with bzip2", "unpack it with bunzip2"},
	{"\xfd7zXZ\x00", "packed with xz", "unpack it with unxz"},
	{"PK\x03\x04", "a zip archive", "unpack it with unzip"},
}

const (
	arrow    = "write it with to_parquet or to_json of datasets"
	utf8From = "make it UTF-8, with iconv -t UTF-8 -f "

	notNumbers = "Python writes NaN and Infinity, JSON has neither: write null in their place"
	notJSON    = "this is a dict as Python prints it, not JSON: write it with json.dumps"
)

// Records in text compress to a tenth or so. A file that unpacks to more than expansion times its size, and to more than
// expandable bytes, is refused as a decompression bomb.
const (
	expansion  = 100
	expandable = 64 << 20
)

func mostExpanded(size int) int { return max(expandable, expansion*size) }

var errExpands = fmt.Errorf("unpacks to more than %d MiB and more than %d times the file's size, so it is damaged or made "+
	"to fill the memory; if it is neither, give it as plain JSON lines", expandable>>20, expansion)

// gunzip unpacks a gzip file.
func gunzip(raw []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	most := mostExpanded(len(raw))
	text, err := io.ReadAll(io.LimitReader(z, int64(most)+1))
	if err != nil {
		return nil, fmt.Errorf("gzip: %w: the file is cut off or damaged", err)
	}
	if len(text) > most {
		return nil, fmt.Errorf("gzip: it %w", errExpands)
	}
	return text, nil
}

// pythonic lists what Python writes and JSON does not have, by how it begins, and what to do.
var pythonic = []struct{ begins, why string }{
	{"NaN", notNumbers}, {"Infinity", notNumbers}, {"'", notJSON}, {"None", notJSON}, {"True", notJSON}, {"False", notJSON},
}
