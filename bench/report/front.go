package report

import (
	"cmp"
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/stats"
	"lorabench/bench/table"
)

// fronts draws held-out loss against speed and against peak memory, each with its Pareto front.
func fronts(arms []*table.Arm) []*figure {
	name, peak := peakOf(arms)
	speed := func(r *record.Record) float64 { return r.SamplesPerSecond }
	gib := func(r *record.Record) float64 { return peak(r) / record.GiB }
	return append(front(arms, "front-speed", "Held-out loss against speed", "samples per second", "right", speed),
		front(arms, "front-memory", "Held-out loss against "+name, name+" (GiB)", "left", gib)...)
}

// place is arm number i on a front's figure: x is what it costs or gives, y its held-out loss.
type place struct {
	i    int
	x, y stats.Spread
}

// beaten reports whether another place is at least as good in both medians and better in one; sign is -1 if a lower x is better.
func (p place) beaten(ps []place, sign float64) bool {
	return slices.ContainsFunc(ps, func(q place) bool {
		x, y := sign*(q.x.Median-p.x.Median), p.y.Median-q.y.Median
		return x >= 0 && y >= 0 && x+y > 0
	})
}

// front draws losses against x. It returns nil if fewer than two arms have both.
func front(arms []*table.Arm, id, title, xname string, better string, x func(*record.Record) float64) []*figure {
	f := newFigure(id, title, xname, "held-out loss")
	var ps []place
	for i, a := range arms {
		if p := (place{i, a.Over(x), a.Over(table.EvalLoss)}); p.x.N > 0 && p.y.N > 0 {
			ps = append(ps, p)
		}
	}
	if len(ps) < 2 {
		return nil
	}
	var line plotter.XYs
	f.Desc = "Points."
	for _, p := range ps {
		at, a := plotter.XYs{{X: p.x.Median, Y: p.y.Median}}, arms[p.i]
		f.Desc += fmt.Sprintf(" %s: held-out loss %s, %s %s", a.Label, format.Fixed(p.y.Median, 4), xname, format.Number(p.x.Median, 4))
		if !p.beaten(ps, map[string]float64{"left": -1, "right": 1}[better]) {
			line = append(line, at...)
			f.Desc += ", on the front"
		}
		f.Desc += "."
		f.add(a, p, at, x)
	}
	slices.SortFunc(line, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
	dashed := &plotter.Line{XYs: line, LineStyle: draw.LineStyle{Color: color.NRGBA{A: 0x80}, Width: 0.9, Dashes: []vg.Length{2, 2}}}
	rings := &plotter.Scatter{XYs: line, GlyphStyle: draw.GlyphStyle{Color: color.Black, Radius: 6.5, Shape: draw.RingGlyph{}}}
	f.Add(dashed, rings)
	f.key.Add("Pareto front", dashed, rings)
	widen(f.Plot)
	f.Caption = "Down and " + better + " is better. On the Pareto front: no other arm is better in one and as good in the other."
	noise := " One run for each point: its noise is not shown."
	if table.Seeds(arms) > 1 {
		noise = " Medians with the range over seeds, each seed a faint point; where ranges overlap, so may the truth."
	}
	f.Caption += noise
	return []*figure{f}
}

// add draws an arm: its seeds, its ranges and its median.
func (f *figure) add(a *table.Arm, p place, at plotter.XYs, x func(*record.Record) float64) {
	seeds := &plotter.Scatter{GlyphStyle: glyphOf(p.i)}
	seeds.Color, seeds.Radius = faint(p.i, 0x60), 1.6
	for _, r := range a.Runs {
		if at := (plotter.XY{X: x(r), Y: table.EvalLoss(r)}); format.Finite(at.X) && format.Finite(at.Y) {
			seeds.XYs = append(seeds.XYs, at)
		}
	}
	style := draw.LineStyle{Color: faint(p.i, 0xFF), Width: 0.9}
	median := &plotter.Scatter{XYs: at, GlyphStyle: glyphOf(p.i)}
	xs := plotter.XErrors{{Low: p.x.Median - p.x.Min, High: p.x.Max - p.x.Median}}
	ys := plotter.YErrors{{Low: p.y.Median - p.y.Min, High: p.y.Max - p.y.Median}}
	f.Add(seeds, median, &plotter.XErrorBars{XYs: at, XErrors: xs, LineStyle: style, CapWidth: 4},
		&plotter.YErrorBars{XYs: at, YErrors: ys, LineStyle: style, CapWidth: 4})
	f.key.Add(a.Label, median)
}
