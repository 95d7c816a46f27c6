package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/internal/fakecuda"
	"lorabench/internal/fakecuda/fakecudatest"
)

func TestStandIn(t *testing.T) {
	fakecudatest.Require(t)
	t.Setenv(fakeVariable, "")
	o := tiny(t, "-stand-in", "-ranks=8,16", "-peers=stock")
	var out bytes.Buffer
	require.NoError(t, compareWith(context.Background(), o, &out, io.Discard, withFakes))
	var m standInMemory
	b, err := os.ReadFile(filepath.Join(o.out, standInFile))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &m))
	require.Len(t, m.Ranks, 4)
	for i, want := range []struct {
		rank    int
		program string
		peak    int64
	}{{8, "stock", 3 << 30}, {8, "lorabench", 1 << 30}, {16, "stock", 2 << 30}, {16, "lorabench", 1 << 30}} {
		r := m.Ranks[i]
		assert.Equal(t, want.rank, r.Rank)
		assert.Equal(t, want.program, r.Program)
		assert.Equal(t, want.peak, *r.Peak.GPUAllocated)
		if want.program == "stock" { // the fake of lorabench opens the card
			assert.EqualValues(t, 3, r.Kernels, "6 in 2 steps")
		}
	}
	assert.NotContains(t, string(b), `loss":`)
	assert.NotContains(t, string(b), `seconds":`)
	lines := strings.Split(out.String(), "\n")
	assert.Regexp(t, `16 +stock +float32 +2\.00 +2\.00 +3\.00 +3\.0`, lines[3], "never reset, rank 8's peak stays")
	_, err = os.Stat(filepath.Join(o.out, "peer.json"))
	assert.ErrorIs(t, err, os.ErrNotExist, "a stand-in gives no result")
}

func TestStandInFails(t *testing.T) {
	fakecudatest.Require(t)
	for _, c := range []struct{ how, err, why string }{
		{"a call is refused", "rank 8, stock: the stand-in refused calls: cudaLaunchKernel: cudaErrorInvalidValue", "another training's memory"},
		{"peer has no peak", "rank 8, stock: no peak of the CUDA allocator", "nothing to compare"},
		{"lorabench fails", "rank 8, lorabench, memory: exit status 3", "half a table is none"},
	} {
		t.Run(c.how, func(t *testing.T) {
			t.Setenv(fakeVariable, c.how)
			o := tiny(t, "-stand-in", "-ranks=8", "-peers=stock")
			var out bytes.Buffer
			require.ErrorContains(t, compareWith(context.Background(), o, &out, io.Discard, withFakes), c.err, c.why)
			assert.Empty(t, out.String())
			_, err := os.Stat(filepath.Join(o.out, standInFile))
			assert.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}

// TestPeersOwnTorch: the peer's torch may be another build than the libtorch that the stand-in suits.
func TestPeersOwnTorch(t *testing.T) {
	fakecudatest.Require(t)
	torch, err := filepath.EvalSymlinks("../torch/link/libtorch")
	require.NoError(t, err)
	other := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(other, "lib"), 0o777))
	source := filepath.Join(other, "other.cpp")
	require.NoError(t, os.WriteFile(source, []byte("void f() {}"), 0o666))
	for _, args := range [][]string{{"-Wl,-soname,libcudart.so.9", "-o", filepath.Join(other, "libcudart.so")},
		{"-Wl,--no-as-needed", filepath.Join(other, "libcudart.so"), "-o", filepath.Join(other, "lib", "libtorch_cuda.so")}} {
		out, err := exec.Command("g++", append([]string{"-shared", source}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	for _, c := range []struct{ torch, want string }{{torch, ""}, {other, "wants libcudart.so.9"}} {
		python := filepath.Join(t.TempDir(), "python")
		require.NoError(t, os.WriteFile(python, []byte("#!/bin/sh\nprintf %s '"+c.torch+"'\n"), 0o777))
		err := suitsPeer(t.Context(), python, t.TempDir())
		if c.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, fakecuda.ErrOtherTorch)
		require.ErrorContains(t, err, c.want)
	}
}
