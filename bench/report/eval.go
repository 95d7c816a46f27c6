package report

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

// evalFigure is the held-out loss while training, against training time: which rank is where first.
// nil where it was only computed at the end.
func evalFigure(arms []*table.Arm) *figure {
	labels, key := short(arms)
	var cs []*curve
	for i, a := range arms {
		n := -1
		for _, r := range a.Runs {
			if len(r.Evals) > 1 && (n < 0 || len(r.Evals) < n) {
				n = len(r.Evals)
			}
		}
		c := &curve{Label: labels[i], mark: markOf(i)}
		for j := range n {
			at := func(f func(record.Eval) float64) table.Spread {
				var vs []float64
				for _, r := range a.Runs {
					if len(r.Evals) >= n {
						vs = append(vs, f(r.Evals[j]))
					}
				}
				return table.SpreadOf(vs)
			}
			x, y := at(func(e record.Eval) float64 { return e.Seconds }), at(func(e record.Eval) float64 { return e.Loss })
			if x.N == 0 || y.N == 0 {
				continue
			}
			c.X = append(c.X, x.Median)
			c.Mean = append(c.Mean, y.Median)
			c.Low = append(c.Low, y.Min)
			c.Top = append(c.Top, y.Max)
		}
		if len(c.X) > 1 {
			cs = append(cs, c)
		}
	}
	if len(cs) == 0 {
		return nil
	}
	caption := "One run for each line."
	if n := table.Seeds(arms); n > 1 {
		caption = fmt.Sprintf("Median over %d seeds, at the median time of each evaluation; the band goes from the lowest seed to the highest.", n)
	}
	var level []plot.Plotter
	if target := arms[0].Runs[0].Settings.TargetLoss; target > 0 {
		caption += " The thin dotted line is the target, " + format.All(target) + "."
		last := 0.0
		for _, c := range cs {
			last = max(last, c.X[len(c.X)-1])
		}
		level = append(level, &plotter.Line{XYs: plotter.XYs{{X: 0, Y: target}, {X: last, Y: target}},
			LineStyle: draw.LineStyle{Color: black, Width: 0.75, Dashes: []vg.Length{1.5, 1.5}}})
	}
	f := curveFigure(arms, cs, key, "eval-loss", "Held-out loss while training", "training time (s), evaluations not counted", "held-out loss", level...)
	f.Caption = caption
	return f
}
