package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lorabench/internal/file"
)

// The file names that are tried in a folder, in order: a model's as transformers' from_pretrained does, an adapter's
// as PEFT's load_peft_weights does. A folder may hold both.
var (
	modelFiles   = []string{"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"}
	adapterFiles = []string{"adapter_model.safetensors", "adapter_model.bin"}
)

// File is an open checkpoint: one weights file, or an index and its shards.
// Its methods may be called from several goroutines, Close only when no other
// call is under way. The files must not be changed in place while it is open;
// replacing them by renaming, as Write does, is safe.
type File struct {
	path     string
	mapped   []*mapping
	tensors  map[string]loader
	names    []string
	metadata map[string]string
	closed   bool
}

// loader returns a tensor of a parsed file. The bytes are not copied if they can be viewed.
type loader func() (Tensor, error)

// part holds the content of one weights file.
type part struct {
	tensors  map[string]loader
	metadata map[string]string
}

// Open opens path: a weights file (safetensors, or torch.save's zip format), an
// index file (*.index.json), or a folder holding, in this order of preference,
// model.safetensors, model.safetensors.index.json, pytorch_model.bin or
// pytorch_model.bin.index.json.
//
// All headers are checked here, so that a file cut short or forged is refused
// before any tensor is used. Errors name the file and the tensor.
func Open(path string) (*File, error) { return openFrom(path, modelFiles) }

// OpenAdapter is Open for a folder's adapter_model.safetensors or
// adapter_model.bin, whatever else the folder holds.
func OpenAdapter(dir string) (*File, error) { return openFrom(dir, adapterFiles) }

func openFrom(path string, candidates []string) (*File, error) {
	file, err := locate(path, candidates)
	if err != nil {
		return nil, fmt.Errorf("open checkpoint: %w", err)
	}
	f := &File{path: file, tensors: map[string]loader{}, metadata: map[string]string{}}
	if strings.HasSuffix(file, ".json") {
		err = f.addIndex(file)
	} else {
		var p *part
		if p, err = f.load(file); err == nil {
			f.tensors = p.tensors
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open checkpoint: %w", err), f.Close())
	}
	f.names = slices.Sorted(maps.Keys(f.tensors))
	return f, nil
}

// locate returns the file that path, which may be a folder, stands for.
func locate(path string, candidates []string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return path, nil
	}
	for _, name := range candidates {
		file := filepath.Join(path, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("folder %s holds no weights: looked for %s", path, strings.Join(candidates, ", "))
}

// load maps one weights file and returns what it holds.
func (f *File) load(path string) (*part, error) {
	m, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	f.mapped = append(f.mapped, m)
	p, err := parseWeights(path, m.data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for k, v := range p.metadata {
		// The shards of one checkpoint carry the same metadata; where they
		// differ the first shard's value is kept.
		if _, ok := f.metadata[k]; !ok {
			f.metadata[k] = v
		}
	}
	return p, nil
}

// parseWeights reads one weights file, whose format is told by its bytes, not its name: the hub's cache
// keeps files under their hash.
func parseWeights(path string, data []byte) (*part, error) {
	if err := notWeights(data); err != nil {
		return nil, err
	}
	if isZip(data) {
		return parseTorch(path, data)
	}
	if err := oldPickle(data); err != nil {
		return nil, err
	}
	return parseSafetensors(path, data)
}

// Names returns the names of all tensors, sorted.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Tensor returns the named tensor; the bool reports whether there is one of that
// name. Its Data is a view of the mapped file except where a torch.save file
// holds it strided, which is copied anew by each call. The first
// call on a torch.save storage checks its CRC-32.
func (f *File) Tensor(name string) (Tensor, bool, error) {
	if f.closed {
		return Tensor{}, false, fmt.Errorf("%s: tensor %q asked for after Close", f.path, name)
	}
	load, ok := f.tensors[name]
	if !ok {
		return Tensor{}, false, nil
	}
	t, err := load()
	if err != nil {
		return Tensor{}, true, err
	}
	return t, true, nil
}

// Metadata returns safetensors' __metadata__; it is empty for torch.save files.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Files returns the paths of the files read: the weights file, or the index
// file and then its shards by name.
func (f *File) Files() []string {
	paths := make([]string, len(f.mapped))
	for i, m := range f.mapped {
		paths[i] = m.path
	}
	return paths
}

// SHA256 returns the hexadecimal SHA-256 of the bytes of Files, one after the other; a process hashes
// them once. For a checkpoint of one file it is what sha256sum prints.
func (f *File) SHA256() (string, error) {
	if f.closed {
		return "", fmt.Errorf("%s: SHA256 asked for after Close", f.path)
	}
	var data []io.Reader
	var infos []fs.FileInfo
	for _, m := range f.mapped {
		data, infos = append(data, bytes.NewReader(m.data)), append(infos, m.info)
	}
	return file.SHA256(io.MultiReader(data...), infos...)
}

// Missing returns the error for a tensor that f has under none of its names. If it is there behind a prefix, such as
// DistributedDataParallel's module., torch.compile's _orig_mod. or PEFT's base_model.model., or without the one asked
// for, the error says so.
func (f *File) Missing(name string, others ...string) error {
	files := strings.Join(f.Files(), ", ")
	for _, name := range append([]string{name}, others...) {
		for _, have := range f.names {
			if prefix, ok := strings.CutSuffix(have, name); ok {
				return fmt.Errorf("%s is missing from %s, which has %s: save the model without its wrapper, or take %q off every name",
					name, files, have, prefix)
			}
			if prefix, ok := strings.CutSuffix(name, "."+have); ok {
				return fmt.Errorf("%s is missing from %s, which has %s: put %q before every name", name, files, have, prefix+".")
			}
		}
	}
	return fmt.Errorf("%s is missing from %s", name, files)
}

// Close unmaps the files. Tensor.Data from f must not be used afterwards.
// A second call does nothing.
func (f *File) Close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	var errs []error
	for _, m := range f.mapped {
		errs = append(errs, m.close())
	}
	return errors.Join(errs...)
}
