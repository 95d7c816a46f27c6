package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

// speedFront is held-out loss against speed, memoryFront against peak memory, each with its Pareto
// front; nil where fewer than two arms have both figures.
func speedFront(arms []*table.Arm) *figure {
	return frontFigure(arms, "front-speed", "Held-out loss against speed", "samples per second", true,
		func(r *record.Record) float64 { return r.SamplesPerSecond })
}

func memoryFront(arms []*table.Arm) *figure {
	name, _ := peakName(arms)
	unit, _ := memoryUnit(arms)
	return frontFigure(arms, "front-memory", "Held-out loss against "+name, name+" ("+unit+")", false,
		func(r *record.Record) float64 { return peak(r) / unitBytes[unit] })
}

// place is an arm in a front's figure: x is what it costs or gives, y its held-out loss.
type place struct {
	label string
	x, y  table.Spread
	seeds plotter.XYs
	mark  mark
	front bool
}

// pareto marks the places that no other beats: none is at least as good in both medians and better in
// one.
func pareto(ps []*place, moreIsBetter bool) {
	for _, p := range ps {
		p.front = true
		for _, q := range ps {
			x, y := q.x.Median-p.x.Median, p.y.Median-q.y.Median
			if !moreIsBetter {
				x = -x
			}
			if x >= 0 && y >= 0 && (x > 0 || y > 0) {
				p.front = false
			}
		}
	}
}

func frontFigure(arms []*table.Arm, id, title, xname string, moreIsBetter bool, of func(*record.Record) float64) *figure {
	labels, key := short(arms)
	var ps []*place
	for i, a := range arms {
		p := &place{label: labels[i], x: a.Over(of), y: a.Over(table.EvalLoss), mark: markOf(i)}
		for _, r := range a.Runs {
			if x, y := of(r), table.EvalLoss(r); format.Finite(x) && format.Finite(y) {
				p.seeds = append(p.seeds, plotter.XY{X: x, Y: y})
			}
		}
		if len(p.seeds) > 0 {
			ps = append(ps, p)
		}
	}
	if len(ps) < 2 {
		return nil
	}
	pareto(ps, moreIsBetter)
	f := &figure{ID: id, Title: title, key: key}
	better := "Down and left is better"
	if moreIsBetter {
		better = "Down and right is better"
	}
	f.Caption = better + ". A ring marks the Pareto front: no other arm is better in one and as good in the other."
	if table.Seeds(arms) > 1 {
		f.Caption += " Medians with the range over seeds, each seed a faint point; where ranges overlap, so may the truth."
	} else {
		f.Caption += " One run for each point: its noise is not shown."
	}
	var said []string
	for _, p := range ps {
		s := fmt.Sprintf("%s: held-out loss %s, %s %s", p.label, format.Fixed(p.y.Median, 4), xname, format.Number(p.x.Median, 4))
		if p.front {
			s += ", on the front"
		}
		said = append(said, s)
	}
	f.Desc = "Points. " + strings.Join(said, "; ") + "."
	p := newPlot(xname, "held-out loss")
	p.Add(&plotter.Grid{Vertical: hair, Horizontal: draw.LineStyle{Color: faint(black, 0)}}, places(ps))
	f.paint = painted(p)
	return f
}

// places draws the points, the front and the names.
type places []*place

func (ps places) DataRange() (xmin, xmax, ymin, ymax float64) {
	first := ps[0]
	xmin, xmax, ymin, ymax = first.x.Min, first.x.Max, first.y.Min, first.y.Max
	for _, p := range ps {
		xmin, xmax = min(xmin, p.x.Min), max(xmax, p.x.Max)
		ymin, ymax = min(ymin, p.y.Min), max(ymax, p.y.Max)
	}
	// Room for the names beside the outer points.
	dx, dy := (xmax-xmin)*0.12, (ymax-ymin)*0.12
	return xmin - dx, xmax + dx, ymin - dy, ymax + dy
}

func (ps places) Plot(c draw.Canvas, plt *plot.Plot) {
	x, y := plt.Transforms(&c)
	var front plotter.XYs
	var at, sizes []vg.Point
	var taken []vg.Rectangle
	for _, p := range ps {
		if p.front {
			front = append(front, plotter.XY{X: p.x.Median, Y: p.y.Median})
		}
		m := vg.Point{X: x(p.x.Median), Y: y(p.y.Median)}
		at = append(at, m)
		sizes = append(sizes, vg.Point{X: words(textSize).Width(p.label), Y: lineHeight - 2})
		taken = append(taken, vg.Rectangle{Min: vg.Point{X: m.X - 7, Y: m.Y - 7}, Max: vg.Point{X: m.X + 7, Y: m.Y + 7}},
			vg.Rectangle{Min: vg.Point{X: x(p.x.Min), Y: m.Y - 1}, Max: vg.Point{X: x(p.x.Max), Y: m.Y + 1}},
			vg.Rectangle{Min: vg.Point{X: m.X - 1, Y: y(p.y.Min)}, Max: vg.Point{X: m.X + 1, Y: y(p.y.Max)}})
	}
	sortXYs(front)
	line := make([]vg.Point, len(front))
	for i, p := range front {
		line[i] = vg.Point{X: x(p.X), Y: y(p.Y)}
	}
	for i := range max(0, len(line)-1) {
		const pieces = 24
		for k := range pieces {
			t := vg.Length(k) / pieces
			p := vg.Point{X: line[i].X + t*(line[i+1].X-line[i].X), Y: line[i].Y + t*(line[i+1].Y-line[i].Y)}
			taken = append(taken, vg.Rectangle{Min: vg.Point{X: p.X - 2, Y: p.Y - 2}, Max: vg.Point{X: p.X + 2, Y: p.Y + 2}})
		}
	}
	c.StrokeLines(draw.LineStyle{Color: faint(black, 0x80), Width: 0.9, Dashes: []vg.Length{2, 2}}, line)
	for i, p := range ps {
		s := p.mark.glyph
		s.Color, s.Radius = faint(p.mark.NRGBA, 0x60), 1.6
		for _, q := range p.seeds {
			c.DrawGlyph(s, vg.Point{X: x(q.X), Y: y(q.Y)})
		}
		whisker := draw.LineStyle{Color: p.mark.NRGBA, Width: 0.9}
		c.StrokeLine2(whisker, x(p.x.Min), at[i].Y, x(p.x.Max), at[i].Y)
		c.StrokeLine2(whisker, at[i].X, y(p.y.Min), at[i].X, y(p.y.Max))
	}
	for i, p := range ps {
		s := p.mark.glyph
		s.Radius = 4
		c.DrawGlyph(s, at[i])
		if p.front {
			c.DrawGlyph(draw.GlyphStyle{Color: black, Radius: 7, Shape: ring{}}, at[i])
		}
	}
	for i, r := range free(at, sizes, taken, c.Rectangle, 11) {
		s := words(textSize)
		s.XAlign = draw.XCenter
		c.FillText(s, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}, ps[i].label)
	}
}

// ring is gonum's, drawn so that it can be seen.
type ring struct{}

func (ring) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, at vg.Point) {
	c.SetLineStyle(draw.LineStyle{Color: s.Color, Width: 1.1})
	var p vg.Path
	p.Move(vg.Point{X: at.X + s.Radius, Y: at.Y})
	p.Arc(at, s.Radius, 0, 2*math.Pi)
	p.Close()
	c.Stroke(p)
}

func sortXYs(ps plotter.XYs) {
	slices.SortFunc(ps, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
}
