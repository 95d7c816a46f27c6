package report

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"lorabench/bench/format"
	"lorabench/internal/file"
)

// figure is a plot with its texts: Desc describes it in numbers for those who cannot see it.
type figure struct {
	ID, Title, Caption, Desc string

	*plot.Plot
	key plot.Legend // below the plot: over it, it would hide lines
}

func newFigure(id, title, x, y string) *figure {
	p := plot.New()
	p.BackgroundColor = nil // the whole drawing's is white
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font = sans(textSize + 2)
	p.Title.Padding = 8
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font, a.Tick.Label.Font = sans(textSize), sans(textSize-0.5)
		a.Tick.LineStyle, a.LineStyle = thin, thin
		a.Tick.Marker = ticks{}
	}
	p.Add(&plotter.Grid{Vertical: hair, Horizontal: hair})
	key := plot.NewLegend()
	key.TextStyle.Font = sans(textSize)
	key.ThumbnailWidth, key.Padding, key.Top, key.Left = swatchWidth, lineHeight-textSize, true, true
	return &figure{ID: id, Title: title, Plot: p, key: key}
}

func (f *figure) keyHeight() vg.Length {
	return margin + vg.Length(math.Ceil(float64(f.key.Rectangle(draw.Canvas{}).Size().Y)))
}

func (f *figure) size() (w, h vg.Length) { return figureWidth, figureHeight + f.keyHeight() + 2*margin }

func (f *figure) draw(canvas vg.CanvasSizer) {
	c := draw.New(canvas)
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	c = draw.Crop(c, margin, -margin, margin, -margin)
	f.key.Draw(draw.Crop(c, 0, 0, 0, f.keyHeight()-(c.Max.Y-c.Min.Y)))
	f.Draw(draw.Crop(c, 0, 0, f.keyHeight(), 0))
}

// fonts are the one that the text was measured with, and others for where it is missing.
const fonts = "'Liberation Sans',Arial,Helvetica,sans-serif"

// svgHead matches what gonum writes before the drawing, svgText a text in the font that this package's figures have.
var (
	svgHead = regexp.MustCompile(`(?s)^.*?<svg[^>]*>`)
	svgText = regexp.MustCompile(`<text ([^>]*)font-family:[^;"]*;[^>]*font-size:([0-9.]+)px([^>]*)>([^<]*)</text>`)
)

// sized gives a text the width that it was laid out with: a reader's font may be wider, and would overlap what it names.
func sized(text string) string {
	m := svgText.FindStringSubmatch(text)
	size, _ := strconv.ParseFloat(m[2], 64) // gonum wrote it
	style := draw.TextStyle{Font: sans(vg.Length(size)), Handler: plot.DefaultTextHandler}
	return fmt.Sprintf(`<text textLength="%.4g" lengthAdjust="spacingAndGlyphs" %sfont-size:%spx%s>%s</text>`,
		style.Width(html.UnescapeString(m[4])).Points(), m[1], m[2], m[3], m[4])
}

// svg draws the figure with gonum and adds texts and fonts to the svg element.
func (f *figure) svg() string {
	w, h := f.size()
	c := vgsvg.New(w, h)
	f.draw(c)
	var b bytes.Buffer
	_, _ = c.WriteTo(&b) // a buffer takes everything
	head := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%[1]gpt" height="%[2]gpt" viewBox="0 0 %[1]g %[2]g" font-family="%[3]s"
 role="img" aria-labelledby="%[4]s-title %[4]s-desc"><title id="%[4]s-title">%[5]s</title><desc id="%[4]s-desc">%[6]s</desc>
`, w, h, fonts, f.ID, html.EscapeString(f.Title), html.EscapeString(f.Desc))
	return format.Clean(svgText.ReplaceAllStringFunc(svgHead.ReplaceAllLiteralString(b.String(), head), sized))
}

// Inline returns the figure for the page. HTML knows the svg element without its namespace.
func (f *figure) Inline() template.HTML {
	return template.HTML(strings.Replace(f.svg(), ` xmlns="http://www.w3.org/2000/svg"`, "", 1))
}

// save writes dir/ID.svg and dir/ID.png, the latter at twice a screen's resolution.
func (f *figure) save(dir string) error {
	if err := file.Write(filepath.Join(dir, f.ID+".svg"), []byte(f.svg())); err != nil {
		return err
	}
	return file.Replace(filepath.Join(dir, f.ID+".png"), func(w io.Writer) error {
		x, y := f.size()
		c := vgimg.NewWith(vgimg.UseWH(x, y), vgimg.UseDPI(144))
		f.draw(c)
		_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
		return err
	})
}

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

// faint returns arm i's colour with an opacity.
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
	_, decimals, _ := strings.Cut(strings.TrimRight(fmt.Sprintf("%.12f", step), "0"), ".")
	for k := math.Ceil(lo/step - 1e-9); k*step <= hi+step*1e-9; k++ {
		ts = append(ts, plot.Tick{Value: k * step, Label: format.Fixed(k*step, len(decimals))})
	}
	return ts
}

// widen gives nearly equal values a range around them: gonum's, 1 to either side, vanishes beside 1e30, and all would be drawn at NaN.
func widen(p *plot.Plot) {
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		if most := max(math.Abs(a.Min), math.Abs(a.Max)); format.Finite(most) && a.Max-a.Min < 1e-9*most {
			a.Min, a.Max = a.Min-1e-3*most, a.Max+1e-3*most
		}
	}
}
