package lora

import (
	"fmt"
	"lorabench/internal/decoder"
	"math"
	"slices"
	"sort"
	"strings"
)

// Config configures an adapter, by PEFT's names.
type Config struct {
	R             int
	LoraAlpha     float64
	LoraDropout   float64
	TargetModules []string // module names, or endings of them: q_proj means every ....q_proj; or all-linear alone
	UseRSLoRA     bool     // scaling = lora_alpha / sqrt(r) (Kalajdzievski 2023, arXiv:2312.03732)
	UseDoRA       bool     // DoRA: a magnitude for each output (Liu et al. 2024, arXiv:2402.09353)

	// Overrides maps modules, by their whole names, to an r or a lora_alpha of their own.
	Overrides map[string]Override
	// InitLoRAWeights is pissa or olora, which subtracted the initial adapter from the base; "" for any initialisation that
	// left the base as it was.
	InitLoRAWeights string

	// BFloat16 computes the adapter's products in bfloat16, as Trainer(bf16=True) does by autocast; parameters
	// stay float32, and so do gradients and moments. The base must be bfloat16. PEFT's file has no such field.
	BFloat16 bool
}

// Override holds a module's values from rank_pattern and alpha_pattern.
type Override struct {
	R         int
	LoraAlpha float64
}

// Scaling returns the factor of B A.
func (c Config) Scaling() float64 {
	if c.UseRSLoRA {
		return c.LoraAlpha / math.Sqrt(float64(c.R))
	}
	return c.LoraAlpha / float64(c.R)
}

// of returns the configuration of a single module, which may have a rank and an alpha of its own.
func (c Config) of(module string) Config {
	if o, ok := c.Overrides[module]; ok {
		c.R, c.LoraAlpha = o.R, o.LoraAlpha
	}
	return c
}

func (c Config) check() error {
	switch {
	case c.R < 1:
		return fmt.Errorf("lora: r is %d, want at least 1", c.R)
	case !(c.LoraAlpha > 0) || math.IsInf(c.LoraAlpha, 0):
		return fmt.Errorf("lora: lora_alpha is %v, want a positive number", c.LoraAlpha)
	case !(c.LoraDropout >= 0 && c.LoraDropout < 1):
		return fmt.Errorf("lora: lora_dropout is %v, want 0 <= lora_dropout < 1", c.LoraDropout)
	case c.BFloat16 && c.UseDoRA:
		return fmt.Errorf("lora: products in bfloat16 are for LoRA: with use_dora they were up to 1.2 times as far off float32 as autocast's; compute them in float32")
	}
	return nil
}

// targets returns the model's linear layers that c names. A target that names no layer is an error:
// PEFT accepts it as long as another one does, and trains less than asked.
func (c Config) targets(m *decoder.Model) (map[*decoder.Linear]bool, error) {
	if len(c.TargetModules) == 0 {
		return nil, fmt.Errorf("lora: target_modules is empty, want names such as q_proj,v_proj")
	}
	found, ls := map[string]bool{}, map[*decoder.Linear]bool{}
	for _, l := range m.Linears() {
		i := slices.IndexFunc(c.TargetModules, func(t string) bool { return matches(l.Name, t) })
		if i < 0 {
			continue
		}
		for _, t := range c.TargetModules {
			found[t] = found[t] || matches(l.Name, t)
		}
		ls[l] = true
	}
	for _, t := range c.TargetModules {
		if !found[t] {
			return nil, fmt.Errorf("lora: target module %q names no linear layer of the model, which has %s", t, strings.Join(endings(m), ", "))
		}
	}
	return ls, nil
}

// named returns c with all-linear replaced by the endings of every linear layer's name, since PEFT reads it only outside of a list.
func (c Config) named(m *decoder.Model) Config {
	if len(c.TargetModules) == 1 && IsAllLinear(c.TargetModules[0]) {
		c.TargetModules = endings(m)
	}
	return c
}

// IsAllLinear reports whether a target is PEFT's word for every linear layer.
func IsAllLinear(target string) bool { return strings.EqualFold(target, "all-linear") }

// matches applies PEFT's rule: the whole name, or its end after a dot.
func matches(name, target string) bool {
	return name == target || strings.HasSuffix(name, "."+target)
}

func endings(m *decoder.Model) []string {
	seen := map[string]bool{}
	for _, l := range m.Linears() {
		seen[l.Name[strings.LastIndex(l.Name, ".")+1:]] = true
	}
	var names []string
	for n := range seen {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
