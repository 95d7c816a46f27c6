package checkpoint

import (
	"fmt"
	"io"
	"math"
	"unicode/utf8"

	"github.com/nlpodyssey/safetensors"

	"lorabench/internal/file"
)

// view passes a tensor to the library, whose own NewTensorView refuses scalars: it reads an empty shape
// as no elements, where the format means one.
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
	return file.Replace(path, func(w io.Writer) error {
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
