package data

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNeeded(t *testing.T) {
	const no = Ignore
	samples := []Sample{
		{IDs: []int32{1, 2, 3}, Labels: []int32{1, 2, 3}},
		{IDs: []int32{4, 5, 6, 7}, Labels: []int32{no, no, 6, no}},
		{IDs: []int32{8, 9}, Labels: []int32{no, no}},
		{IDs: []int32{10}, Labels: []int32{10}},
		{IDs: []int32{11, 12}, Labels: []int32{no, 12}},
	}
	for _, c := range []struct {
		why   string
		index []int
		want  MicroBatch
	}{
		{"the last token predicts nothing", []int{0}, MicroBatch{IDs: []int64{1, 2}, Positions: []int64{0, 1}, Targets: []int64{2, 3}, LabelIndex: []int64{0, 1},
			CuSeqlens: []int64{0, 2}, MaxSeqlen: 2, Labels: 2, Records: []int{0}}},
		{"nor does anything after the last label", []int{1}, MicroBatch{IDs: []int64{4, 5}, Positions: []int64{0, 1}, Targets: []int64{no, 6}, LabelIndex: []int64{1},
			CuSeqlens: []int64{0, 2}, MaxSeqlen: 2, Labels: 1, Records: []int{1}}},
		{"a sequence without a label goes, whether its labels are masked or it is a single token", []int{2, 4, 3, 1, 2}, MicroBatch{IDs: []int64{11, 4, 5},
			Positions: []int64{0, 0, 1}, Targets: []int64{12, no, 6}, LabelIndex: []int64{0, 2}, CuSeqlens: []int64{0, 1, 3}, MaxSeqlen: 2, Labels: 2, Records: []int{4, 1}}},
		{"no label at all: the same, to be refused where it is trained on", []int{2, 3}, Pack(samples, []int{2, 3})},
	} {
		t.Run(c.why, func(t *testing.T) {
			m := Pack(samples, c.index)
			require.Equal(t, c.want, m.Needed())
			require.Equal(t, Pack(samples, c.index), m, "what it was made of stays as it is")
			require.Equal(t, c.want, c.want.Needed(), "nothing is left to leave out")
		})
	}
}
