package report

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/plotter"

	"lorabench/bench/stats"
)

func TestWrap(t *testing.T) {
	assert.Equal(t, "a b\nccc", wrap("a b ccc", 4))
}

func TestPareto(t *testing.T) {
	at := func(x, y float64) place { return place{x: stats.Spread{Median: x}, y: stats.Spread{Median: y}} }
	for _, c := range []struct {
		why    string
		places []place
		sign   float64
		want   []bool
	}{
		{"fast and bad, slow and good, slow and bad", []place{at(10, 2), at(5, 1), at(4, 2)}, 1, []bool{true, true, false}},
		{"with memory less is better", []place{at(10, 2), at(5, 1), at(4, 2)}, -1, []bool{false, true, true}},
		{"equal ones do not beat each other", []place{at(1, 1), at(1, 1)}, 1, []bool{true, true}},
		{"as good in one and better in the other beats", []place{at(1, 1), at(1, 2)}, 1, []bool{true, false}},
	} {
		for i, p := range c.places {
			assert.Equal(t, c.want[i], !p.beaten(c.places, c.sign), "%s: %d", c.why, i)
		}
	}
}

func TestCombine(t *testing.T) {
	run := func(ys ...float64) (xys plotter.XYs) {
		for i, y := range ys {
			xys = append(xys, plotter.XY{X: float64(i + 1), Y: y})
		}
		return xys
	}
	c, _, ok := combine([]plotter.XYs{run(1, 1, 1), run(3, 3, 3, 9), nil}, true)
	require.True(t, ok)
	require.Equal(t, run(2, 2, 2), c.mean, "as far as all go, and without runs that have nothing")
	require.Equal(t, run(1, 1, 1), c.low)
	require.Equal(t, run(3, 3, 3), c.high)
	long := make([]float64, 60)
	for i := range long {
		long[i] = float64(i)
	}
	c, window, ok := combine([]plotter.XYs{run(long...)}, true)
	require.True(t, ok)
	require.Equal(t, 3, window)
	require.Len(t, c.mean, 58, "no whole window, no mean")
	require.InDelta(t, 2, c.mean[0].X, 1e-9, "a window's mean stands at its middle")
	require.InDelta(t, 1, c.mean[0].Y, 1e-9)
	for why, runs := range map[string][]plotter.XYs{
		"no run":     nil,
		"a point":    {run(1)},
		"not finite": {run(1, math.NaN())},
	} {
		_, _, ok := combine(runs, false)
		require.False(t, ok, why)
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		why    string
		lo, hi float64
		want   string
	}{
		{"neighbours are not printed alike", 1.7501, 1.7512, "1.75025 1.75050 1.75075 1.75100"},
		{"around 0", -1, 1, "-1.0 -0.5 0.0 0.5 1.0"},
		{"steps", 1, 1000, "200 400 600 800 1000"},
		{"nothing between", 1, 1, ""},
		{"no end", 0, math.Inf(1), ""},
	} {
		var labels []string
		for _, tick := range (ticks{}).Ticks(c.lo, c.hi) {
			labels = append(labels, tick.Label)
		}
		assert.Equal(t, c.want, strings.Join(labels, " "), c.why)
	}
}

// Every drawing is well-formed XML with its words; the page's names no foreign address.
func TestDrawings(t *testing.T) {
	for name, rs := range studies(t) {
		for _, p := range whole(t, rs).Sections {
			for _, f := range p.Figures {
				d := xml.NewDecoder(strings.NewReader(f.svg()))
				for {
					_, err := d.Token()
					if errors.Is(err, io.EOF) {
						break
					}
					require.NoError(t, err, "%s of %s", f.ID, name)
				}
				require.NotEmpty(t, f.Title)
				require.NotEmpty(t, f.Caption)
				require.NotEmpty(t, f.Desc)
				inline := f.Inline()
				require.NotContains(t, string(inline), "xmlns")
				require.Regexp(t, `<text textLength="[0-9.]+"`, string(inline), "a reader's font may be wider")
				require.NotContains(t, string(inline), "font-family:", "one for the whole drawing")
			}
		}
	}
}

func TestWhichFigures(t *testing.T) {
	for name, want := range map[string]string{
		"usual":  "front-speed front-memory loss loss-difference grad-norm",
		"full":   "front-speed front-memory loss loss-difference eval-loss grad-norm",
		"single": "front-speed front-memory loss loss-difference grad-norm",
		"alone":  "",
		"noeval": "loss loss-difference grad-norm",
		"bare":   "",
	} {
		var ids []string
		for _, p := range whole(t, studies(t)[name]).Sections {
			for _, f := range p.Figures {
				ids = append(ids, f.ID)
			}
		}
		assert.Equal(t, want, strings.Join(ids, " "), name)
	}
}
