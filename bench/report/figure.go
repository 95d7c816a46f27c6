package report

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"lorabench/internal/file"
)

// figure is a drawing with its words: Title above it, Caption below it, Desc for those who cannot see
// it, with its numbers.
type figure struct {
	ID, Title, Caption, Desc string

	height vg.Length // of the drawing; figureHeight where 0
	paint  func(draw.Canvas)
	key    []keyed // below the drawing
}

// keyed is an entry of a key: a drawing of a few points and its meaning.
type keyed struct {
	Text   string
	swatch func(c draw.Canvas)
}

const swatchWidth vg.Length = 24

// layout is the key's entries in lines that fit.
func (f *figure) layout() [][]keyed {
	var lines [][]keyed
	used := vg.Length(0)
	for _, k := range f.key {
		w := keyWidth(k)
		if len(lines) == 0 || used+w > figureWidth {
			lines = append(lines, nil)
			used = 0
		}
		used += w
		lines[len(lines)-1] = append(lines[len(lines)-1], k)
	}
	return lines
}

func keyWidth(k keyed) vg.Length { return swatchWidth + 4 + words(textSize).Width(k.Text) + 14 }

// size is that of the whole: with title where there is one.
func (f *figure) size(title bool) (w, h vg.Length) {
	h = f.height
	if h == 0 {
		h = figureHeight
	}
	h += lineHeight * vg.Length(len(f.layout()))
	if title {
		h += 2 * lineHeight
	}
	return figureWidth, h
}

func (f *figure) draw(c draw.Canvas, title bool) {
	if title {
		c.FillText(words(textSize+2), vg.Point{X: c.Min.X + 4, Y: c.Max.Y - lineHeight}, f.Title)
		c = draw.Crop(c, 0, 0, 0, -2*lineHeight)
	}
	lines := f.layout()
	for i, l := range lines {
		y := c.Min.Y + lineHeight*(vg.Length(len(lines)-1-i)+0.5)
		x := c.Min.X + 4
		for _, k := range l {
			k.swatch(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
				Min: vg.Point{X: x, Y: y - 4}, Max: vg.Point{X: x + swatchWidth, Y: y + 4}}})
			c.FillText(words(textSize), vg.Point{X: x + swatchWidth + 4, Y: y}, k.Text)
			x += keyWidth(k)
		}
	}
	f.paint(draw.Crop(c, 2, -2, lineHeight*vg.Length(len(lines))+2, -2))
}

// body is the drawing as SVG elements, without the svg element itself.
func (f *figure) body(title bool) (string, error) {
	w, h := f.size(title)
	c := vgsvg.New(w, h)
	f.draw(draw.New(c), title)
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return "", fmt.Errorf("figure %s: %w", f.ID, err)
	}
	_, s, ok := strings.Cut(b.String(), "<svg")
	_, s, more := strings.Cut(s, ">")
	if !ok || !more {
		return "", fmt.Errorf("figure %s: gonum wrote no svg element", f.ID)
	}
	return sized(strings.TrimSuffix(strings.TrimSpace(s), "</svg>")), nil
}

// fonts follow the one that the text was measured with, for where it is missing: same widths.
const fonts = "'Liberation Sans',Arial,Helvetica,sans-serif"

var (
	fontStyle = regexp.MustCompile(`font-family:[^;"]*;font-variant:[^;"]*;font-weight:[^;"]*;font-style:[^;"]*;?`)
	ink       = regexp.MustCompile(`\b(fill|stroke):#([0-9A-F]{6})`)
)

// svgText is a text as gonum writes it.
var svgText = regexp.MustCompile(`<text ([^>]*)font-size:([0-9.]+)px([^>]*)>([^<]*)</text>`)

// sized gives each text the width that it was laid out with: a reader's font may be wider, and a
// name would then run into what it names.
func sized(svg string) string {
	return svgText.ReplaceAllStringFunc(svg, func(s string) string {
		m := svgText.FindStringSubmatch(s)
		size, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return s
		}
		w := words(vg.Length(size)).Width(html.UnescapeString(m[4]))
		return fmt.Sprintf(`<text textLength="%.4g" lengthAdjust="spacingAndGlyphs" %sfont-size:%spx%s>%s</text>`, float64(w), m[1], m[2], m[3], m[4])
	})
}

// svg is the figure as a file of its own, on white.
func (f *figure) svg(w io.Writer) error {
	b, err := f.body(true)
	if err != nil {
		return err
	}
	x, y := f.size(true)
	_, err = fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%gpt" height="%gpt" viewBox="0 0 %g %g" font-family="%s">
<title>%s</title>
<desc>%s</desc>
<rect width="100%%" height="100%%" fill="#FFFFFF"/>
%s</svg>
`, x, y, x, y, fonts, html.EscapeString(f.Title), html.EscapeString(f.Desc), fontStyle.ReplaceAllString(b, ""))
	return err
}

// png is the figure at twice a screen's resolution, on white.
func (f *figure) png(w io.Writer) error {
	x, y := f.size(true)
	c := vgimg.NewWith(vgimg.UseWH(x, y), vgimg.UseDPI(144))
	f.draw(draw.New(c), true)
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
	return err
}

// Inline is the figure inside the page, in the page's own colours: black becomes the text's colour,
// white the background's, and the others variables, which the dark page makes lighter.
func (f *figure) Inline() (template.HTML, error) {
	b, err := f.body(false)
	if err != nil {
		return "", err
	}
	b = ink.ReplaceAllStringFunc(fontStyle.ReplaceAllString(b, ""), func(s string) string {
		m := ink.FindStringSubmatch(s)
		switch m[2] {
		case "000000":
			return m[1] + ":currentColor"
		case "FFFFFF":
			return m[1] + ":var(--page)"
		}
		return fmt.Sprintf("%s:var(--i-%s,#%s)", m[1], m[2], m[2])
	})
	x, y := f.size(false)
	// #nosec: the parts that are not gonum's are escaped by it or here.
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %g %g" fill="currentColor" role="img" aria-labelledby="%[3]s-t %[3]s-d"><title id="%[3]s-t">%[4]s</title><desc id="%[3]s-d">%[5]s</desc>
%[6]s</svg>`, x, y, f.ID, html.EscapeString(f.Title), html.EscapeString(f.Desc), b)), nil
}

// save writes dir/ID.svg and dir/ID.png.
func (f *figure) save(dir string) error {
	for ext, write := range map[string]func(io.Writer) error{".svg": f.svg, ".png": f.png} {
		if err := file.Replace(filepath.Join(dir, f.ID+ext), write); err != nil {
			return err
		}
	}
	return nil
}
