package data

import (
	"errors"
	"fmt"
)

// MicroBatch holds the real tokens of B sequences, one after the other in a row of T tokens. There is no padding, so
// nothing is computed for tokens that do not exist.
type MicroBatch struct {
	IDs        []int64 // [T] token ids
	Positions  []int64 // [T] position in its own sequence, from 0
	Targets    []int64 // [T] the label of the next token of the same sequence; Ignore at a sequence's last token
	LabelIndex []int64 // [Labels] the tokens with a label, ascending: Targets[LabelIndex[i]] is the i-th label
	CuSeqlens  []int64 // [B+1] where each sequence begins: CuSeqlens[0] = 0, CuSeqlens[B] = T
	MaxSeqlen  int     // tokens of the longest sequence
	Labels     int     // how many Targets are not Ignore
	Records    []int   // [B] the index of each sequence's sample
}

// Pack puts the samples at indexes, in that order, into one micro-batch.
func Pack(samples []Sample, indexes []int) MicroBatch {
	total := 0
	for _, i := range indexes {
		total += len(samples[i].IDs)
	}
	m := MicroBatch{
		IDs:        make([]int64, 0, total),
		Positions:  make([]int64, 0, total),
		Targets:    make([]int64, 0, total),
		LabelIndex: make([]int64, 0, total),
		CuSeqlens:  make([]int64, 1, len(indexes)+1),
		Records:    append([]int(nil), indexes...),
	}
	for _, i := range indexes {
		m.add(samples[i])
	}
	return m
}

func (m *MicroBatch) add(s Sample) {
	for pos, id := range s.IDs {
		target := int64(Ignore)
		if pos+1 < len(s.Labels) {
			target = int64(s.Labels[pos+1])
		}
		if target != Ignore {
			m.Labels++
			m.LabelIndex = append(m.LabelIndex, int64(len(m.IDs)))
		}
		m.IDs = append(m.IDs, int64(id))
		m.Positions = append(m.Positions, int64(pos))
		m.Targets = append(m.Targets, target)
	}
	m.CuSeqlens = append(m.CuSeqlens, int64(len(m.IDs)))
	m.MaxSeqlen = max(m.MaxSeqlen, len(s.IDs))
}

// Join concatenates micro-batches into one row: a micro-batch of all their sequences.
func Join(micros []MicroBatch) MicroBatch {
	if len(micros) == 1 {
		return micros[0]
	}
	j := MicroBatch{CuSeqlens: []int64{0}}
	for _, m := range micros {
		from := int64(len(j.IDs))
		j.IDs = append(j.IDs, m.IDs...)
		j.Positions = append(j.Positions, m.Positions...)
		j.Targets = append(j.Targets, m.Targets...)
		j.Records = append(j.Records, m.Records...)
		for _, c := range m.CuSeqlens[1:] {
			j.CuSeqlens = append(j.CuSeqlens, from+c)
		}
		for _, at := range m.LabelIndex {
			j.LabelIndex = append(j.LabelIndex, from+at)
		}
		j.MaxSeqlen = max(j.MaxSeqlen, m.MaxSeqlen)
		j.Labels += m.Labels
	}
	return j
}

// Tokens returns T, the number of real tokens.
func (m *MicroBatch) Tokens() int { return len(m.IDs) }

// Padded returns B x MaxSeqlen, the tokens computed by a trainer that pads each sequence to the longest.
func (m *MicroBatch) Padded() int { return len(m.Records) * m.MaxSeqlen }

// CheckLabels refuses a micro-batch without a label: the Trainer's mean over its labels would be NaN and spoil
// the run.
func (m *MicroBatch) CheckLabels() error {
	if len(m.LabelIndex) > 0 {
		return nil
	}
	return fmt.Errorf("records %v: a micro-batch without any label: with loss on the answer only, "+
		"-max-length cuts every answer of it away; raise -max-length or -batch", m.Records)
}

// Loader deals samples out in micro-batches.
type Loader struct {
	samples []Sample
	order   *Order
	indexes []int
	drawn   int
}

// NewLoader deals samples out in the given order, batch at a time. The order must be made for len(samples).
func NewLoader(samples []Sample, order *Order, batch int) (*Loader, error) {
	switch {
	case len(samples) == 0:
		return nil, errors.New("no samples to train on")
	case batch < 1:
		return nil, fmt.Errorf("batch is %d: it must be at least 1", batch)
	case order == nil || order.n != len(samples):
		return nil, fmt.Errorf("the order is not one of these %d samples", len(samples))
	}
	for i, s := range samples {
		if len(s.IDs) == 0 || len(s.IDs) != len(s.Labels) {
			return nil, fmt.Errorf("sample %d has %d ids and %d labels: there must be as many of one as of the other, and at least one",
				i, len(s.IDs), len(s.Labels))
		}
	}
	return &Loader{samples: samples, order: order, indexes: make([]int, batch)}, nil
}

// Next returns the next micro-batch. It always has batch sequences: epochs run into each other, where Hugging Face's
// Trainer ends each with a short batch. A batch larger than the set holds samples more than once.
func (l *Loader) Next() MicroBatch {
	for i := range l.indexes {
		l.indexes[i] = l.order.Next()
	}
	l.drawn += len(l.indexes)
	return Pack(l.samples, l.indexes)
}

// Epoch returns how often the whole set has been dealt out: samples drawn / samples.
func (l *Loader) Epoch() float64 { return float64(l.drawn) / float64(len(l.samples)) }
