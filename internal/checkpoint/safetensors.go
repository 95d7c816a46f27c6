package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/nlpodyssey/safetensors"
)

// maxHeader is the longest safetensors header, in bytes, that the format's
// reference implementation reads.
const maxHeader = 100_000_000

// parseSafetensors reads the header of a safetensors file and checks that its
// tensors cover the rest of data exactly, without holes or overlaps (the
// format: https://huggingface.co/docs/safetensors).
//
// The library parses the header. Its own check of the offsets was refused
// because its errors name neither tensor nor value, and its Deserialize because
// it accepts duplicate names and text that is not UTF-8.
func parseSafetensors(path string, data []byte) (*part, error) {
	header, body, err := splitHeader(data)
	if err != nil {
		return nil, err
	}
	var meta safetensors.Metadata
	if err := json.Unmarshal(header, &meta); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	if key, err := duplicateKey(header); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	} else if key != "" {
		return nil, fmt.Errorf("safetensors header: %s is there twice", key)
	}
	p := &part{tensors: map[string]loader{}, metadata: meta.Metadata()}
	tensors := make([]Tensor, 0, len(meta.Tensors()))
	begins := map[string]uint64{}
	for name, info := range meta.Tensors() {
		t, err := safetensorsView(name, info, body)
		if err != nil {
			return nil, fmt.Errorf("safetensors header: tensor %q: %w", name, err)
		}
		t.Source = path
		begins[name] = info.DataOffsets[0]
		tensors = append(tensors, t)
		p.tensors[name] = func() (Tensor, error) {
			t := t // the caller may change its Shape
			t.Shape = slices.Clone(t.Shape)
			return t, nil
		}
	}
	slices.SortFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(begins[a.Name], begins[b.Name]), cmp.Compare(len(a.Data), len(b.Data)))
	})
	end := uint64(0)
	for _, t := range tensors {
		begin := begins[t.Name]
		if begin < end {
			return nil, fmt.Errorf("safetensors header: tensor %q begins at %d, inside the tensor before it, which ends at %d", t.Name, begin, end)
		}
		if begin > end {
			return nil, fmt.Errorf("safetensors header: tensor %q begins at %d, leaving a hole after %d", t.Name, begin, end)
		}
		end = begin + uint64(len(t.Data))
	}
	if end != uint64(len(body)) {
		return nil, fmt.Errorf("the file has %d bytes after the last tensor's end", uint64(len(body))-end)
	}
	return p, nil
}

// splitHeader returns the JSON header and the tensors' bytes after it.
func splitHeader(data []byte) (header, body []byte, err error) {
	if len(data) < 8 {
		return nil, nil, fmt.Errorf("%d bytes are too few for a safetensors file; download it again", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	if n > maxHeader {
		return nil, nil, fmt.Errorf("neither safetensors nor torch.save's zip format: read as safetensors, its header would take %d bytes (at most %d)", n, maxHeader)
	}
	if n > uint64(len(data)-8) {
		return nil, nil, fmt.Errorf("cut short: the safetensors header takes %d bytes, the file has %d more; download it again", n, len(data)-8)
	}
	header, body = data[8:8+n], data[8+n:]
	if !bytes.HasPrefix(header, []byte("{")) {
		return nil, nil, fmt.Errorf("safetensors header does not begin with '{'")
	}
	if !utf8.Valid(header) {
		return nil, nil, fmt.Errorf("safetensors header is not UTF-8")
	}
	return header, body, nil
}

// safetensorsView checks one tensor's entry against itself and the file's
// length and returns its view of body.
func safetensorsView(name string, info *safetensors.TensorInfo, body []byte) (Tensor, error) {
	t := Tensor{Name: name, DType: DType(info.DType.String()), Shape: make([]int64, len(info.Shape))}
	for i, n := range info.Shape {
		if n > math.MaxInt64 {
			return Tensor{}, fmt.Errorf("shape %v: dimension %d is more than 2^63-1", info.Shape, i)
		}
		t.Shape[i] = int64(n)
	}
	begin, end := info.DataOffsets[0], info.DataOffsets[1]
	if begin > end {
		return Tensor{}, fmt.Errorf("data_offsets [%d, %d] end before they begin", begin, end)
	}
	if end > uint64(len(body)) {
		return Tensor{}, fmt.Errorf("data_offsets [%d, %d] are beyond the file's %d bytes of data: it is cut short; download it again", begin, end, len(body))
	}
	want, err := byteSize(t.DType, t.Shape)
	if err != nil {
		return Tensor{}, err
	}
	if uint64(want) != end-begin {
		return Tensor{}, fmt.Errorf("data_offsets [%d, %d] hold %d bytes, but %s of shape %v takes %d", begin, end, end-begin, t.DType, t.Shape, want)
	}
	t.Data = body[begin:end:end]
	return t, nil
}
