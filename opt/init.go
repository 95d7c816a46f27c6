package opt

import (
	"strings"

	"lorabench/internal/decoder"
	"lorabench/internal/torch"
)

// Init makes an untrained model as transformers does: weights normal with init_std, biases 0, layer
// norms 1 and 0, the padding row 0. They are drawn on the CPU, so that a seed gives the same weights on
// every device. s owns the weights.
func Init(s *torch.Scope, c Config, seed int64, on torch.Device) (*decoder.Model, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if err := torch.Seed(seed); err != nil {
		return nil, err
	}
	weights := decoder.Store(s, c, torch.Float32, on)
	for _, p := range c.Params() {
		s.Do(func(s *torch.Scope) {
			t := s.Zeros(torch.Float32, torch.CPU, p.Shape...)
			switch {
			case strings.HasSuffix(p.Name, "layer_norm.weight"):
				torch.FillIn(t, 1)
			case strings.HasSuffix(p.Name, ".bias"):
			default:
				torch.NormalIn(t, 0, c.InitStd)
			}
			torch.Copy(weights[p.Name], t)
		})
	}
	m, err := decoder.New(c, weights)
	if err == nil {
		s.Do(m.Embedding.ClearPad)
	}
	return m, err
}
