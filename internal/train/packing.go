package train

import "lorabench/data"

// packed is several micro-batches computed as one row, without the tokens that no loss depends on. Each label is weighted by
// 1/(labels of its micro-batch x micro-batches), so that the sum over rows is the Trainer's mean of means.
type packed struct {
	data.MicroBatch
	weights []float32
}

// pack joins neighbouring micro-batches as long as they have at most limit tokens together. A micro-batch
// without a label is an error, alone and joined.
func pack(micros []data.MicroBatch, limit int) ([]packed, error) {
	for i := range micros {
		if err := micros[i].CheckLabels(); err != nil {
			return nil, err
		}
	}
	var out []packed
	for from := 0; from < len(micros); {
		to, tokens := from+1, micros[from].Tokens()
		for to < len(micros) && tokens+micros[to].Tokens() <= limit {
			tokens += micros[to].Tokens()
			to++
		}
		r := packed{MicroBatch: data.Join(micros[from:to]).Needed()}
		for _, m := range micros[from:to] {
			for range m.Labels {
				r.weights = append(r.weights, 1/float32(m.Labels)/float32(len(micros)))
			}
		}
		out = append(out, r)
		from = to
	}
	return out, nil
}
