package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"
)

// mapping is a file mapped into memory for reading.
type mapping struct {
	path string
	info fs.FileInfo // at the time of mapping
	data []byte
}

// mapFile maps a regular, non-empty file. Mapping was preferred over reading
// because a model of gigabytes is then held once, in the page cache, and only
// the tensors used are paged in.
func mapFile(path string) (_ *mapping, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %s is not a regular file", path, info.Mode())
	}
	if info.Size() == 0 {
		return nil, fmt.Errorf("%s: the file is empty; download it again", path)
	}
	if info.Size() > math.MaxInt {
		return nil, fmt.Errorf("%s: %d bytes are more than this machine can address", path, info.Size())
	}
	data, err := syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("%s: mmap: %w", path, err)
	}
	return &mapping{path: path, info: info, data: data}, nil
}

func (m *mapping) close() error {
	if err := syscall.Munmap(m.data); err != nil {
		return fmt.Errorf("%s: munmap: %w", m.path, err)
	}
	m.data = nil
	return nil
}
