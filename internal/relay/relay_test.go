package relay

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runner takes n legs, writing its name at each.
func runner(t *testing.T, b *Baton, name string, n int, said *[]string) {
	require.NoError(t, b.Take())
	for i := range n {
		*said = append(*said, name)
		if i < n-1 {
			require.NoError(t, b.Pass())
			require.NoError(t, b.Take())
		}
	}
	require.NoError(t, b.in.Close())
	require.NoError(t, b.out.Close())
}

func TestTurns(t *testing.T) {
	for _, c := range []struct {
		legs []int
		want string
		why  string
	}{
		{[]int{3, 3}, "ababab", "in turns; the holder of the baton alone works, so said needs no lock"},
		{[]int{1, 3}, "abbb", "who ends leaves the other alone"},
		{[]int{3, 1}, "abaa", "whichever it is"},
		{[]int{2, 2, 2}, "abcabc", "as many as there are"},
		{[]int{1, 3, 2}, "abbbcc", "who ends leaves the next one alone, and nobody works beside it"},
		{[]int{3}, "aaa", "alone, from its own hand"},
	} {
		ends, err := Ring(len(c.legs))
		require.NoError(t, err)
		var said []string
		var all sync.WaitGroup
		for i, n := range c.legs {
			all.Go(func() { runner(t, New(ends[i][0], ends[i][1]), string(rune('a'+i)), n, &said) })
		}
		all.Wait()
		assert.Equal(t, c.want, strings.Join(said, ""), c.why)
	}
}

func TestNobodyElse(t *testing.T) {
	b, err := Open("")
	require.NoError(t, err)
	require.NoError(t, b.Take())
	require.False(t, b.Due())
	require.NoError(t, b.Pass())
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct{ descriptors, says, why string }{
		{"3", `"3" is no pair`, "one is missing"},
		{"a,b", "no pair", "no numbers"},
		{"3,4,soon", "invalid duration", "no time"},
		{"0,1", "above 2", "those are the results'"},
		{"901,902", "901,902", "nobody opened them"},
	} {
		_, err := Open(c.descriptors)
		assert.ErrorContains(t, err, c.says, c.why)
	}
}
