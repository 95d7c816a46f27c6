package main

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
)

func TestInterval(t *testing.T) {
	equal := []peerStep{{Seconds: 2, RealTokens: 10}, {Seconds: 4, RealTokens: 20}, {Seconds: 6, RealTokens: 30}}
	for _, c := range []struct {
		laps      []record.Lap
		tokens    []int64
		theirs    []peerStep
		low, high float64
		why       string
	}{
		{[]record.Lap{{Step: 1, Seconds: 1}, {Step: 2, Seconds: 2}, {Step: 3, Seconds: 3}}, []int64{10, 20, 30}, equal, 2, 2, "as long as its tokens"},
		{[]record.Lap{{Step: 1, Seconds: 3}, {Step: 2, Seconds: 1}, {Step: 3, Seconds: 2}}, []int64{30, 10, 20}, equal, 2, 2, "other sequences in each step are no noise"},
		{[]record.Lap{{Step: 1, Seconds: 2}, {Step: 2, Seconds: 2}, {Step: 3, Seconds: 3}}, []int64{10, 20, 30},
			[]peerStep{{Seconds: 4, RealTokens: 10}, {Seconds: 4, RealTokens: 20}, {Seconds: 6, RealTokens: 30}}, 2, 2, "both were slowed down at once"},
		// Residuals -0.1, 0, 0.1: their mean's error is 0.1/sqrt(3), and Student's t with 2 degrees of freedom 4.3027.
		{[]record.Lap{{Step: 1, Seconds: 1}, {Step: 2, Seconds: 1}, {Step: 3, Seconds: 1}}, []int64{10, 10, 10},
			[]peerStep{{Seconds: 1.8, RealTokens: 10}, {Seconds: 2, RealTokens: 10}, {Seconds: 2.2, RealTokens: 10}},
			2 * math.Exp(-0.24842), 2 * math.Exp(0.24842), "by hand"},
	} {
		got := interval(2, c.laps, c.tokens, c.theirs)
		require.NotNil(t, got, c.why)
		assert.InDeltaSlice(t, []float64{c.low, c.high}, got[:], 1e-4, c.why)
	}
	assert.Nil(t, interval(2, nil, []int64{1}, equal[:1]), "alone on a card lorabench waits for it at the end only")
	assert.Nil(t, interval(2, []record.Lap{{Step: 2, Seconds: 3}, {Step: 3, Seconds: 3}}, []int64{10, 20, 30}, equal), "and where it saves")
	assert.Nil(t, interval(2, []record.Lap{{Step: 1, Seconds: 1}}, []int64{1}, equal[:1]), "one step has no spread")
}
