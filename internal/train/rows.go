package train

import "lorabench/data"

// row is micro-batches that are computed together, less what no loss depends on, and what each of their
// labels counts: 1 over the labels of its own micro-batch, over the number of micro-batches, so that the sum over a step's rows
// is the mean of its micro-batches' mean losses.
type row struct {
	data.Micro
	weights []float32
}

// rows joins neighbouring micro-batches while they have at most limit tokens together. A micro-batch without a
// label is an error, alone and joined.
func rows(micros []data.Micro, limit int) ([]row, error) {
	for i := range micros {
		if err := micros[i].CheckLabels(); err != nil {
			return nil, err
		}
	}
	var out []row
	for from := 0; from < len(micros); {
		to, tokens := from+1, micros[from].Tokens()
		for to < len(micros) && tokens+micros[to].Tokens() <= limit {
			tokens += micros[to].Tokens()
			to++
		}
		r := row{Micro: data.Join(micros[from:to]).Needed()}
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
