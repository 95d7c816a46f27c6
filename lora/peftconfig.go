package lora

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lorabench/internal/checkpoint"
)

// PEFTConfig is an adapter_config.json. Its Config holds the file's values for the adapter as a whole; [PEFTConfig.On]
// adds which modules of a model are adapted, and those that differ.
type PEFTConfig struct {
	Config
	Targets []string // target_modules as it stands: names, or a single regular expression or all-linear

	adapts        func(module string) bool
	listed        bool // Targets alone define what is adapted, by names
	ranks, alphas []pattern
}

// peftFields lists the fields of LoraConfig that are used.
type peftFields struct {
	PeftType          string          `json:"peft_type"`
	TaskType          *string         `json:"task_type"`
	R                 int             `json:"r"`
	LoraAlpha         float64         `json:"lora_alpha"`
	LoraDropout       float64         `json:"lora_dropout"`
	UseRSLoRA         bool            `json:"use_rslora"`
	UseDoRA           bool            `json:"use_dora"`
	Bias              string          `json:"bias"`
	InitLoRAWeights   json.RawMessage `json:"init_lora_weights"`
	TargetModules     json.RawMessage `json:"target_modules"`
	ExcludeModules    json.RawMessage `json:"exclude_modules"`
	LayersToTransform json.RawMessage `json:"layers_to_transform"`
	LayersPattern     json.RawMessage `json:"layers_pattern"`
	RankPattern       json.RawMessage `json:"rank_pattern"`
	AlphaPattern      json.RawMessage `json:"alpha_pattern"`
}

// harmless lists the fields of LoraConfig up to PEFT 0.21 that change nothing here, whatever their value: who made the
// adapter for what, and settings of an initialisation, a module or a quantization that other fields, which are checked,
// switch on. Every other field must be empty, as PEFT's defaults are.
var harmless = []string{"base_model_name_or_path", "revision", "auto_mapping", "inference_mode", "peft_version", "runtime_config",
	"merge_weights", "megatron_core", "qalora_group_size", "loftq_config", "eva_config", "corda_config", "lora_ga_config"}

// ReadConfig reads dir/adapter_config.json as PEFT writes it.
func ReadConfig(dir string) (PEFTConfig, error) {
	path := filepath.Join(dir, configFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return PEFTConfig{}, fmt.Errorf("adapter: %w", err)
	}
	c, err := parseConfig(data)
	if err != nil {
		return PEFTConfig{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parseConfig(data []byte) (PEFTConfig, error) {
	p := peftFields{PeftType: "LORA", Bias: "none", R: 8, LoraAlpha: 8} // PEFT's defaults
	others, err := checkpoint.Decode(data, &p)
	if err != nil {
		return PEFTConfig{}, fmt.Errorf("not an adapter config: %w", err)
	}
	for _, name := range harmless {
		delete(others, name)
	}
	var refused []string
	for name, v := range others {
		if !empty(v) {
			refused = append(refused, name+" is "+string(v))
		}
	}
	if len(refused) > 0 {
		return PEFTConfig{}, fmt.Errorf("%s: that option is not supported", slices.Min(refused))
	}
	switch {
	case p.PeftType != "LORA":
		return PEFTConfig{}, fmt.Errorf("peft_type is %q: only LORA is supported", p.PeftType)
	case p.TaskType != nil && *p.TaskType != "CAUSAL_LM":
		return PEFTConfig{}, fmt.Errorf("task_type is %q: only CAUSAL_LM is supported", *p.TaskType)
	case p.Bias != "none":
		return PEFTConfig{}, fmt.Errorf("bias is %q: only none is supported", p.Bias)
	}
	c := PEFTConfig{Config: Config{R: p.R, LoraAlpha: p.LoraAlpha, LoraDropout: p.LoraDropout, UseRSLoRA: p.UseRSLoRA, UseDoRA: p.UseDoRA}}
	if c.InitLoRAWeights, err = parseInit(p.InitLoRAWeights); err != nil {
		return PEFTConfig{}, err
	}
	if err := c.parseModules(p); err != nil {
		return PEFTConfig{}, err
	}
	return c, c.check()
}

// empty reports whether a value is one of those that switch an option off.
func empty(v json.RawMessage) bool {
	return slices.Contains([]string{"", "null", "false", "{}", "[]", `""`}, strings.Join(strings.Fields(string(v)), ""))
}

// Conflict returns an error if c, made from flags, contradicts the file in the value of a flag that was given. given reports
// whether a flag was, by its name without the dash: ranks, alpha, dropout, dora, targets.
func (p PEFTConfig) Conflict(c Config, given func(flag string) bool) error {
	sorted := func(l []string) string { return strings.Join(slices.Sorted(slices.Values(l)), ",") }
	scale := func(c Config) string { return fmt.Sprintf("lora_alpha %v, use_rslora %v", c.LoraAlpha, c.UseRSLoRA) }
	for _, f := range []struct{ flag, field, have, want string }{
		{"ranks", "r", fmt.Sprint(c.R), fmt.Sprint(p.R)},
		{"alpha", "scaling", scale(c), scale(p.Config)},
		{"dropout", "lora_dropout", fmt.Sprint(c.LoraDropout), fmt.Sprint(p.LoraDropout)},
		{"dora", "use_dora", fmt.Sprint(c.UseDoRA), fmt.Sprint(p.UseDoRA)},
		{"targets", "target_modules", sorted(c.TargetModules), sorted(p.Targets)},
	} {
		if given(f.flag) && f.have != f.want {
			return fmt.Errorf("-%s contradicts the adapter, whose %s is %s and not %s: leave -%s out", f.flag, f.field, f.want, f.have, f.flag)
		}
	}
	return nil
}
