package checkpoint

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// archive is a torch.save file: <root>/data.pkl, the state dict's pickle, and
// one entry <root>/data/<key> for each storage (torch/serialization.py, _save).
type archive struct {
	data    []byte
	entries map[string]*zip.File
	root    string
	// inflate is how many bytes compressed entries may still expand to. DEFLATE
	// makes at most 1032 bytes of one, so an archive that asks for more is
	// forged; entries that overlap in the file could ask for much more.
	inflate uint64
}

// entry holds the bytes of an archive's entry.
type entry struct {
	data  []byte
	check func() error // of the CRC-32; runs once and is remembered
}

// parseTorch reads torch.save's zip format.
func parseTorch(path string, data []byte) (*part, error) {
	a, err := newArchive(data)
	if err != nil {
		return nil, err
	}
	pickle, err := a.entry(a.root + "data.pkl")
	if err == nil {
		err = pickle.check()
	}
	if err != nil {
		return nil, err
	}
	object, err := unpickle(pickle.data)
	if err != nil {
		return nil, err
	}
	refs, err := stateDict(object)
	if err != nil {
		return nil, err
	}
	p := &part{tensors: make(map[string]loader, len(refs))}
	storages := map[string]entry{}
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		ref := refs[name]
		key := ref.storage.key
		s, ok := storages[key]
		if !ok {
			if s, err = a.entry(a.root + "data/" + key); err != nil {
				return nil, fmt.Errorf("tensor %q: %w", name, err)
			}
			storages[key] = s
		}
		rebuild, err := ref.prepare(s.data, len(data))
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		p.tensors[name] = func() (Tensor, error) {
			if err := s.check(); err != nil {
				return Tensor{}, fmt.Errorf("%s: tensor %q: %w", path, name, err)
			}
			return Tensor{Name: name, DType: ref.storage.dtype, Shape: slices.Clone(ref.shape), Data: rebuild(), Source: path}, nil
		}
	}
	return p, nil
}

func newArchive(data []byte) (*archive, error) {
	// ErrInsecurePath is only about extracting, which is not done here.
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("the zip archive is cut short or broken: %w; download it again", err)
	}
	a := &archive{data: data, entries: make(map[string]*zip.File, len(z.File)), inflate: 1032 * uint64(len(data))}
	for _, f := range z.File {
		if a.entries[f.Name] != nil {
			return nil, fmt.Errorf("the zip archive has two entries %q", f.Name)
		}
		a.entries[f.Name] = f
		root, rest, _ := strings.Cut(f.Name, "/")
		if rest != "data.pkl" {
			continue
		}
		if a.root != "" {
			return nil, fmt.Errorf("the zip archive has two state dicts, %sdata.pkl and %s", a.root, f.Name)
		}
		a.root = root + "/"
	}
	if a.root == "" {
		return nil, errors.New("a zip archive, but not one of torch.save: it has no data.pkl")
	}
	if a.entries[a.root+"constants.pkl"] != nil {
		return nil, errors.New("a TorchScript archive, which holds code; in Python, save its tensors: torch.save(torch.jit.load(path).state_dict(), path)")
	}
	if a.entries[a.root+"byteorder"] != nil { // written since PyTorch 2.1
		order, err := a.entry(a.root + "byteorder")
		if err != nil {
			return nil, err
		}
		if got := strings.TrimSpace(string(order.data)); got != "little" {
			return nil, fmt.Errorf("byteorder is %.16q; only little-endian files are read: convert it to safetensors on the machine that wrote it", got)
		}
	}
	return a, nil
}

// entry returns the bytes of an entry, a view of the file where they are stored
// uncompressed, as torch.save stores them. These are checked only when asked,
// so that opening a file does not read it through; inflated bytes have been
// checked. A CRC-32 of 0 means that none was written
// (torch.serialization.set_crc32_options(False)).
func (a *archive) entry(name string) (entry, error) {
	f := a.entries[name]
	if f == nil {
		return entry{}, fmt.Errorf("the archive has no entry %q", name)
	}
	if f.Flags&1 != 0 {
		return entry{}, fmt.Errorf("entry %q is encrypted", name)
	}
	switch f.Method {
	case zip.Store:
		data, err := a.stored(f)
		if err != nil {
			return entry{}, fmt.Errorf("entry %q: %w", name, err)
		}
		return entry{data, sync.OnceValue(func() error {
			if got := crc32.ChecksumIEEE(data); f.CRC32 != 0 && got != f.CRC32 {
				return fmt.Errorf("entry %q is damaged: its CRC-32 is %08x, not %08x; download the file again", name, got, f.CRC32)
			}
			return nil
		})}, nil
	case zip.Deflate:
		data, err := a.inflated(f)
		if err != nil {
			return entry{}, fmt.Errorf("entry %q: %w", name, err)
		}
		return entry{data, func() error { return nil }}, nil
	}
	return entry{}, fmt.Errorf("entry %q is compressed by zip method %d; torch.save stores entries uncompressed", name, f.Method)
}

func (a *archive) stored(f *zip.File) ([]byte, error) {
	begin, err := f.DataOffset()
	if err != nil {
		return nil, err
	}
	size, length := f.UncompressedSize64, uint64(len(a.data))
	if size != f.CompressedSize64 {
		return nil, fmt.Errorf("it is stored uncompressed but has two sizes, %d and %d bytes", size, f.CompressedSize64)
	}
	if begin < 0 || uint64(begin) > length || size > length-uint64(begin) {
		return nil, fmt.Errorf("%d bytes at %d go beyond the file's %d bytes; download it again", size, begin, length)
	}
	end := uint64(begin) + size
	return a.data[begin:end:end], nil
}

func (a *archive) inflated(f *zip.File) (_ []byte, err error) {
	size := f.UncompressedSize64
	if size > a.inflate {
		return nil, fmt.Errorf("it would take %d bytes, more than the file can hold compressed", size)
	}
	a.inflate -= size
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	// The reader checks length and CRC-32 when it meets the end.
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("more than the %d bytes it should have: %w", size, errors.Join(err, zip.ErrFormat))
	}
	return b, nil
}
