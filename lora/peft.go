package lora

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"lorabench/internal/checkpoint"
	"lorabench/internal/decoder"
	"lorabench/internal/file"
	"lorabench/internal/torch"
)

// PEFT's files of an adapter, in a folder of its own.
const (
	configFile  = "adapter_config.json"
	weightsFile = "adapter_model.safetensors"
)

// Load puts the adapter of a PEFT folder on a model. Every A and B, and with use_dora every magnitude, must
// be there with its shape, and nothing else.
func Load(m *decoder.Model, dir string) (*Adapter, error) {
	p, err := ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	f, err := checkpoint.OpenAdapter(dir)
	if err != nil {
		return nil, fmt.Errorf("adapter: %w", err)
	}
	defer f.Close()
	var layers []string
	for _, l := range m.Linears() {
		layers = append(layers, l.Name)
	}
	c, err := p.On(layers)
	if err != nil {
		return nil, fmt.Errorf("adapter %s: %w", dir, err)
	}
	a, err := bare(m, c)
	if err != nil {
		return nil, fmt.Errorf("adapter %s: %w", dir, err)
	}
	if err = a.read(f); err == nil && c.InitLoRAWeights != "" {
		err = torch.Run(a.subtractInitial)
	}
	if err == nil && c.UseDoRA {
		err = torch.Run(func(s *torch.Scope) error { return a.directions(s, false) })
	}
	if err == nil {
		err = a.Remember()
	}
	if err != nil {
		a.Close()
		return nil, fmt.Errorf("adapter %s: %w", dir, err)
	}
	return a, nil
}

func (a *Adapter) read(f *checkpoint.File) error {
	left := map[string]bool{}
	for _, n := range f.Names() {
		left[n] = true
	}
	for i, name := range a.Names {
		t, ok, err := f.Tensor(name)
		if err != nil {
			return err
		}
		if !ok {
			return f.Missing(name)
		}
		delete(left, name)
		if err := checkpoint.NotFinite(t); err != nil {
			return err
		}
		v, err := checkpoint.Float32(t)
		if err != nil {
			return err
		}
		err = torch.Run(func(s *torch.Scope) error {
			want := a.Tensors[i].Shape()
			if fmt.Sprint(t.Shape) != fmt.Sprint(want) {
				return fmt.Errorf("%s in %s has shape %v, r %d on this model wants %v", name, t.Source, t.Shape, a.of(module(name)).R, want)
			}
			torch.Copy(a.Tensors[i], s.FromFloats(v, want...))
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		if strings.HasSuffix(name, ".embed_tokens.weight") || strings.HasSuffix(name, ".lm_head.weight") {
			return fmt.Errorf("%s: PEFT saved resized embeddings with the adapter, which is not supported", name)
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("%s is not part of the adapter that %s describes (%d such tensors)", slices.Min(slices.Collect(maps.Keys(left))), configFile, len(left))
	}
	return nil
}

// Save writes the adapter as PEFT does: dir/adapter_config.json and adapter_model.safetensors, in
// float32. base is the model's name on the Hub, for the config; "" is none. It returns the files' size in bytes.
func (a *Adapter) Save(dir, base string) (int64, error) {
	var ts []checkpoint.Tensor
	err := torch.Run(func(s *torch.Scope) error {
		for i, name := range a.Names {
			ts = append(ts, checkpoint.Tensor{Name: name, DType: "F32", Shape: a.Tensors[i].Shape(), Data: s.ToBytes(a.Tensors[i], torch.Float32)})
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	targets := append([]string(nil), a.TargetModules...)
	sort.Strings(targets)
	ranks, alphas := map[string]int{}, map[string]float64{} // PEFT does not read null
	for module, o := range a.Overrides {
		ranks[module], alphas[module] = o.R, o.LoraAlpha
	}
	var initial, hubName any = true, nil
	if base != "" {
		hubName = base
	}
	if a.InitLoRAWeights != "" {
		initial = a.InitLoRAWeights // loading the adapter must subtract it from the base again
	}
	config, err := json.MarshalIndent(map[string]any{
		"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": hubName, "inference_mode": true,
		"r": a.R, "lora_alpha": a.LoraAlpha, "lora_dropout": a.LoraDropout, "target_modules": targets,
		"use_rslora": a.UseRSLoRA, "use_dora": a.UseDoRA, "bias": "none", "init_lora_weights": initial, "fan_in_fan_out": false,
		"modules_to_save": nil, "rank_pattern": ranks, "alpha_pattern": alphas,
	}, "", "  ")
	if err != nil {
		return 0, err
	}
	weights := filepath.Join(dir, weightsFile)
	if err := file.Write(filepath.Join(dir, configFile), append(config, '\n')); err != nil {
		return 0, err
	}
	if err := checkpoint.Write(weights, ts, map[string]string{"format": "pt"}); err != nil {
		return 0, err
	}
	return diskSize(filepath.Join(dir, configFile), weights)
}

func diskSize(paths ...string) (int64, error) {
	total := int64(0)
	for _, p := range paths {
		st, err := os.Stat(p)
		if err != nil {
			return 0, err
		}
		total += st.Size()
	}
	return total, nil
}
