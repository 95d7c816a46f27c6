package decoder

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"lorabench/internal/checkpoint"
	"lorabench/internal/file"
	"lorabench/internal/torch"
)

// headName is the one weight a checkpoint may carry besides Config.Params: the tied head.
const headName = "lm_head.weight"

// Source says where weights came from, for the run record.
type Source struct {
	Files  []string // the files read, or none for made weights
	SHA256 string   // of those files' bytes, in order; of the recipe's text for made weights
}

// Load reads a folder's weights for its config: from model.safetensors, sharded safetensors with an index, or pytorch_model.bin. Weights
// become d on the device; s owns them. A weight that is missing, left over or of another shape than the config says is an error that
// names it.
func Load(s *torch.Scope, c Config, dir string, d torch.DType, on torch.Device) (*Model, Source, error) {
	f, err := checkpoint.Open(dir)
	if err != nil {
		return nil, Source{}, err
	}
	defer f.Close()
	weights, err := read(s, c, f, d, on)
	if err != nil {
		return nil, Source{}, fmt.Errorf("model %s: %w", dir, err)
	}
	sum, err := f.SHA256()
	if err != nil {
		return nil, Source{}, err
	}
	m, err := New(c, weights)
	return m, Source{Files: f.Files(), SHA256: sum}, err
}

func read(s *torch.Scope, c Config, f *checkpoint.File, d torch.DType, on torch.Device) (map[string]*torch.Tensor, error) {
	byName := map[string]string{}
	for _, key := range f.Names() {
		name := c.Key(key)
		if name == "" {
			continue
		}
		if twin, twice := byName[name]; twice {
			return nil, fmt.Errorf("weight %s is there twice, as %s and as %s", name, twin, key)
		}
		byName[name] = key
	}
	if key, ok := byName[headName]; ok && c.Tied() != "" && byName[c.Tied()] == "" {
		byName[c.Tied()] = key // save_model of safetensors keeps one name of a shared tensor, the first in order
		delete(byName, headName)
	}
	weights := Store(s, c, d, on)
	for _, p := range c.Params() {
		key, ok := byName[p.Name]
		if !ok {
			return nil, fmt.Errorf("weight %w", f.Missing(p.Name, strings.TrimPrefix(p.Name, "model.")))
		}
		delete(byName, p.Name)
		var err error
		s.Do(func(s *torch.Scope) {
			var t *torch.Tensor
			if t, err = tensor(s, f, key, p.Shape); err == nil {
				torch.Copy(weights[p.Name], t)
				err = checkFinite(s, f, key, weights[p.Name])
			}
		})
		if err != nil {
			return nil, err
		}
	}
	if err := checkHead(s, c, f, byName, weights); err != nil {
		return nil, err
	}
	if len(byName) > 0 {
		first := slices.Min(slices.Collect(maps.Values(byName)))
		return nil, fmt.Errorf("weight %s in %s is not part of the model that config.json describes (%d such weights)",
			first, strings.Join(f.Files(), ", "), len(byName))
	}
	return weights, nil
}

// Layout lists a config's Params so that its Stacks lie next to each other.
func Layout(c Config) (ps []Param) {
	byName := map[string]Param{}
	for _, p := range c.Params() {
		byName[p.Name] = p
	}
	stacks := map[string][]string{}
	for _, names := range c.Stacks() {
		for _, name := range names {
			stacks[name] = names
		}
	}
	for _, p := range c.Params() {
		names := stacks[p.Name]
		if names == nil {
			names = []string{p.Name}
		}
		for _, name := range names {
			if p, ok := byName[name]; ok {
				ps = append(ps, p)
				delete(byName, name)
			}
		}
	}
	return ps
}

// Store makes room for every weight, in one piece of memory in the order of Layout.
func Store(s *torch.Scope, c Config, d torch.DType, on torch.Device) map[string]*torch.Tensor {
	all, _ := NumParameters(c)
	flat := s.Empty(d, on, all)
	weights := map[string]*torch.Tensor{}
	at := int64(0)
	for _, p := range Layout(c) {
		weights[p.Name] = s.Layer(func(s *torch.Scope) *torch.Tensor { return s.View(s.Narrow(flat, 0, at, p.Size()), p.Shape...) })
		at += p.Size()
	}
	return weights
}

// tensor reads a tensor of the checkpoint, in its own element type, to the CPU.
func tensor(s *torch.Scope, f *checkpoint.File, key string, shape []int64) (*torch.Tensor, error) {
	t, ok, err := f.Tensor(key)
	if err != nil || !ok {
		return nil, fmt.Errorf("weight %s: %w", key, orMissing(err))
	}
	if !slices.Equal(t.Shape, shape) {
		return nil, fmt.Errorf("weight %s in %s has shape %v, config.json wants %v", key, t.Source, t.Shape, shape)
	}
	kind, ok := map[checkpoint.DType]torch.DType{"F32": torch.Float32, "F16": torch.Float16, "BF16": torch.BFloat16, "F64": torch.Float64}[t.DType]
	if !ok {
		return nil, fmt.Errorf("weight %s in %s has element type %s, want a floating-point one", key, t.Source, t.DType)
	}
	return s.FromBytes(t.Data, kind, shape...), nil
}

// checkFinite refuses NaN and infinity, which training would blame on the learning rate. The largest value on the device
// says whether there is one; which, and how many, is counted in the file.
func checkFinite(s *torch.Scope, f *checkpoint.File, key string, loaded *torch.Tensor) error {
	if most := s.AbsMax(loaded); most-most == 0 {
		return nil
	}
	t, _, err := f.Tensor(key)
	if err == nil {
		err = checkpoint.NotFinite(t)
	}
	if err == nil {
		err = fmt.Errorf("weight %s in %s has values that %v cannot hold: load it as float32 or bfloat16", key, t.Source, loaded.DType())
	}
	return err
}

func orMissing(err error) error {
	if err == nil {
		return fmt.Errorf("missing")
	}
	return err
}

// checkHead accepts lm_head.weight where it is what the tie says.
func checkHead(s *torch.Scope, c Config, f *checkpoint.File, left map[string]string, weights map[string]*torch.Tensor) error {
	key, ok := left[headName]
	tied := weights[c.Tied()]
	if !ok || tied == nil {
		return nil
	}
	delete(left, headName)
	var err error
	s.Do(func(s *torch.Scope) {
		var head *torch.Tensor
		head, err = tensor(s, f, key, tied.Shape())
		if err == nil && !torch.Equal(s.To(head, tied.DType(), tied.Device()), tied) {
			err = fmt.Errorf("weight %s differs from embed_tokens.weight, to which config.json ties it", headName)
		}
	})
	return err
}

const maxFloat16 = 65504

// Save writes the model's weights as dir/model.safetensors in d, keys as transformers writes them,
// and config.json beside them.
func (m *Model) Save(dir string, d torch.DType) error {
	name, ok := map[torch.DType]checkpoint.DType{torch.Float32: "F32", torch.Float16: "F16"}[d]
	if !ok {
		return fmt.Errorf("saving weights as %v is not supported, want float32 or float16", d)
	}
	var ts []checkpoint.Tensor
	err := torch.Run(func(s *torch.Scope) error {
		for _, p := range m.Params() {
			if most := s.AbsMax(m.weights[p.Name]); d == torch.Float16 && !(most <= maxFloat16) {
				return fmt.Errorf("weight %s has the value %v, which float16 cannot hold: save as float32", p.Name, most)
			}
			s.Do(func(s *torch.Scope) {
				ts = append(ts, checkpoint.Tensor{Name: p.Name, DType: name, Shape: p.Shape, Data: s.ToBytes(m.weights[p.Name], d)})
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	config, err := json.MarshalIndent(m.Config.JSON(), "", "  ")
	if err == nil {
		err = file.Write(filepath.Join(dir, "config.json"), append(config, '\n'))
	}
	if err != nil {
		return err
	}
	return checkpoint.Write(filepath.Join(dir, "model.safetensors"), ts, map[string]string{"format": "pt"})
}
