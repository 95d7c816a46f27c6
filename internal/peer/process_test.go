package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVisible(t *testing.T) {
	for _, c := range []struct {
		device, now string
		set         bool
		want, err   string
		why         string
	}{
		{"cpu", "0,1", true, "", "", "no device at all"},
		{"cuda", "", false, "0", "", "a Trainer that saw more would use them all"},
		{"cuda:2", "", false, "2", "", ""},
		{"cuda:1", "3, 5", true, "5", "", "numbers count the devices that are visible now"},
		{"cuda:0", "GPU-1c2f", true, "GPU-1c2f", "", "names stay"},
		{"cuda:2", "3,5", true, "", `CUDA_VISIBLE_DEVICES is "3,5" and has no device 2`, ""},
		{"cuda:0", "", true, "", "has no device 0", "set and empty hides all"},
		{"cuda:x", "", false, "", `device "cuda:x"`, ""},
	} {
		got, err := visible(c.device, c.now, c.set)
		if c.err != "" {
			require.ErrorContains(t, err, c.err, c.why)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, c.want, got, c.why)
	}
}
