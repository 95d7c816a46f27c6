package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench/format"
	"lorabench/lora"
)

func TestTheSmallModelPasses(t *testing.T) {
	for _, c := range []struct {
		why    string
		args   []string
		checks int
	}{
		{"ranks up to the layers' own size, and full", []string{"-ranks=4,256,300,full"}, 3*6 + 4},
		{"DoRA", []string{"-ranks=4", "-dora"}, 4 + 1},
		{"several alphas", []string{"-ranks=4", "-alpha=16,2r,sqrt"}, 3 * 7},
	} {
		t.Run(c.why, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := run(append([]string{"-device=cpu"}, c.args...), &out, &errs)
			require.Zero(t, code, out.String()+errs.String())
			require.Equal(t, c.checks, strings.Count(out.String(), "  ok  "), out.String())
			require.Contains(t, out.String(), "all checks hold")
		})
	}
}

func TestAFailedCheckIsAFailure(t *testing.T) {
	var out bytes.Buffer
	c := checks{Table: format.Table{Head: []string{"arm", "check", "", "found"}}}
	c.add("rank=8", lora.Check{Name: "holds", OK: true}, lora.Check{Name: "does not", Found: "7 of 8"})
	require.NoError(t, c.Text(&out))
	require.Equal(t, 1, c.failed)
	require.Contains(t, out.String(), "FAILED")
}

func TestWhatCannotBeChecked(t *testing.T) {
	for _, c := range []struct {
		why  string
		args []string
		code int
		text string
	}{
		{"an unknown flag", []string{"-rank=8"}, 2, "flag provided but not defined"},
		{"a rank that is no number", []string{"-ranks=x"}, 1, `-ranks has "x"`},
		{"a target the model does not have", []string{"-targets=w_proj"}, 1, "w_proj"},
	} {
		var out, errs bytes.Buffer
		require.Equal(t, c.code, run(append([]string{"-device=cpu"}, c.args...), &out, &errs), c.why)
		require.Contains(t, errs.String(), c.text, c.why)
	}
}
