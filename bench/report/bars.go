package report

import (
	"fmt"
	"image/color"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

// pattern is how a category looks: a colour, and lines over it for those who do not see the colour.
type pattern struct {
	fill  color.NRGBA
	slant int // of the lines: 1 and -1 are diagonals, 2 both, 3 across, 4 upright; 0 none
}

var patterns = map[string]pattern{
	record.Process:     {color.NRGBA{0xA8, 0xA8, 0xA8, 0xFF}, 0},
	record.Weights:     {color.NRGBA{0x00, 0x72, 0xB2, 0xFF}, 0},
	record.Adapter:     {color.NRGBA{0xD5, 0x5E, 0x00, 0xFF}, 1},
	record.Gradients:   {color.NRGBA{0xE6, 0x9F, 0x00, 0xFF}, -1},
	record.Optimizer:   {color.NRGBA{0x00, 0x9E, 0x73, 0xFF}, 2},
	record.Activations: {color.NRGBA{0x56, 0xB4, 0xE9, 0xFF}, 4},
	record.Head:        {color.NRGBA{0xF0, 0xE4, 0x42, 0xFF}, 3},
	record.Workspace:   {color.NRGBA{0xCC, 0x79, 0xA7, 0xFF}, 1},
	record.Slack:       {color.NRGBA{0xDD, 0xDD, 0xDD, 0xFF}, -1},
}

// barsFigure is measured memory at the peak, a bar for each arm, a part for each category; nil where
// nothing was measured.
func barsFigure(arms []*table.Arm) *figure {
	labels, key := short(arms)
	all := categories(arms)
	unit, f := memoryUnit(arms)
	scale := 1 / unitBytes[unit]
	b := &bars{}
	used := map[string]bool{}
	var said []string
	for i, a := range arms {
		bar := bar{label: labels[i]}
		sum, parts := 0.0, []string{}
		for _, n := range all {
			if v := bytesOf(a, n, measured); format.Finite(v) && v > 0 {
				bar.parts = append(bar.parts, part{n, v * scale})
				parts = append(parts, n+" "+f(v))
				used[n] = true
				sum += v
			}
		}
		if len(bar.parts) == 0 {
			continue
		}
		bar.total = f(sum)
		b.bars = append(b.bars, bar)
		said = append(said, fmt.Sprintf("%s %s (%s)", bar.label, bar.total, strings.Join(parts, ", ")))
	}
	if len(b.bars) == 0 {
		return nil
	}
	for _, n := range all {
		if used[n] {
			key = append(key, keyed{n, patterns[n].draw})
		}
	}
	p := newPlot(unit, "")
	p.Add(b)
	p.X.Min = 0
	p.Y.Min, p.Y.Max = 0, float64(len(b.bars))
	p.HideY()
	return &figure{
		ID: "memory-bars", Title: "Memory at the peak by category", key: key,
		height:  38*vg.Length(len(b.bars)) + 46,
		Caption: "Measured, medians over seeds; the number is the sum. Parts stand in the key's order.",
		Desc:    "Stacked bars in " + unit + ". " + strings.Join(said, "; ") + ".",
		paint:   painted(p),
	}
}

type bar struct {
	label, total string
	parts        []part
}

type part struct {
	name  string
	value float64
}

// bars lie below each other, the first on top.
type bars struct{ bars []bar }

func (b *bars) DataRange() (xmin, xmax, ymin, ymax float64) {
	for _, bar := range b.bars {
		s := 0.0
		for _, p := range bar.parts {
			s += p.value
		}
		xmax = max(xmax, s)
	}
	return 0, xmax, 0, float64(len(b.bars))
}

// GlyphBoxes makes room for the arms' names on the left and the sums on the right.
func (b *bars) GlyphBoxes(*plot.Plot) []plot.GlyphBox {
	left, right := vg.Length(0), vg.Length(0)
	for _, bar := range b.bars {
		left = max(left, words(textSize).Width(bar.label)+8)
		right = max(right, words(textSize).Width(bar.total)+8)
	}
	return []plot.GlyphBox{
		{X: 0, Y: 0.5, Rectangle: vg.Rectangle{Min: vg.Point{X: -left, Y: -1}, Max: vg.Point{Y: 1}}},
		{X: 1, Y: 0.5, Rectangle: vg.Rectangle{Min: vg.Point{Y: -1}, Max: vg.Point{X: right, Y: 1}}},
	}
}

func (b *bars) Plot(c draw.Canvas, plt *plot.Plot) {
	x, y := plt.Transforms(&c)
	const half = 11
	for i, bar := range b.bars {
		mid := y(float64(len(b.bars)-1-i) + 0.5)
		s := words(textSize)
		s.XAlign = draw.XRight
		c.FillText(s, vg.Point{X: x(0) - 6, Y: mid}, bar.label)
		at := 0.0
		for _, p := range bar.parts {
			r := vg.Rectangle{Min: vg.Point{X: x(at), Y: mid - half}, Max: vg.Point{X: x(at + p.value), Y: mid + half}}
			patterns[p.name].draw(draw.Canvas{Canvas: c.Canvas, Rectangle: r})
			at += p.value
		}
		c.FillText(words(textSize), vg.Point{X: x(at) + 5, Y: mid}, bar.total)
	}
}

// draw fills the canvas with the pattern and outlines it.
func (p pattern) draw(c draw.Canvas) {
	if p.fill.A == 0 { // a category that this version does not know
		p.fill = color.NRGBA{0xEE, 0xEE, 0xEE, 0xFF}
	}
	c.FillPolygon(p.fill, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
	lines := draw.LineStyle{Color: color.NRGBA{0x11, 0x11, 0x11, 0xA0}, Width: 0.6}
	const gap = 5
	h := c.Max.Y - c.Min.Y
	for k := c.Min.X - h; k < c.Max.X; k += gap {
		// From (k, bottom) to (k+h, top), cut to the canvas.
		lo, hi := max(k, c.Min.X), min(k+h, c.Max.X)
		if lo >= hi {
			continue
		}
		if p.slant == 1 || p.slant == 2 {
			c.StrokeLine2(lines, lo, c.Min.Y+lo-k, hi, c.Min.Y+hi-k)
		}
		if p.slant == -1 || p.slant == 2 {
			c.StrokeLine2(lines, lo, c.Max.Y-(lo-k), hi, c.Max.Y-(hi-k))
		}
	}
	for k := c.Min.Y + gap/2; p.slant == 3 && k < c.Max.Y; k += gap {
		c.StrokeLine2(lines, c.Min.X, k, c.Max.X, k)
	}
	for k := c.Min.X + gap/2; p.slant == 4 && k < c.Max.X; k += gap {
		c.StrokeLine2(lines, k, c.Min.Y, k, c.Max.Y)
	}
	c.StrokeLines(draw.LineStyle{Color: white, Width: 0.6}, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}, c.Min})
}
