package report

import (
	"image/color"
	"math"
	"strconv"

	"lorabench/bench/format"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Figures are drawn at one size in points, two beside each other on a screen and one on a phone: on
// both their text stays near the page's own.
const (
	figureWidth  vg.Length = 400
	figureHeight vg.Length = 280
	textSize     vg.Length = 11
	lineHeight   vg.Length = 14
)

// okabe are Okabe and Ito's colours, which stay apart without red or green vision, those that show
// on white first. Dashes and markers say the same again, for print and for no colour vision at all.
var okabe = []color.NRGBA{
	{0x00, 0x72, 0xB2, 0xFF}, {0xD5, 0x5E, 0x00, 0xFF}, {0x00, 0x9E, 0x73, 0xFF},
	{0xCC, 0x79, 0xA7, 0xFF}, {0xE6, 0x9F, 0x00, 0xFF}, {0x56, 0xB4, 0xE9, 0xFF},
}

var dashes = [][]vg.Length{nil, {6, 2.5}, {1.5, 2}, {8, 2, 1.5, 2}, {3, 1.5}}

var shapes = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, diamond{}, draw.CrossGlyph{}, draw.PlusGlyph{}, draw.RingGlyph{}}

// mark is how an arm looks in every figure.
type mark struct {
	color.NRGBA
	line  draw.LineStyle
	glyph draw.GlyphStyle
}

func markOf(i int) mark {
	c := okabe[i%len(okabe)]
	return mark{c,
		draw.LineStyle{Color: c, Width: 1.6, Dashes: dashes[i%len(dashes)]},
		draw.GlyphStyle{Color: c, Radius: 3.2, Shape: shapes[i%len(shapes)]}}
}

// faint is the colour at a part of its strength.
func faint(c color.NRGBA, alpha uint8) color.NRGBA { c.A = alpha; return c }

var (
	black = color.NRGBA{A: 0xFF} // the text's colour: the page replaces it by its own
	white = color.NRGBA{0xFF, 0xFF, 0xFF, 0xFF}
	hair  = draw.LineStyle{Color: faint(black, 0x30), Width: 0.5}
	thin  = draw.LineStyle{Color: faint(black, 0x90), Width: 0.75}
)

// diamond is a filled square on its corner.
type diamond struct{}

func (diamond) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, p vg.Point) {
	r := s.Radius * 1.25
	c.FillPolygon(s.Color, []vg.Point{{X: p.X - r, Y: p.Y}, {X: p.X, Y: p.Y + r}, {X: p.X + r, Y: p.Y}, {X: p.X, Y: p.Y - r}})
}

// words is the text style at a size, without serifs.
func words(size vg.Length) text.Style {
	return text.Style{
		Color:   black,
		Font:    font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size),
		YAlign:  draw.YCenter,
		Handler: plot.DefaultTextHandler,
	}
}

// newPlot has the axes named and a grid in place of frames.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil // the page's own; a file's is white
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font = words(textSize).Font
		a.Label.TextStyle.Color = black
		a.Label.Padding = 4
		a.Tick.Label.Font = words(textSize - 0.5).Font
		a.Tick.Label.Color = black
		a.Tick.LineStyle, a.Tick.Length = thin, 3
		a.LineStyle = thin
		a.Padding = 4
		a.Tick.Marker = ticks{}
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.Add(&plotter.Grid{Vertical: draw.LineStyle{Color: faint(black, 0)}, Horizontal: hair})
	return p
}

// painted draws p. Values that are all but equal get a range around them: gonum's, of 1 to either side,
// is nothing beside 1e30, and everything would be drawn at not-a-number.
func painted(p *plot.Plot) func(draw.Canvas) {
	return func(c draw.Canvas) {
		for _, a := range []*plot.Axis{&p.X, &p.Y} {
			if most := max(math.Abs(a.Min), math.Abs(a.Max)); format.Finite(most) && a.Max-a.Min < 1e-9*most {
				a.Min, a.Max = a.Min-1e-3*most, a.Max+1e-3*most
			}
		}
		p.Draw(c)
	}
}

// ticks are about five round numbers. gonum's own have three, and print numbers that are close to each
// other alike.
type ticks struct{}

func (ticks) Ticks(lo, hi float64) []plot.Tick {
	if !(hi > lo) || !format.Finite(hi-lo) {
		return nil
	}
	raw := (hi - lo) / 5
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if m*step >= raw {
			step *= m
			break
		}
	}
	decimals := 0
	for s := step; decimals < 12 && math.Abs(s-math.Round(s)) > 1e-6*s; decimals++ {
		s *= 10
	}
	var ts []plot.Tick
	for k := math.Ceil(lo/step - 1e-9); k*step <= hi+step*1e-9; k++ {
		ts = append(ts, plot.Tick{Value: k * step, Label: format.Fixed(k*step, decimals)})
	}
	return ts
}

// logTicks are 1, 2 and 5 times powers of ten; where there are many, only the powers.
type logTicks struct{}

func (logTicks) Ticks(lo, hi float64) []plot.Tick {
	if !(lo > 0 && hi > lo) {
		return nil
	}
	ms := []float64{1, 2, 5}
	if hi/lo > 2e3 {
		ms = ms[:1]
	}
	var ts []plot.Tick
	for e := math.Floor(math.Log10(lo)); e <= math.Log10(hi); e++ {
		for _, m := range ms {
			if v := m * math.Pow(10, e); v >= lo && v <= hi {
				ts = append(ts, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 3, 64)})
			}
		}
	}
	return ts
}
