package data

// Needed returns the micro-batch without the tokens that no loss depends on: those after a sequence's last
// token with a label, since attention looks back only, and so always its last token; and whole sequences
// without a label. Losses and gradients are the same. A micro-batch without any label is returned as it is.
func (m MicroBatch) Needed() MicroBatch {
	if m.Labels == 0 {
		return m
	}
	n := MicroBatch{CuSeqlens: []int64{0}, Labels: m.Labels, LabelIndex: make([]int64, 0, m.Labels)}
	at := 0
	for i, record := range m.Records {
		from, to := m.CuSeqlens[i], m.CuSeqlens[i]
		shift := int64(len(n.IDs)) - from
		for ; at < len(m.LabelIndex) && m.LabelIndex[at] < m.CuSeqlens[i+1]; at++ {
			to = m.LabelIndex[at] + 1
			n.LabelIndex = append(n.LabelIndex, m.LabelIndex[at]+shift)
		}
		if from == to {
			continue
		}
		n.IDs = append(n.IDs, m.IDs[from:to]...)
		n.Positions = append(n.Positions, m.Positions[from:to]...)
		n.Targets = append(n.Targets, m.Targets[from:to]...)
		n.Records = append(n.Records, record)
		n.CuSeqlens = append(n.CuSeqlens, int64(len(n.IDs)))
		n.MaxSeqlen = max(n.MaxSeqlen, int(to-from))
	}
	return n
}
