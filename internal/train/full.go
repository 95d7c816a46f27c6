package train

import (
	"lorabench/internal/decoder"
	"lorabench/internal/torch"
)

// Full makes a trainable float32 copy of every weight of base and a model over it: full
// fine-tuning, by the same trainer as LoRA. base is unchanged. Parameters are named as in
// model.safetensors.
func Full(base *decoder.Model) (*decoder.Model, *Params, error) {
	var names []string
	var shapes [][]int64
	for _, p := range decoder.Layout(base.Config) {
		names = append(names, p.Name)
		shapes = append(shapes, p.Shape)
	}
	var on torch.Device
	if err := torch.Run(func(*torch.Scope) error { on = base.Device(); return nil }); err != nil {
		return nil, nil, err
	}
	params, err := NewParams(names, shapes, on)
	if err != nil {
		return nil, nil, err
	}
	var m *decoder.Model
	err = torch.Run(func(s *torch.Scope) error {
		weights, gradients := map[string]*torch.Tensor{}, map[string]*torch.Tensor{}
		for i, name := range names {
			torch.Copy(params.Tensors[i], base.Weights()[name])
			weights[name], gradients[name] = params.Tensors[i], params.grads[i]
		}
		var err error
		m, err = decoder.NewTrainable(base.Config, weights, gradients)
		return err
	})
	if err == nil {
		err = params.Remember()
	}
	if err != nil {
		params.Close()
		return nil, nil, err
	}
	m.Inherit(base)
	return m, params, nil
}
