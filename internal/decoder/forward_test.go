package decoder_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/data"
	"lorabench/internal/fixture"
	"lorabench/internal/torch"
)

// samples are sequences of several lengths, one of a single token among them.
func samples() []data.Sample {
	var ss []data.Sample
	for i, n := range []int{9, 1, 16, 5, 12} {
		ss = append(ss, sequence(i, n))
	}
	return ss
}

// eachKind runs a property on every device, on both kinds of OPT, on one with the rarer switches, and on other families.
func eachKind(t *testing.T, f func(t *testing.T, m *Model)) {
	devices.Each(t, func(t *testing.T, on torch.Device) {
		for _, c := range []struct {
			kind string
			make func(t *testing.T, on torch.Device) *Model
		}{
			{"post", func(t *testing.T, on torch.Device) *Model { return loadOn(t, on, post, torch.Float32) }},
			{"pre", func(t *testing.T, on torch.Device) *Model { return loadOn(t, on, pre, torch.Float32) }},
			{"switched", switched},
			{"llama3", func(t *testing.T, on torch.Device) *Model { return loadOn(t, on, families+"llama3", torch.Float32) }},
			{"qwen2", func(t *testing.T, on torch.Device) *Model { return loadOn(t, on, families+"qwen2", torch.Float32) }},
			{"qwen3", func(t *testing.T, on torch.Device) *Model { return loadOn(t, on, families+"qwen3", torch.Float32) }},
		} {
			t.Run(c.kind, func(t *testing.T) { f(t, c.make(t, on)) })
		}
	})
}

// row is sequence i's part of a micro-batch's logits.
func row(b data.MicroBatch, v []float32, i int) []float32 {
	width := len(v) / b.Tokens()
	return v[int(b.CuSeqlens[i])*width : int(b.CuSeqlens[i+1])*width]
}

func TestPackingChangesNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, m *Model) {
		ss := samples()
		together := pack(ss...)
		all := logits(t, m, together, false)
		require.Len(t, all, together.Tokens()*96)
		sum, labels := 0.0, 0
		for i, s := range ss {
			alone := pack(s)
			require.Less(t, fixture.Largest(t, row(together, all, i), logits(t, m, alone, false)), pass(m, 1e-5), "sequence %d", i)
			if alone.Labels > 0 {
				mean, _ := loss(t, m, alone)
				sum += mean * float64(alone.Labels)
				labels += alone.Labels
			}
		}
		mean, _ := loss(t, m, together)
		require.InDelta(t, sum/float64(labels), mean, pass(m, 1e-5), "the loss is the sum over labels, whoever they belong to")
	})
}

func TestOrderInAMicroBatchDoesNotMatter(t *testing.T) {
	eachKind(t, func(t *testing.T, m *Model) {
		ss := samples()
		order := []int{3, 0, 4, 2, 1}
		one, other := pack(ss...), data.Pack(ss, order)
		a, b := logits(t, m, one, false), logits(t, m, other, false)
		for at, i := range order {
			require.Less(t, fixture.Largest(t, row(one, a, i), row(other, b, at)), pass(m, 1e-5), "sequence %d", i)
		}
	})
}

func TestNoTokenSeesALaterOne(t *testing.T) {
	eachKind(t, func(t *testing.T, m *Model) {
		b := pack(samples()...)
		before := logits(t, m, b, false)
		width := len(before) / b.Tokens()
		for _, at := range []int{0, 5, int(b.CuSeqlens[2]) + 7, b.Tokens() - 1} {
			changed := b
			changed.IDs = slices.Clone(b.IDs)
			changed.IDs[at] = 4 + (b.IDs[at]+11)%92
			after := logits(t, m, changed, false)
			require.Equal(t, before[:at*width], after[:at*width], "bit for bit, before token %d", at)
			require.NotEqual(t, before[at*width:(at+1)*width], after[at*width:(at+1)*width], "and the token itself matters")
			end := int(b.CuSeqlens[slices.IndexFunc(b.CuSeqlens, func(c int64) bool { return c > int64(at) })])
			require.Equal(t, before[end*width:], after[end*width:], "nor does the next sequence, from token %d on", end)
		}
	})
}

func TestPositionsRestart(t *testing.T) {
	eachKind(t, func(t *testing.T, m *Model) {
		s := sequence(1, 10)
		twice := pack(s, s)
		v := logits(t, m, twice, false)
		require.Less(t, fixture.Largest(t, row(twice, v, 0), row(twice, v, 1)), pass(m, 1e-5), "the same sequence again is the same")
		moved := twice
		moved.Positions = slices.Clone(twice.Positions)
		for i := 10; i < 20; i++ {
			moved.Positions[i] = int64(i)
		}
		w := logits(t, m, moved, false)
		require.Equal(t, row(twice, v, 0), row(moved, w, 0))
		far := fixture.Largest(t, row(moved, w, 0), row(moved, w, 1))
		if m.Rotary != nil {
			require.Less(t, far, pass(m, 1e-5), "rotary positions are relative")
			return
		}
		require.Greater(t, far, 0.1, "with positions that run on it is not")
	})
}

func TestDropout(t *testing.T) {
	eachKind(t, func(t *testing.T, m *Model) {
		b := pack(samples()...)
		eval := logits(t, m, b, false)
		m.ModelDropout = 0
		require.Equal(t, eval, logits(t, m, b, true), "training without dropout is evaluation")
		m.ModelDropout = 0.1
		require.Equal(t, eval, logits(t, m, b, false), "evaluation has none")
		train := func(seed int64) []float32 {
			torch.Seed(seed)
			return logits(t, m, b, true)
		}
		first := train(1)
		require.Greater(t, fixture.Largest(t, eval, first), 0.1, "training has")
		require.NotEqual(t, first, train(2), "another seed, another mask")
		require.Equal(t, first, train(1), "the same seed, the same mask")
	})
}

// TestDropoutIsOnTheTwoSumsOnly: where both branches give 0 there is nothing left that a mask could
// change, and each of the two alone is enough for it to change something.
func TestDropoutIsOnTheTwoSumsOnly(t *testing.T) { devices.Each(t, testDropoutIsOnTheTwoSumsOnly) }

func testDropoutIsOnTheTwoSumsOnly(t *testing.T, on torch.Device) {
	for _, c := range []struct {
		why         string
		zero        []string
		droppedLeft bool
	}{
		{"nothing on embeddings, attention's weights or the sums themselves", []string{"out_proj", "fc2"}, false},
		{"attention's output", []string{"fc2"}, true},
		{"fc2's output", []string{"out_proj"}, true},
	} {
		for _, dir := range []string{post, pre} {
			m := loadOn(t, on, dir, torch.Float32)
			m.ModelDropout = 0.5
			run(t, func(s *torch.Scope) {
				for _, l := range m.Linears() {
					for _, suffix := range c.zero {
						if strings.HasSuffix(l.Name, "."+suffix) {
							torch.ZeroIn(l.Weight)
							torch.ZeroIn(l.Bias)
						}
					}
				}
			})
			b := pack(samples()...)
			eval, train := logits(t, m, b, false), logits(t, m, b, true)
			if c.droppedLeft {
				require.Greater(t, fixture.Largest(t, eval, train), 0.1, c.why)
			} else {
				require.Equal(t, eval, train, c.why)
			}
		}
	}
}

// TestOneLayersResultIsHeld: without a backward pass to come, the peak must not grow with depth.
func TestOneLayersResultIsHeld(t *testing.T) {
	eachKind(t, func(t *testing.T, m *Model) {
		b := pack(samples()...)
		var live []int64
		run(t, func(s *torch.Scope) {
			u := m.Upload(s, &b, nil)
			own := s.Len()
			m.HiddenOf(s, u, nil, true, func(int, *torch.Tensor) { live = append(live, torch.Live()) })
			want := own + 1
			if m.Rotary != nil {
				want += 2
			}
			require.Equal(t, want, s.Len(), "the result, and rotary cosines and sines")
		})
		require.Len(t, live, 2)
		require.Equal(t, live[0], live[1])
	})
}

func TestInputsThatAreRefused(t *testing.T) {
	m := loadModel(t, post, torch.Float32)
	for _, c := range []struct {
		why    string
		change func(b *data.MicroBatch)
		text   string
	}{
		{"a token after the vocabulary", func(b *data.MicroBatch) { b.IDs[3] = 96 }, "token id 96 at 3 is outside the model's vocabulary of 96: does the tokenizer belong"},
		{"a negative token", func(b *data.MicroBatch) { b.IDs[0] = -1 }, "token id -1 at 0 is outside"},
		{"a sequence longer than the model's table", func(b *data.MicroBatch) { *b = pack(sequence(1, 65)) },
			"position 64 is outside the model's max_position_embeddings of 64: use a smaller -max-length"},
		{"a negative position", func(b *data.MicroBatch) { b.Positions[2] = -1 }, "position -1 is outside"},
		{"no sequence at all", func(b *data.MicroBatch) { *b = pack() }, "cumulative lengths [0]"},
		{"lengths that do not span the row", func(b *data.MicroBatch) { b.CuSeqlens[len(b.CuSeqlens)-1]-- }, "do not span the row"},
	} {
		b := pack(samples()...)
		c.change(&b)
		live := torch.Live()
		err := torch.Run(func(s *torch.Scope) error { m.Hidden(s, &b, false); return nil })
		var e *torch.Error
		require.ErrorAs(t, err, &e, c.why)
		require.ErrorContains(t, err, c.text, c.why)
		require.Equal(t, live, torch.Live(), c.why)
	}
	longest := pack(sequence(1, 64))
	require.Len(t, logits(t, m, longest, false), 64*96, "the last position is inside")
}

func TestLossNeedsALabel(t *testing.T) {
	m := loadModel(t, post, torch.Float32)
	for _, c := range []struct {
		why string
		b   data.MicroBatch
	}{
		{"one token has no next one", pack(sequence(1, 1))},
		{"every answer cut away", func() data.MicroBatch {
			s := sequence(1, 8)
			s.Labels = slices.Repeat([]int32{data.Ignore}, 8)
			return pack(s, s)
		}()},
	} {
		err := torch.Run(func(s *torch.Scope) error { m.LossSum(s, &c.b); return nil })
		require.ErrorContains(t, err, "a micro-batch without any label", c.why)
		require.ErrorContains(t, err, "raise -max-length or -batch", c.why)
	}
}

// TestLossIsOfLabelsOnly writes the loss out from the logits, with some labels masked.
func TestLossIsOfLabelsOnly(t *testing.T) {
	eachKind(t, func(t *testing.T, m *Model) {
		masked := sequence(1, 9)
		masked.Labels = slices.Clone(masked.Labels)
		for i := range 4 {
			masked.Labels[i] = data.Ignore
		}
		b := pack(masked, sequence(2, 6))
		require.Equal(t, 5+5, b.Labels)
		v := logits(t, m, b, false)
		want, width := 0.0, len(v)/b.Tokens()
		for i, target := range b.Targets {
			if target == data.Ignore {
				continue
			}
			sum, at := 0.0, v[i*width:(i+1)*width]
			for _, x := range at {
				sum += math.Exp(float64(x))
			}
			want += math.Log(sum) - float64(at[target])
		}
		got, _ := loss(t, m, b)
		require.InDelta(t, want/10, got, pass(m, 1e-5))
	})
}

func TestBFloat16(t *testing.T) { devices.Each(t, testBFloat16) }

func testBFloat16(t *testing.T, on torch.Device) {
	b := pack(samples()...)
	for _, dir := range []string{post, pre} {
		want, _ := loss(t, loadOn(t, on, dir, torch.Float32), b)
		m := loadOn(t, on, dir, torch.BFloat16)
		run(t, func(s *torch.Scope) { require.Equal(t, torch.BFloat16, m.Hidden(s, &b, false).DType()) })
		got, d := loss(t, m, b)
		require.Equal(t, torch.Float32, d, "the loss is taken in float32")
		require.InEpsilon(t, want, got, 0.02, dir)
		require.NotEqual(t, want, got, "it was computed in bfloat16")
	}
}
