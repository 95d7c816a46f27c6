package judge

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// written is a file of that text, in a folder of its own.
func written(t testing.TB, name, text string) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// lorabench is the configuration of its result files, on a CPU.
const lorabench = "model: small\ndata: train\nrecipe: reported\nsettings: batch=4\ndevice: cpu\ncpu: AMD\nthreads: 2\ntorch: 2.11.0\ndtype: float32\nseed: 42\ncommit: aaa\n\n"

// lines are the results of a benchmark: "%v" in the form is each value.
func lines(form string, values ...float64) string {
	var b strings.Builder
	for _, v := range values {
		fmt.Fprintln(&b, strings.ReplaceAll(form, "%v", fmt.Sprint(v)))
	}
	return b.String()
}

// judged compares two texts.
func judged(t testing.TB, old, new, rules string, o Options) *Verdict {
	require.NoError(t, o.Rules.Read(rules, "gate.txt"))
	return Judge(Read(written(t, "old.txt", old)), Read(written(t, "new.txt", new)), o)
}

// of is the result of a unit.
func of(t testing.TB, v *Verdict, unit string) Result {
	for _, r := range v.Results {
		if r.Unit == unit {
			return *r
		}
	}
	require.Fail(t, "no result", unit)
	return Result{}
}

// told are the problems as one text.
func told(v *Verdict) string {
	var b strings.Builder
	for _, p := range v.Problems {
		fmt.Fprintf(&b, "%s %s:%d %s\n", p.Kind, filepath.Base(p.File), p.Line, p.Text)
	}
	return b.String()
}
