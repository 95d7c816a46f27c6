package torchtest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// fake is a device by its name.
type fake string

func (f fake) CUDA() bool            { return f != "cpu" }
func (f fake) String() string        { return string(f) }
func (f fake) Name() (string, error) { return "NVIDIA " + string(f), nil }

// pretended is a stand-in.
type pretended struct{ fake }

func (pretended) Name() (string, error) { return "A card (stand-in) (9.0)", nil }

func TestEachDevice(t *testing.T) {
	for _, c := range []struct {
		cards int
		want  []string
	}{
		{0, []string{"cpu"}},
		{1, []string{"cpu", "cuda:0"}},
		{2, []string{"cpu", "cuda:0", "cuda:1"}},
		{8, []string{"cpu", "cuda:0", "cuda:7"}},
	} {
		t.Run(fmt.Sprint(c.cards), func(t *testing.T) {
			ds := Find(func(name string) (fake, error) { return fake(name), nil }, func() (int, error) {
				if c.cards == 0 {
					return 0, errors.New("no driver")
				}
				return c.cards, nil
			})
			var computing, all []string
			ds.Each(t, func(_ *testing.T, on fake) { computing = append(computing, on.String()) })
			ds.EachWithStandIn(t, func(_ *testing.T, on fake) { all = append(all, on.String()) })
			require.Equal(t, c.want, computing)
			require.Equal(t, c.want, all)
			if c.cards > 0 {
				require.Equal(t, fake("cuda:0"), ds.GPU(t))
			}
		})
	}
}

func TestStandInComputesNothing(t *testing.T) {
	ds := Find(func(name string) (pretended, error) { return pretended{fake(name)}, nil }, func() (int, error) { return 1, nil })
	var computing, all []string
	ds.Each(t, func(_ *testing.T, on pretended) { computing = append(computing, on.String()) })
	ds.EachWithStandIn(t, func(_ *testing.T, on pretended) { all = append(all, on.String()) })
	require.Equal(t, []string{"cpu"}, computing)
	require.Equal(t, []string{"cpu", "cuda:0"}, all)
}

func TestTolerances(t *testing.T) {
	require.Equal(t, 3e-5, Within(fake("cpu"), Steps, 3e-5), "a CPU's is the test's own")
	for k := range onGPU {
		require.Greater(t, Within(fake("cuda:0"), Kind(k), 1), 1.0)
	}
	Same(t, fake("cuda:0"), []float32{1, 0}, []float32{1, 5e-6}, "relative to the largest")
}
