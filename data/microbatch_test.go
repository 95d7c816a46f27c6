package data

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPack(t *testing.T) {
	samples := []Sample{
		{IDs: []int32{2, 10, 11}, Labels: []int32{2, 10, 11}},
		{IDs: []int32{2, 20}, Labels: []int32{Ignore, Ignore}},
		{IDs: []int32{2, 30, 31, 32}, Labels: []int32{Ignore, Ignore, 31, 32}},
		{IDs: []int32{2}, Labels: []int32{2}},
	}
	got := Pack(samples, []int{2, 0, 1, 3, 0})
	assert.Equal(t, MicroBatch{
		IDs:        []int64{2, 30, 31, 32, 2, 10, 11, 2, 20, 2, 2, 10, 11},
		Positions:  []int64{0, 1, 2, 3, 0, 1, 2, 0, 1, 0, 0, 1, 2},
		Targets:    []int64{Ignore, 31, 32, Ignore, 10, 11, Ignore, Ignore, Ignore, Ignore, 10, 11, Ignore},
		LabelIndex: []int64{1, 2, 4, 5, 10, 11},
		CuSeqlens:  []int64{0, 4, 7, 9, 10, 13},
		MaxSeqlen:  4,
		Labels:     6,
		Records:    []int{2, 0, 1, 3, 0},
	}, got)
	assert.Equal(t, 13, got.Tokens())
	assert.Equal(t, 20, got.Padded())
}

func TestPackWhereLabelsAre(t *testing.T) {
	all, none := Sample{IDs: []int32{2, 5, 6}, Labels: []int32{2, 5, 6}}, Sample{IDs: []int32{2, 7}, Labels: []int32{Ignore, Ignore}}
	for _, c := range []struct {
		why     string
		samples []Sample
		at      []int64
	}{
		{"the last token of a sequence has no next one", []Sample{all}, []int64{0, 1}},
		{"rows are the micro-batch's, not the sequence's", []Sample{all, all}, []int64{0, 1, 3, 4}},
		{"a sequence without a label moves those after it", []Sample{none, all, none}, []int64{2, 3}},
		{"the first token's own label has no token before it", []Sample{{IDs: []int32{2}, Labels: []int32{2}}, all}, []int64{1, 2}},
		{"the first label of an answer is at the token before it", []Sample{{IDs: []int32{2, 8, 9}, Labels: []int32{Ignore, Ignore, 9}}}, []int64{1}},
		{"no label at all", []Sample{none, none}, []int64{}},
		{"no sequence at all", nil, []int64{}},
	} {
		indexes := make([]int, len(c.samples))
		for i := range indexes {
			indexes[i] = i
		}
		m := Pack(c.samples, indexes)
		assert.Equal(t, c.at, m.LabelIndex, c.why)
		assert.Equal(t, len(c.at), m.Labels, c.why)
	}
}

// Whatever is packed can be taken apart again, and no target crosses from one sequence into the next.
func TestPackProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		samples := make([]Sample, 1+rng.IntN(8))
		for i := range samples {
			for range 1 + rng.IntN(9) {
				id, label := rng.Int32N(100), int32(Ignore)
				if rng.IntN(2) == 0 {
					label = id
				}
				samples[i].IDs = append(samples[i].IDs, id)
				samples[i].Labels = append(samples[i].Labels, label)
			}
		}
		indexes := rng.Perm(len(samples))
		m := Pack(samples, indexes)
		labels := []int64{}
		require.Len(t, m.CuSeqlens, len(indexes)+1)
		for k, i := range indexes {
			start, end := m.CuSeqlens[k], m.CuSeqlens[k+1]
			require.Len(t, samples[i].IDs, int(end-start))
			for j, id := range samples[i].IDs {
				require.EqualValues(t, id, m.IDs[int(start)+j])
				require.EqualValues(t, j, m.Positions[int(start)+j])
				want := int32(Ignore)
				if j+1 < len(samples[i].Labels) {
					want = samples[i].Labels[j+1]
				}
				if want != Ignore {
					labels = append(labels, int64(want))
				}
				require.EqualValues(t, want, m.Targets[int(start)+j])
			}
		}
		require.Equal(t, len(labels), m.Labels)
		require.Len(t, m.LabelIndex, len(labels))
		for i, at := range m.LabelIndex {
			require.Equal(t, labels[i], m.Targets[at])
			require.True(t, i == 0 || m.LabelIndex[i-1] < at, "ascending, so each once")
		}
		require.EqualValues(t, m.Tokens(), m.CuSeqlens[len(indexes)])
		require.GreaterOrEqual(t, m.Padded(), m.Tokens())
	}
}

func TestLoader(t *testing.T) {
	samples := make([]Sample, 5)
	for i := range samples {
		samples[i] = Sample{IDs: make([]int32, i+1), Labels: make([]int32, i+1)}
	}
	l, err := NewLoader(samples, NewOrder(5, 0, true), 3)
	require.NoError(t, err)
	assert.Zero(t, l.Epoch())
	assert.Equal(t, []int{0, 1, 2}, l.Next().Records)
	first := l.Next()
	assert.Equal(t, []int{3, 4, 0}, first.Records, "epochs run into each other")
	assert.Equal(t, []int{1, 2, 3}, l.Next().Records)
	assert.Equal(t, []int{3, 4, 0}, first.Records, "a micro-batch keeps what it has when the next is made")
	assert.Equal(t, 9.0/5, l.Epoch())

	wide, err := NewLoader(samples, NewOrder(5, 0, true), 7)
	require.NoError(t, err)
	assert.Equal(t, []int{0, 1, 2, 3, 4, 0, 1}, wide.Next().Records, "a batch larger than the set")
}

func TestLoaderRefuses(t *testing.T) {
	one := []Sample{{IDs: []int32{2, 3}, Labels: []int32{2, 3}}}
	for _, c := range []struct {
		samples []Sample
		order   *Order
		batch   int
		want    string
	}{
		{nil, NewOrder(1, 0, true), 1, "no samples"},
		{one, NewOrder(1, 0, true), 0, "batch is 0"},
		{one, NewOrder(1, 0, true), -4, "batch is -4"},
		{one, NewOrder(2, 0, true), 1, "order"},
		{one, nil, 1, "order"},
		{[]Sample{{}}, NewOrder(1, 0, true), 1, "sample 0 has 0 ids"},
		{[]Sample{{IDs: []int32{2}}}, NewOrder(1, 0, true), 1, "sample 0 has 1 ids and 0 labels"},
	} {
		_, err := NewLoader(c.samples, c.order, c.batch)
		require.ErrorContains(t, err, c.want)
	}
}

// lengths makes n samples of 50 to 149 tokens, about those of CodeAlpaca.
func lengths(n int) []Sample {
	samples := make([]Sample, n)
	for i := range samples {
		samples[i] = Sample{IDs: make([]int32, 50+i%100), Labels: make([]int32, 50+i%100)}
	}
	return samples
}

func BenchmarkPack(b *testing.B) {
	samples := lengths(100)
	for b.Loop() {
		Pack(samples, []int{3, 97, 41, 60})
	}
}

func BenchmarkLoader(b *testing.B) {
	samples := lengths(1000)
	l, err := NewLoader(samples, NewOrder(len(samples), 42, false), 4)
	require.NoError(b, err)
	for b.Loop() {
		l.Next()
	}
}
