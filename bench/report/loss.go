package report

import (
	"fmt"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

// lossFigure is the training loss by step, a line for each arm.
func lossFigure(arms []*table.Arm) *figure {
	return stepFigure(arms, "loss", "Training loss", "training loss",
		func(s record.Step) float64 { return s.Loss })
}

// normFigure is the gradient's norm by step.
func normFigure(arms []*table.Arm) *figure {
	f := stepFigure(arms, "grad-norm", "Norm of the gradient before clipping", "norm of the gradient",
		func(s record.Step) float64 { return s.GradNorm })
	if f != nil && oneAlpha(arms) {
		f.Caption += " All ranks have one lora_alpha: BA is scaled by alpha/r, and the gradient with it."
	}
	return f
}

// stepFigure draws a step's quantity; nil where no run has it.
func stepFigure(arms []*table.Arm, id, title, what string, of func(record.Step) float64) *figure {
	labels, key := short(arms)
	var cs []*curve
	for i, a := range arms {
		var runs [][]float64
		for _, r := range a.Runs {
			runs = append(runs, stepsOf(r, of))
		}
		if c := combine(labels[i], markOf(i), runs); c != nil {
			cs = append(cs, c)
		}
	}
	return curveFigure(arms, cs, key, id, title, "step", what)
}

// differenceFigure is the loss of each step less the first arm's at the same step with the same
// seed. All arms see the same records in the same order, so what the records do to the loss falls
// out, and what is left is the arm's.
func differenceFigure(arms []*table.Arm) *figure {
	labels, key := short(arms)
	first := map[int64][]float64{}
	loss := func(s record.Step) float64 { return s.Loss }
	for _, r := range arms[0].Runs {
		first[r.Seed] = stepsOf(r, loss)
	}
	var cs []*curve
	for i, a := range arms[1:] {
		var runs [][]float64
		for _, r := range a.Runs {
			d := stepsOf(r, loss)
			to := first[r.Seed]
			d = d[:min(len(d), len(to))]
			for j := range d {
				d[j] -= to[j]
			}
			runs = append(runs, d)
		}
		if c := combine(labels[i+1], markOf(i+1), runs); c != nil {
			cs = append(cs, c)
		}
	}
	f := curveFigure(arms, cs, key, "loss-difference", "Training loss less that of "+arms[0].Label, "step", "difference of the loss", zero{})
	if f != nil {
		f.Caption = "Below 0 is better than " + arms[0].Label + ". Paired by seed: the same records in the same order. " + f.Caption
	}
	return f
}

// zero is a line at 0, across.
type zero struct{}

func (zero) Plot(c draw.Canvas, p *plot.Plot) {
	_, y := p.Transforms(&c)
	if at := y(0); c.ContainsY(at) {
		c.StrokeLine2(thin, c.Min.X, at, c.Max.X, at)
	}
}

// curveFigure draws curves, and whatever else; nil without a curve.
func curveFigure(arms []*table.Arm, cs []*curve, key []keyed, id, title, x, y string, more ...plot.Plotter) *figure {
	if len(cs) == 0 {
		return nil
	}
	p := newPlot(x, y)
	addCurves(p, cs)
	p.Add(more...)
	window := smoothing(arms[0].Runs[0].GlobalStep)
	f := &figure{ID: id, Title: title, key: key, paint: painted(p)}
	switch n := table.Seeds(arms); {
	case n > 1 && window > 1:
		f.Caption = fmt.Sprintf("Mean over %d steps (drawn at their middle) and %d seeds; the band goes from the lowest seed to the highest.", window, n)
	case n > 1:
		f.Caption = fmt.Sprintf("Mean over %d seeds; the band goes from the lowest to the highest.", n)
	case window > 1:
		f.Caption = fmt.Sprintf("Mean over %d steps (drawn at their middle); one run for each line, so its noise is not shown.", window)
	}
	if f.Caption == "" {
		f.Caption = "One run for each line, so its noise is not shown."
	}
	lo, hi := cs[0].Low[0], cs[0].Top[0]
	var said []string
	for _, c := range cs {
		for i := range c.X {
			lo, hi = min(lo, c.Low[i]), max(hi, c.Top[i])
		}
		said = append(said, fmt.Sprintf("%s from %s to %s", c.Label, format.Number(c.Mean[0], 4), format.Number(c.last(), 4)))
	}
	if lo > 0 && hi > 20*lo {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, logTicks{}
	}
	f.Desc = fmt.Sprintf("Lines over %s %s to %s: %s.",
		x, format.Number(cs[0].X[0], 4), format.Number(cs[0].X[len(cs[0].X)-1], 4), strings.Join(said, "; "))
	return f
}
