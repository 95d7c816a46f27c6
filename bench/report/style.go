package report

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lorabench/bench/format"
)

// Figures have one size in points: two side by side on a screen, one on a phone, their text near the page's in size.
const (
	figureWidth  vg.Length = 400
	figureHeight vg.Length = 290
	textSize     vg.Length = 11
	lineHeight   vg.Length = 15
	swatchWidth  vg.Length = 26
	margin       vg.Length = 6
)

func sans(size vg.Length) font.Font {
	return font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size)
}

// okabe are Okabe and Ito's colours, which differ without red or green vision. Dashes and shapes, which have other
// periods, tell arms apart in print and without any colour.
var (
	okabe = []color.NRGBA{{0x00, 0x72, 0xB2, 0xFF}, {0xD5, 0x5E, 0x00, 0xFF}, {0x00, 0x9E, 0x73, 0xFF},
		{0xCC, 0x79, 0xA7, 0xFF}, {0xE6, 0x9F, 0x00, 0xFF}, {0x56, 0xB4, 0xE9, 0xFF}}
	dashes = [][]vg.Length{nil, {6, 2.5}, {1.5, 2}, {8, 2, 1.5, 2}, {3, 1.5}}
	shapes = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.CrossGlyph{}, draw.PlusGlyph{},
		draw.SquareGlyph{}, draw.TriangleGlyph{}}

	hair = draw.LineStyle{Color: color.NRGBA{A: 0x30}, Width: 0.5}
	thin = draw.LineStyle{Color: color.NRGBA{A: 0x90}, Width: 0.75}
)

// faint returns arm i's colour at a part of its strength.
func faint(i int, alpha uint8) color.NRGBA {
	c := okabe[i%len(okabe)]
	c.A = alpha
	return c
}

func lineOf(i int) draw.LineStyle {
	return draw.LineStyle{Color: faint(i, 0xFF), Width: 1.6, Dashes: dashes[i%len(dashes)]}
}

func glyphOf(i int) draw.GlyphStyle {
	return draw.GlyphStyle{Color: faint(i, 0xFF), Radius: 3.2, Shape: shapes[i%len(shapes)]}
}

// ticks puts about five round numbers on an axis. gonum's own has three, and prints numbers near each other alike.
type ticks struct{}

func (ticks) Ticks(lo, hi float64) (ts []plot.Tick) {
	if !(hi > lo) || !format.Finite(hi-lo) {
		return nil
	}
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/5)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if m*step >= (hi-lo)/5 {
			step *= m
			break
		}
	}
	decimals := 0
	for s := step; decimals < 12 && math.Abs(s-math.Round(s)) > 1e-6*s; decimals++ {
		s *= 10
	}
	for k := math.Ceil(lo/step - 1e-9); k*step <= hi+step*1e-9; k++ {
		ts = append(ts, plot.Tick{Value: k * step, Label: format.Fixed(k*step, decimals)})
	}
	return ts
}

// widen gives values that are all but equal a range around them: gonum's, of 1 to either side, is nothing beside 1e30,
// and everything would be drawn at not-a-number.
func widen(p *plot.Plot) {
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		if most := max(math.Abs(a.Min), math.Abs(a.Max)); format.Finite(most) && a.Max-a.Min < 1e-9*most {
			a.Min, a.Max = a.Min-1e-3*most, a.Max+1e-3*most
		}
	}
}
