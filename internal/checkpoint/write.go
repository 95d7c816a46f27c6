package checkpoint

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/nlpodyssey/safetensors"
)

// view gives the library a tensor. Its own NewTensorView refuses scalars: it
// takes an empty shape for no elements, where the format means one.
type view struct {
	dtype safetensors.DType
	shape []uint64
	data  []byte
}

func (v view) DType() safetensors.DType { return v.dtype }
func (v view) Shape() []uint64          { return v.shape }
func (v view) Data() []byte             { return v.data }
func (v view) DataLen() uint64          { return uint64(len(v.data)) }

// Write writes a safetensors file of the tensors and metadata (such as
// {"format": "pt"}, which transformers asks for; nil for none). The same
// tensors and metadata give the same bytes in whatever order they come: the
// header's keys are sorted, the data lie by falling dtype alignment and then by
// name, as the Python package lays them, and the header's length is a multiple
// of 8.
//
// The bytes go to a new file beside path, are synced and then renamed to path,
// so that path never holds half a file and a File open on the old one stays
// valid. Tensors whose Data do not match DType and Shape, names that are used
// twice, are not UTF-8 or are "__metadata__" are errors.
func Write(path string, tensors []Tensor, metadata map[string]string) error {
	views, err := viewsOf(tensors, metadata)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return replaceFile(path, func(w io.Writer) error {
		return safetensors.SerializeToWriter(views, metadata, w)
	})
}

func viewsOf(tensors []Tensor, metadata map[string]string) (map[string]view, error) {
	for k, v := range metadata {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return nil, fmt.Errorf("metadata %q: %q is not UTF-8", k, v)
		}
	}
	views := make(map[string]view, len(tensors))
	total := uint64(0)
	for _, t := range tensors {
		if t.Name == "__metadata__" || !utf8.ValidString(t.Name) {
			return nil, fmt.Errorf("tensor name %q cannot be written: it must be UTF-8 and not __metadata__", t.Name)
		}
		if _, ok := views[t.Name]; ok {
			return nil, fmt.Errorf("tensor %q is given twice", t.Name)
		}
		if err := t.check(); err != nil {
			return nil, err
		}
		dtype, err := safetensors.ParseDType(string(t.DType))
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		shape := make([]uint64, len(t.Shape))
		for i, n := range t.Shape {
			shape[i] = uint64(n)
		}
		if total += uint64(len(t.Data)); total > math.MaxInt64 {
			return nil, fmt.Errorf("tensor %q: more than 2^63 bytes in all", t.Name)
		}
		views[t.Name] = view{dtype: dtype, shape: shape, data: t.Data}
	}
	return views, nil
}

// replaceFile writes a file beside path, syncs it and renames it to path.
func replaceFile(path string, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	// Not os.CreateTemp: its mode 0600 would stay, where others expect to read
	// the file as the umask lets them.
	temp := filepath.Join(dir, "."+filepath.Base(path)+"."+rand.Text())
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err == nil {
			return
		}
		if gone := os.Remove(temp); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		err = fmt.Errorf("write %s: %w", path, err)
	}()
	w := bufio.NewWriterSize(file, 1<<20)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err = os.Rename(temp, path); err != nil {
		return err
	}
	return syncFolder(dir)
}

// syncFolder makes the rename in dir last through a power cut.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
