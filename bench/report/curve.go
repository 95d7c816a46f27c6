package report

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

// curve is a quantity over steps or time: the mean over seeds and the range.
type curve struct {
	Label          string
	X              []float64
	Mean, Low, Top []float64
	mark           mark
}

// points is how many of a curve's points are drawn: more than a figure has room for would only make
// the page large.
const points = 200

// smoothing is the number of steps that a curve is averaged over: a step's own loss is mostly its
// records'.
func smoothing(steps int) int { return max(1, steps/20) }

// smooth is the mean of every window of so many values. It is shorter than the values: means of fewer
// at the ends would be as noisy there as what was smoothed, and the ends are what one looks at.
func smooth(vs []float64, window int) []float64 {
	sum := 0.0
	var out []float64
	for i, v := range vs {
		if sum += v; i >= window {
			sum -= vs[i-window]
		}
		if i >= window-1 {
			out = append(out, sum/float64(window))
		}
	}
	return out
}

// stepsOf are a run's values by step; nil if there is none, or one that is not finite.
func stepsOf(r *record.Record, f func(record.Step) float64) []float64 {
	var vs []float64
	for _, s := range r.Steps {
		v := f(s)
		if !format.Finite(v) {
			return nil
		}
		vs = append(vs, v)
	}
	return vs
}

// combine is the curve of several seeds, as far as all of them go.
func combine(label string, m mark, runs [][]float64) *curve {
	n, window := math.MaxInt, 1
	for _, r := range runs {
		if len(r) > 0 {
			n = min(n, len(r))
			window = smoothing(n)
		}
	}
	var kept [][]float64
	for _, r := range runs {
		if len(r) > 0 {
			kept = append(kept, smooth(r[:n], window))
		}
	}
	if len(kept) == 0 || n < 2 {
		return nil
	}
	n -= window - 1
	c := &curve{Label: label, mark: m}
	stride := max(1, n/points)
	for i := 0; i < n; i++ {
		if i%stride != 0 && i != n-1 {
			continue
		}
		var at []float64
		sum := 0.0
		for _, k := range kept {
			at = append(at, k[i])
			sum += k[i]
		}
		s := table.SpreadOf(at)
		c.X = append(c.X, float64(i+1)+float64(window-1)/2) // the window's middle
		c.Mean = append(c.Mean, sum/float64(len(kept)))
		c.Low = append(c.Low, s.Min)
		c.Top = append(c.Top, s.Max)
	}
	return c
}

func (c *curve) last() float64 { return c.Mean[len(c.Mean)-1] }

// xys pairs x with y.
func xys(x, y []float64) plotter.XYs {
	ps := make(plotter.XYs, len(x))
	for i := range x {
		ps[i] = plotter.XY{X: x[i], Y: y[i]}
	}
	return ps
}

// addCurves draws bands below lines below markers, and names each line at its end.
func addCurves(p *plot.Plot, cs []*curve) {
	for _, c := range cs {
		ring := xys(c.X, c.Top)
		for i := len(c.X) - 1; i >= 0; i-- {
			ring = append(ring, plotter.XY{X: c.X[i], Y: c.Low[i]})
		}
		p.Add(&plotter.Polygon{XYs: []plotter.XYs{ring}, Color: faint(c.mark.NRGBA, 0x26)})
	}
	for _, c := range cs {
		p.Add(&plotter.Line{XYs: xys(c.X, c.Mean), LineStyle: c.mark.line})
	}
	var ends names
	for i, c := range cs {
		// Markers of different curves stand at different steps, so that curves that run on each other
		// can still be told apart.
		var at plotter.XYs
		const each = 6
		n := len(c.X)
		for k := range each {
			j := (k*len(cs) + i + 1) * n / (each*len(cs) + 1)
			at = append(at, plotter.XY{X: c.X[min(j, n-1)], Y: c.Mean[min(j, n-1)]})
		}
		p.Add(&plotter.Scatter{XYs: at, GlyphStyle: c.mark.glyph})
		ends = append(ends, name{c.Label, c.X[n-1], c.last()})
	}
	p.Add(ends)
}

// names stand to the right of what they name, moved apart where they would overlap, with a line to it.
type names []name

type name struct {
	text string
	x, y float64
}

const nameGap vg.Length = 12

// GlyphBoxes makes room for the names, so that the plot ends before them.
func (ns names) GlyphBoxes(*plot.Plot) []plot.GlyphBox {
	w := vg.Length(0)
	for _, n := range ns {
		w = max(w, words(textSize).Width(n.text))
	}
	return []plot.GlyphBox{{X: 1, Y: 0.5, Rectangle: vg.Rectangle{Min: vg.Point{Y: -1}, Max: vg.Point{X: nameGap + 2 + w, Y: 1}}}}
}

func (ns names) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	at := make([]vg.Length, len(ns))
	for i, n := range ns {
		at[i] = y(n.y)
	}
	to := apart(at, lineHeight-1, c.Min.Y, c.Max.Y)
	for i, n := range ns {
		right := c.Max.X + nameGap
		c.StrokeLines(thin, []vg.Point{{X: x(n.x) + 2, Y: at[i]}, {X: right - 5, Y: to[i]}, {X: right - 2, Y: to[i]}})
		c.FillText(words(textSize), vg.Point{X: right, Y: to[i]}, n.text)
	}
}

// short are labels for inside a figure: the arms' own where there is room for them, and their numbers,
// which the key below the drawing explains, where there is not.
func short(arms []*table.Arm) (labels []string, key []keyed) {
	const room = 14
	fit := true
	for _, a := range arms {
		fit = fit && len([]rune(a.Label)) <= room
	}
	for i, a := range arms {
		if fit {
			labels = append(labels, a.Label)
			continue
		}
		labels = append(labels, "#"+format.Whole(i+1))
		key = append(key, keyed{labels[i] + " " + a.Label, markOf(i).swatch})
	}
	return labels, key
}

// swatch is the mark as a key has it.
func (m mark) swatch(c draw.Canvas) {
	mid := c.Center()
	c.StrokeLine2(m.line, c.Min.X, mid.Y, c.Max.X, mid.Y)
	c.DrawGlyphNoClip(m.glyph, mid)
}
