package lora

import (
	"lorabench/internal/torch"
	"lorabench/opt"
)

// Full makes a trainable float32 copy of every weight of base and a model over it: full
// fine-tuning, by the same trainer as LoRA. base stays as it is. Parameters are named as in
// model.safetensors.
func Full(base *opt.Model) (*opt.Model, *Params, error) {
	var names []string
	var shapes [][]int64
	for _, p := range base.Layout() {
		names = append(names, p.Name)
		shapes = append(shapes, p.Shape)
	}
	var on torch.Device
	if err := torch.Run(func(*torch.Scope) error { on = base.Device(); return nil }); err != nil {
		return nil, nil, err
	}
	params, err := newParams(names, shapes, on)
	if err != nil {
		return nil, nil, err
	}
	var m *opt.Model
	err = torch.Run(func(s *torch.Scope) error {
		weights, gradients := map[string]*torch.Tensor{}, map[string]*torch.Tensor{}
		for i, name := range names {
			torch.Copy(params.Tensors[i], base.Weights()[name])
			weights[name], gradients[name] = params.Tensors[i], params.grads[i]
		}
		var err error
		m, err = opt.NewTrainable(base.Config, weights, gradients)
		return err
	})
	if err == nil {
		err = params.Remember()
	}
	if err != nil {
		params.Close()
		return nil, nil, err
	}
	m.ModelDropout, m.Checkpoint = base.ModelDropout, base.Checkpoint
	return m, params, nil
}
