package relay

import (
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
		first, second int
		want          []string
		why           string
	}{
		{3, 3, []string{"a", "b", "a", "b", "a", "b"}, "in turns; the holder of the baton alone works, so said needs no lock"},
		{1, 3, []string{"a", "b", "b", "b"}, "who ends leaves the other alone"},
		{3, 1, []string{"a", "b", "a", "a"}, "whichever it is"},
	} {
		first, second, err := Pipes()
		require.NoError(t, err)
		var said []string
		var both sync.WaitGroup
		both.Go(func() { runner(t, New(second[0], second[1]), "b", c.second, &said) })
		both.Go(func() { runner(t, New(first[0], first[1]), "a", c.first, &said) })
		both.Wait()
		assert.Equal(t, c.want, said, c.why)
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
		{"0,1", "above 2", "those are the results'"},
		{"901,902", "901,902", "nobody opened them"},
	} {
		_, err := Open(c.descriptors)
		assert.ErrorContains(t, err, c.says, c.why)
	}
}
