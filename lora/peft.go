package lora

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"lorabench/internal/checkpoint"
	"lorabench/internal/file"
	"lorabench/internal/torch"
	"lorabench/opt"
)

// PEFT's files of an adapter, in a folder of its own.
const (
	configFile  = "adapter_config.json"
	weightsFile = "adapter_model.safetensors"
)

// peftConfig is the part of adapter_config.json that is read here. What would change the
// computation and is not supported must be absent, null, false or empty.
type peftConfig struct {
	PeftType      string          `json:"peft_type"`
	TaskType      string          `json:"task_type"`
	R             int             `json:"r"`
	LoraAlpha     float64         `json:"lora_alpha"`
	LoraDropout   float64         `json:"lora_dropout"`
	TargetModules json.RawMessage `json:"target_modules"`
	UseRSLoRA     bool            `json:"use_rslora"`
	UseDoRA       bool            `json:"use_dora"`
	Bias          string          `json:"bias"`
}

// unsupported lists PEFT's options that change what an adapter computes, all off by default.
var unsupported = []string{"fan_in_fan_out", "lora_bias", "modules_to_save", "layers_to_transform",
	"layers_pattern", "exclude_modules", "rank_pattern", "alpha_pattern", "layer_replication", "target_parameters",
	"trainable_token_indices", "use_qalora", "use_bdlora", "alora_invocation_tokens", "arrow_config"}

// ReadConfig reads dir/adapter_config.json as PEFT writes it.
func ReadConfig(dir string) (Config, error) {
	path := filepath.Join(dir, configFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("adapter: %w", err)
	}
	c, err := parseConfig(data)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parseConfig(data []byte) (Config, error) {
	p := peftConfig{PeftType: "LORA", Bias: "none", R: 8, LoraAlpha: 8} // PEFT's defaults
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return Config{}, fmt.Errorf("not an adapter config: %w", err)
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return Config{}, fmt.Errorf("not an adapter config: %w", err)
	}
	if p.PeftType != "LORA" {
		return Config{}, fmt.Errorf("peft_type is %q: only LORA is supported", p.PeftType)
	}
	if p.Bias != "none" {
		return Config{}, fmt.Errorf("bias is %q: only none is supported", p.Bias)
	}
	for _, name := range unsupported {
		switch v := strings.TrimSpace(string(all[name])); v {
		case "", "null", "false", "{}", "[]":
		default:
			return Config{}, fmt.Errorf("%s is %s: that option is not supported", name, v)
		}
	}
	targets, err := parseTargets(p.TargetModules)
	if err != nil {
		return Config{}, err
	}
	c := Config{R: p.R, LoraAlpha: p.LoraAlpha, LoraDropout: p.LoraDropout, TargetModules: targets, UseRSLoRA: p.UseRSLoRA, UseDoRA: p.UseDoRA}
	return c, c.check()
}

// parseTargets takes a list of names. A lone string is a regular expression to PEFT, "all-linear"
// apart; only one that is plainly a name is taken.
func parseTargets(raw json.RawMessage) ([]string, error) {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		sort.Strings(list)
		return list, nil
	}
	return nil, fmt.Errorf("target_modules is %s: want a list of module names", raw)
}

// Load puts the adapter of a PEFT folder on a model. Every A and B, and with use_dora every magnitude, must
// be there, in shape, and nothing else.
func Load(m *opt.Model, dir string) (*Adapter, error) {
	c, err := ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	f, err := checkpoint.OpenAdapter(dir)
	if err != nil {
		return nil, fmt.Errorf("adapter: %w", err)
	}
	defer f.Close()
	a, err := bare(m, c)
	if err != nil {
		return nil, fmt.Errorf("adapter %s: %w", dir, err)
	}
	if err = a.read(f); err == nil && c.UseDoRA {
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
			return fmt.Errorf("%s is missing from %s", name, strings.Join(f.Files(), ", "))
		}
		delete(left, name)
		v, err := checkpoint.Float32(t)
		if err != nil {
			return err
		}
		err = torch.Run(func(s *torch.Scope) error {
			want := a.Tensors[i].Shape()
			if fmt.Sprint(t.Shape) != fmt.Sprint(want) {
				return fmt.Errorf("%s in %s has shape %v, r %d on this model wants %v", name, t.Source, t.Shape, a.R, want)
			}
			torch.Copy(a.Tensors[i], s.FromFloats(v, want...))
			return nil
		})
		if err != nil {
			return err
		}
	}
	for name := range left {
		return fmt.Errorf("%s is not part of the adapter that %s describes (%d such tensors)", name, configFile, len(left))
	}
	return nil
}

// Save writes the adapter as PEFT does: dir/adapter_config.json and adapter_model.safetensors, in
// float32. base is the model's name or path, for the config. It returns the files' size in bytes.
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
	config, err := json.MarshalIndent(map[string]any{
		"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base, "inference_mode": true,
		"r": a.R, "lora_alpha": a.LoraAlpha, "lora_dropout": a.LoraDropout, "target_modules": targets,
		"use_rslora": a.UseRSLoRA, "use_dora": a.UseDoRA, "bias": "none", "init_lora_weights": true, "fan_in_fan_out": false,
		"modules_to_save": nil, "rank_pattern": map[string]int{}, "alpha_pattern": map[string]int{},
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
