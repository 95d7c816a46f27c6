package lora

import (
	"os"
	"testing"
)

// FuzzAdapterConfig: whatever stands in adapter_config.json, parsing gives an error or a config
// that can be used, and a model's modules of it ranks and scalings that can.
func FuzzAdapterConfig(f *testing.F) {
	for _, path := range []string{"post/adapter", "adapters/rank", "adapters/layers-patterns", "adapters/exclude-and-expression", "adapters/both-rslora"} {
		good, err := os.ReadFile("../testdata/parity/" + path + "/adapter_config.json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(good)
	}
	f.Add([]byte(`{"r": 8, "lora_alpha": 16, "target_modules": ["q_proj"]}`))
	f.Add([]byte(`{"r": -1, "lora_alpha": 1e400, "target_modules": "all-linear"}`))
	f.Add([]byte(`{"r": 8, "lora_alpha": 16, "target_modules": ["q_proj"], "use_dora": true, "use_rslora": true}`))
	f.Add([]byte(`{"target_modules": "a)|(b", "layers_to_transform": 3, "alpha_pattern": {"": 1e308}}`))
	f.Add([]byte(`null`))
	names := []string{"model.decoder.project_in", "model.decoder.layers.0.fc1", "model.decoder.layers.11.self_attn.q_proj", "q_proj"}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parseConfig(data)
		if err != nil {
			return
		}
		c, err := p.On(names)
		if err != nil {
			return
		}
		if c.check() != nil || len(c.TargetModules) == 0 {
			t.Fatalf("accepted %+v", c)
		}
		for _, n := range names {
			if own := c.of(n); own.check() != nil || !(own.Scaling() > 0) {
				t.Fatalf("%s is %+v", n, own)
			}
		}
	})
}
