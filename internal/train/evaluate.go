package train

import (
	"fmt"

	"lorabench/data"
	"lorabench/internal/decoder"
	"lorabench/internal/torch"
)

// Evaluate returns the mean cross-entropy of the next token over all labels of the samples, with
// dropout off. batch samples are computed at a time, which changes only the memory used.
func Evaluate(m *decoder.Model, samples []data.Sample, batch int) (float64, error) {
	labels, total := 0, 0.0
	for from := 0; from < len(samples); from += batch {
		var index []int
		for i := from; i < min(from+batch, len(samples)); i++ {
			index = append(index, i)
		}
		micro := data.Pack(samples, index).Needed()
		if micro.Labels == 0 {
			continue
		}
		err := torch.Run(func(s *torch.Scope) error {
			total += s.Item(m.LossSum(s, &micro))
			return nil
		})
		if err != nil {
			return 0, fmt.Errorf("evaluating: %w", err)
		}
		labels += micro.Labels
	}
	if labels == 0 {
		return 0, fmt.Errorf("evaluating: none of the %d samples has a label", len(samples))
	}
	return total / float64(labels), nil
}
