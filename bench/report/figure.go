package report

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"image/color"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"lorabench/internal/file"
)

// figure is a plot with its words: Desc is for those who cannot see it and has its numbers.
type figure struct {
	ID, Title, Caption, Desc string

	*plot.Plot
	key []keyed // below the plot: over it, it would hide lines
}

// keyed is an entry of the key.
type keyed struct {
	text   string
	thumbs []plot.Thumbnailer
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
	return &figure{ID: id, Title: title, Plot: p}
}

func (f *figure) keyed(text string, thumbs ...plot.Thumbnailer) {
	f.key = append(f.key, keyed{text, thumbs})
}

// legends splits the key into as many columns as fit.
func (f *figure) legends() (ls []plot.Legend, height vg.Length) {
	style := plot.NewLegend().TextStyle
	style.Font = sans(textSize)
	widest := vg.Length(1)
	for _, k := range f.key {
		widest = max(widest, style.Width(k.text)+swatchWidth+2*textSize)
	}
	columns := max(1, int(figureWidth/widest))
	rows := (len(f.key) + columns - 1) / columns
	for column := range slices.Chunk(f.key, rows) {
		l := plot.NewLegend()
		l.TextStyle, l.ThumbnailWidth, l.Top, l.Left = style, swatchWidth, true, true
		l.Padding = lineHeight - style.Rectangle("M").Max.Y
		l.XOffs = widest * vg.Length(len(ls))
		for _, k := range column {
			l.Add(k.text, k.thumbs...)
		}
		ls = append(ls, l)
	}
	return ls, lineHeight * vg.Length(rows)
}

func (f *figure) size() (w, h vg.Length) {
	_, key := f.legends()
	return figureWidth, figureHeight + key + 2*margin
}

func (f *figure) draw(canvas vg.CanvasSizer) {
	c := draw.New(canvas)
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	c = draw.Crop(c, margin, -margin, margin, -margin)
	ls, height := f.legends()
	for _, l := range ls {
		l.Draw(draw.Crop(c, 0, 0, 0, height-(c.Max.Y-c.Min.Y)))
	}
	f.Draw(draw.Crop(c, 0, 0, height+margin, 0))
}

// fonts follow the one that the text was measured with, where it is missing.
const fonts = "'Liberation Sans',Arial,Helvetica,sans-serif"

// svgHead matches what gonum writes before the drawing, svgText a text in the font that this package's figures have.
var (
	svgHead = regexp.MustCompile(`(?s)^.*?<svg[^>]*>`)
	svgText = regexp.MustCompile(`<text ([^>]*)font-family:[^;"]*;[^>]*font-size:([0-9.]+)px([^>]*)>([^<]*)</text>`)
)

// sized gives a text the width that it was laid out with: a reader's font may be wider, and would run into what it names.
func sized(text string) string {
	m := svgText.FindStringSubmatch(text)
	size, err := strconv.ParseFloat(m[2], 64)
	if err != nil {
		return text
	}
	style := draw.TextStyle{Font: sans(vg.Length(size)), Handler: plot.DefaultTextHandler}
	return fmt.Sprintf(`<text textLength="%.4g" lengthAdjust="spacingAndGlyphs" %sfont-size:%spx%s>%s</text>`,
		style.Width(html.UnescapeString(m[4])).Points(), m[1], m[2], m[3], m[4])
}

// svg draws the figure with gonum and gives the svg element its words and fonts.
func (f *figure) svg() (string, error) {
	w, h := f.size()
	c := vgsvg.New(w, h)
	f.draw(c)
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return "", fmt.Errorf("figure %s: %w", f.ID, err)
	}
	head := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%[1]gpt" height="%[2]gpt" viewBox="0 0 %[1]g %[2]g" font-family="%[3]s"
 role="img" aria-labelledby="%[4]s-title %[4]s-desc"><title id="%[4]s-title">%[5]s</title><desc id="%[4]s-desc">%[6]s</desc>
`, w, h, fonts, f.ID, html.EscapeString(f.Title), html.EscapeString(f.Desc))
	return svgText.ReplaceAllStringFunc(svgHead.ReplaceAllLiteralString(b.String(), head), sized), nil
}

// Inline returns the figure for the page. HTML knows the svg element without its namespace.
func (f *figure) Inline() (template.HTML, error) {
	s, err := f.svg()
	return template.HTML(strings.Replace(s, ` xmlns="http://www.w3.org/2000/svg"`, "", 1)), err
}

// save writes dir/ID.svg and dir/ID.png, the latter at twice a screen's resolution.
func (f *figure) save(dir string) error {
	s, err := f.svg()
	if err != nil {
		return err
	}
	if err := file.Write(filepath.Join(dir, f.ID+".svg"), []byte(s)); err != nil {
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
