package data

// Needed is the micro-batch without the tokens that no loss depends on: what comes after a sequence's last
// token with a label, since attention looks back only, and so always its last token; and a sequence without any
// label as a whole. Losses and gradients are the same. Without any label at all it is the micro-batch itself.
func (m Micro) Needed() Micro {
	if m.Labels == 0 {
		return m
	}
	n := Micro{Cum: []int64{0}, Labels: m.Labels, At: make([]int64, 0, m.Labels)}
	at := 0
	for i, record := range m.Records {
		from, to := m.Cum[i], m.Cum[i]
		shift := int64(len(n.IDs)) - from
		for ; at < len(m.At) && m.At[at] < m.Cum[i+1]; at++ {
			to = m.At[at] + 1
			n.At = append(n.At, m.At[at]+shift)
		}
		if from == to {
			continue
		}
		n.IDs = append(n.IDs, m.IDs[from:to]...)
		n.Positions = append(n.Positions, m.Positions[from:to]...)
		n.Targets = append(n.Targets, m.Targets[from:to]...)
		n.Records = append(n.Records, record)
		n.Cum = append(n.Cum, int64(len(n.IDs)))
		n.Longest = max(n.Longest, int(to-from))
	}
	return n
}
