package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// orderFile is testdata/order.json, which testdata/make.py wrote with torch 2.11.
type orderFile struct {
	Cases []struct {
		N      int
		Seed   int64
		Epochs [][]int
	}
	CodeAlpaca struct {
		N      int
		Seed   int64
		SHA256 string `json:"sha256_of_int64_le"`
	}
	Random64 []string `json:"random64_seed42_mod_2_63"`
}

func TestOrderIsTorchs(t *testing.T) {
	f := readJSON[orderFile](t, "testdata/order.json")
	require.NotEmpty(t, f.Cases)
	for _, c := range f.Cases {
		order := NewOrder(c.N, c.Seed, false)
		for e, want := range c.Epochs {
			got := make([]int, c.N)
			for i := range got {
				got[i] = order.Next()
			}
			assert.Equal(t, want, got, "n %d, seed %d, epoch %d", c.N, c.Seed, e)
		}
	}
	order, sum := NewOrder(f.CodeAlpaca.N, f.CodeAlpaca.Seed, false), sha256.New()
	for range f.CodeAlpaca.N {
		sum.Write(binary.LittleEndian.AppendUint64(nil, uint64(order.Next())))
	}
	assert.Equal(t, f.CodeAlpaca.SHA256, hex.EncodeToString(sum.Sum(nil)))

	rng := newMT19937(42)
	for _, want := range f.Random64 {
		assert.Equal(t, want, fmt.Sprint(rng.uint64()%(1<<63)))
	}
}

// What Hugging Face's Trainer drew in its first epoch and at the beginning of its second, with seed 42 and 50 samples
// (transformers 5.23, accelerate 1.15; the peer's --record-order). The second is randperm of seed 43.
func TestFirstEpochIsTheTrainers(t *testing.T) {
	first := []int{42, 17, 30, 34, 20, 25, 0, 8}
	second := []int{38, 40, 49, 45, 43, 25, 10, 8}
	order := NewOrder(50, 42, false)
	var drawn []int
	for range 58 {
		drawn = append(drawn, order.Next())
	}
	assert.Equal(t, first, drawn[:8])
	assert.NotEqual(t, second, drawn[50:], "the second epoch of a seed must not be the first of the next")
	next := NewOrder(50, 43, false)
	for _, want := range second {
		assert.Equal(t, want, next.Next())
	}
}

func TestEveryEpochIsWhole(t *testing.T) {
	for _, sequential := range []bool{true, false} {
		for n := 1; n < 40; n++ {
			order := NewOrder(n, int64(n), sequential)
			for range 3 {
				epoch := make([]int, n)
				for i := range epoch {
					epoch[i] = order.Next()
				}
				if sequential {
					require.True(t, slices.IsSorted(epoch))
				}
				slices.Sort(epoch)
				for i, v := range epoch {
					require.Equal(t, i, v)
				}
			}
		}
	}
}

// No torch test reaches this branch (n over 214 million needs gigabytes); this is its loop by another way.
func TestShuffle64(t *testing.T) {
	want, rng := []int{}, newMT19937(1)
	for i := range 100 {
		z := int(rng.uint64() % uint64(i+1))
		want = append(want, i)
		want[i], want[z] = want[z], want[i]
	}
	assert.Equal(t, want, shuffle64(newMT19937(1), 100))
}
