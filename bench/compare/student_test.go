package compare

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"lorabench/bench/stats"
)

// F with one degree of freedom is the square of t; the others are from printed tables.
func TestFTail(t *testing.T) {
	assert.InDelta(t, 2*stats.Tail(2.5, 9), fTail(6.25, 1, 9), 1e-12)
	assert.InDelta(t, 0.05, fTail(3.555, 2, 18), 1e-4, "three ranks, ten seeds")
	assert.InDelta(t, 0.05, fTail(4.103, 2, 10), 1e-4, "three ranks, six seeds")
	assert.InDelta(t, 0.05, fTail(2.996, 2, 1e7), 1e-3, "as many seeds as anyone has, without a panic")
	assert.Zero(t, fTail(math.Inf(1), 2, 18))
	assert.True(t, math.IsNaN(fTail(math.NaN(), 2, 18)))
}
