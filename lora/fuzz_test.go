package lora

import (
	"os"
	"testing"
)

// FuzzAdapterConfig: whatever stands in adapter_config.json, parsing gives an error or a config
// that can be used.
func FuzzAdapterConfig(f *testing.F) {
	good, err := os.ReadFile("../testdata/parity/post/adapter/adapter_config.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"r": 8, "lora_alpha": 16, "target_modules": ["q_proj"]}`))
	f.Add([]byte(`{"r": -1, "lora_alpha": 1e400, "target_modules": "all-linear"}`))
	f.Add([]byte(`{"r": 8, "lora_alpha": 16, "target_modules": ["q_proj"], "use_dora": true, "use_rslora": true}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConfig(data)
		if err == nil && (c.check() != nil || c.Scaling() <= 0) {
			t.Fatalf("accepted %+v", c)
		}
	})
}
