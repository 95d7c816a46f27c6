package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

// curves is a figure with a line for each arm.
type curves struct {
	id, title, x, y string
	of              func(*record.Record) plotter.XYs // of a run; nil where it has none
	smooth          bool                             // average steps: a step's own value is mostly its records'
	caption         string
}

// trainingFigures draws what happened step by step.
func trainingFigures(arms []*table.Arm) []*figure {
	first := arms[0]
	loss := bySteps(func(s record.Step) float64 { return s.Loss })
	base := map[int64]plotter.XYs{}
	for _, r := range first.Runs {
		base[r.Seed] = loss(r)
	}
	// All arms see the same records in the same order: the records' effect on the loss cancels, and the arm's is left.
	difference := func(r *record.Record) plotter.XYs {
		of, from := loss(r), base[r.Seed]
		of = of[:min(len(of), len(from))]
		for i := range of {
			of[i].Y -= from[i].Y
		}
		return of
	}
	specs := []curves{
		{id: "loss", title: "Training loss", x: "step", y: "training loss", smooth: true, of: loss},
		{id: "loss-difference", title: "Training loss less the first arm's", x: "step", y: "difference", smooth: true, of: difference,
			caption: "The first arm is " + first.Label + ": below 0 is better. Paired by seed: the same records in the same order."},
		{id: "eval-loss", title: "Held-out loss while training", x: "training time (s), evaluations not counted", y: "held-out loss",
			of: byEvaluations},
		{id: "grad-norm", title: "Norm of the gradient before clipping", x: "step", y: "norm of the gradient", smooth: true,
			of: bySteps(func(s record.Step) float64 { return s.GradNorm })},
	}
	if len(arms) == 1 {
		specs = slices.Delete(specs, 1, 2)
	}
	var fs []*figure
	for _, s := range specs {
		fs = append(fs, s.figure(arms)...)
	}
	return fs
}

func bySteps(of func(record.Step) float64) func(*record.Record) plotter.XYs {
	return func(r *record.Record) (out plotter.XYs) {
		for _, s := range r.Steps {
			out = append(out, plotter.XY{X: float64(s.Step), Y: of(s)})
		}
		return out
	}
}

func byEvaluations(r *record.Record) (out plotter.XYs) {
	for _, e := range r.Evals {
		out = append(out, plotter.XY{X: e.Seconds, Y: e.Loss})
	}
	return out
}

// curve is the mean of an arm's runs, with the lowest and the highest.
type curve struct{ mean, low, high plotter.XYs }

// combine averages runs as far as all of them go, over a moving window of steps first. Runs without values, or with one
// that is not finite, are left out; ok is false if fewer than two points are left.
func combine(runs []plotter.XYs, smooth bool) (c curve, window int, ok bool) {
	const most = 200 // points: more than a figure shows would only make the page large
	runs = slices.DeleteFunc(runs, func(r plotter.XYs) bool {
		return len(r) == 0 || slices.ContainsFunc(r, func(p plotter.XY) bool { return !format.Finite(p.Y) })
	})
	if len(runs) == 0 {
		return c, 1, false
	}
	n := len(slices.MinFunc(runs, func(a, b plotter.XYs) int { return len(a) - len(b) }))
	if window = 1; smooth {
		window = max(1, n/20)
	}
	n -= window - 1
	stride := max(1, n/most)
	for i := 0; i < n; i = min(i+stride, max(n-1, i+1)) { // the last one too
		var mean plotter.XY
		low, high := math.Inf(1), math.Inf(-1)
		for _, r := range runs {
			y := 0.0
			for _, p := range r[i : i+window] { // X is the window's middle
				y += p.Y / float64(window)
				mean.X += p.X / float64(window*len(runs))
			}
			mean.Y += y / float64(len(runs))
			low, high = min(low, y), max(high, y)
		}
		c.mean = append(c.mean, mean)
		c.low, c.high = append(c.low, plotter.XY{X: mean.X, Y: low}), append(c.high, plotter.XY{X: mean.X, Y: high})
	}
	return c, window, n > 1
}

// figure draws the curves: bands below lines below markers. It returns nil if no run has values.
func (s curves) figure(arms []*table.Arm) []*figure {
	f := newFigure(s.id, s.title, s.x, s.y)
	var bands, lines []plot.Plotter
	var said []string
	widest := 1
	for i, a := range arms {
		var runs []plotter.XYs
		for _, r := range a.Runs {
			runs = append(runs, s.of(r))
		}
		c, window, ok := combine(runs, s.smooth)
		if !ok {
			continue
		}
		widest = max(widest, window)
		slices.Reverse(c.high)
		bands = append(bands, &plotter.Polygon{XYs: []plotter.XYs{append(c.low, c.high...)}, Color: faint(i, 0x26)})
		line, markers := &plotter.Line{XYs: c.mean, LineStyle: lineOf(i)}, &plotter.Scatter{GlyphStyle: glyphOf(i)}
		const each = 6 // markers a line, at other steps for other arms, so that lines on each other can be told apart
		for k := range each {
			at := (k*len(arms) + i + 1) * len(c.mean) / (each*len(arms) + 1)
			markers.XYs = append(markers.XYs, c.mean[min(at, len(c.mean)-1)])
		}
		lines = append(lines, line, markers)
		f.key.Add(a.Label, line, markers)
		from, to := c.mean[0], c.mean[len(c.mean)-1]
		said = append(said, fmt.Sprintf("%s from %s at %s to %s at %s", a.Label, format.Number(from.Y, 4), format.Number(from.X, 4),
			format.Number(to.Y, 4), format.Number(to.X, 4)))
	}
	if len(lines) == 0 {
		return nil
	}
	f.Add(append(bands, lines...)...)
	if f.Y.Min > 0 && f.Y.Max > 20*f.Y.Min {
		f.Y.Scale, f.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	widen(f.Plot)
	f.Caption = strings.TrimSpace(s.caption + " " + averaged(table.Seeds(arms), widest))
	f.Desc = fmt.Sprintf("Lines over the %s: %s.", s.x, strings.Join(said, "; "))
	return []*figure{f}
}

// averaged says what a line is a mean of.
func averaged(seeds, window int) string {
	said := "One run for each line: its noise is not shown."
	if seeds > 1 {
		said = fmt.Sprintf("Mean over %d seeds, the band from the lowest to the highest.", seeds)
	}
	if window > 1 {
		said += fmt.Sprintf(" Each point is a mean over %d steps.", window)
	}
	return said
}
