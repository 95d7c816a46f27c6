package torch

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAllowTF32(t *testing.T) {
	was := AllowTF32(true)
	require.True(t, AllowTF32(false))
	require.False(t, AllowTF32(was))
	require.Equal(t, was, AllowTF32(was))
}
