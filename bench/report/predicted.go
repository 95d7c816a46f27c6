package report

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lorabench/bench/format"
	"lorabench/bench/table"
)

// within is how far a prediction may be off and still be called right: what the project promises.
const within = 0.10

// predictedFigure is measured memory against the predicted, category by category, as a difference in
// per cent: on a scale of bytes a tenth could not be seen. nil where nothing has both.
func predictedFigure(arms []*table.Arm) *figure {
	labels, key := short(arms)
	o := &offs{}
	var said []string
	for _, n := range categories(arms) {
		line := off{category: n}
		var here []string
		for i, a := range arms {
			p, m := bytesOf(a, n, predicted), bytesOf(a, n, measured)
			if !(p > 0) || !format.Finite(m) {
				continue
			}
			line.at = append(line.at, dot{markOf(i), m/p - 1})
			here = append(here, labels[i]+" "+format.Change(m/p-1))
		}
		if len(line.at) > 0 {
			o.lines = append(o.lines, line)
			said = append(said, n+": "+strings.Join(here, ", "))
		}
	}
	if len(o.lines) == 0 {
		return nil
	}
	if len(key) == 0 { // labels fit, but there are no lines' ends to name here
		for i, a := range arms {
			key = append(key, keyed{a.Label, markOf(i).swatch})
		}
	}
	p := newPlot("measured against predicted (%)", "")
	p.Add(o)
	p.HideY()
	return &figure{
		ID: "memory-predicted", Title: "Memory: measured against predicted", key: key,
		height:  24*vg.Length(len(o.lines)) + 60,
		Caption: fmt.Sprintf("0 is as predicted from the configuration; the grey band is %d %% to either side. A number stands where a point would be outside.", int(within*100)),
		Desc:    "Points for each category. " + strings.Join(said, "; ") + ".",
		paint:   painted(p),
	}
}

// off is how far a category's prediction is off, for each arm.
type off struct {
	category string
	at       []dot
}

type dot struct {
	mark
	fraction float64
}

type offs struct{ lines []off }

// limit is the largest difference that the axis shows, in per cent: a category of a few bytes can be
// off many times over.
const limit = 60

func (o *offs) DataRange() (xmin, xmax, ymin, ymax float64) {
	most := 15.0
	for _, l := range o.lines {
		for _, d := range l.at {
			most = max(most, min(limit, math.Abs(d.fraction)*100*1.1))
		}
	}
	return -most, most, 0, float64(len(o.lines))
}

// GlyphBoxes makes room for the categories' names.
func (o *offs) GlyphBoxes(*plot.Plot) []plot.GlyphBox {
	left := vg.Length(0)
	for _, l := range o.lines {
		left = max(left, words(textSize).Width(l.category)+8)
	}
	return []plot.GlyphBox{{X: 0, Y: 0.5, Rectangle: vg.Rectangle{Min: vg.Point{X: -left, Y: -1}, Max: vg.Point{Y: 1}}}}
}

func (o *offs) Plot(c draw.Canvas, plt *plot.Plot) {
	x, y := plt.Transforms(&c)
	lo, hi := x(-within*100), x(within*100)
	c.FillPolygon(color.NRGBA{A: 0x14}, []vg.Point{{X: lo, Y: c.Min.Y}, {X: hi, Y: c.Min.Y}, {X: hi, Y: c.Max.Y}, {X: lo, Y: c.Max.Y}})
	c.StrokeLine2(thin, x(0), c.Min.Y, x(0), c.Max.Y)
	for i, l := range o.lines {
		mid := y(float64(len(o.lines)-1-i) + 0.5)
		c.StrokeLine2(hair, c.Min.X, mid, c.Max.X, mid)
		s := words(textSize)
		s.XAlign = draw.XRight
		c.FillText(s, vg.Point{X: c.Min.X - 6, Y: mid}, l.category)
		var under, over []float64
		for j, d := range l.at {
			// A little above each other: equal predictions of several arms would hide all but one.
			up := 4.5 * (vg.Length(len(l.at)-1)/2 - vg.Length(j))
			if n := len(l.at); n > 4 {
				up *= 4 / vg.Length(n)
			}
			at := max(plt.X.Min, min(plt.X.Max, d.fraction*100))
			c.DrawGlyphNoClip(d.glyph, vg.Point{X: x(at), Y: mid + up})
			if at > d.fraction*100 {
				under = append(under, d.fraction)
			} else if at < d.fraction*100 {
				over = append(over, d.fraction)
			}
		}
		for _, outside := range []struct {
			fractions []float64
			at, shift vg.Length
			align     draw.XAlignment
		}{{under, c.Min.X, 7, draw.XLeft}, {over, c.Max.X, -7, draw.XRight}} {
			if len(outside.fractions) == 0 {
				continue
			}
			lo, hi := format.Change(slices.Min(outside.fractions)), format.Change(slices.Max(outside.fractions))
			if hi != lo {
				lo += " to " + hi
			}
			s := words(textSize - 1)
			s.XAlign = outside.align
			c.FillText(s, vg.Point{X: outside.at + outside.shift, Y: mid}, lo)
		}
	}
}
