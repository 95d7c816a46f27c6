package history

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// The report's look: package report's sizes in points, and Okabe and Ito's colours, which stay apart without
// red or green vision. Dashes and markers say the same again.
const (
	chartWidth = 400.0
	textSize   = 11.0
	smallSize  = 9.5
	lineHeight = 14.0
)

var okabe = []string{"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"}

var dashes = []string{"", "6 2.5", "1.5 2", "8 2 1.5 2", "3 1.5"}

const (
	black     = "#000000" // the text's colour: the page replaces it by its own
	white     = "#FFFFFF" // the background's
	worseInk  = "#B3261E"
	betterInk = "#1A7F37"
	fonts     = "'Liberation Sans',Arial,Helvetica,sans-serif"
)

// textWidth is in points.
func textWidth(s string, size float64) float64 {
	style := text.Style{Font: font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, vg.Length(size)), Handler: plot.DefaultTextHandler}
	return float64(style.Width(s))
}

// canvas collects SVG elements, y down. A colour goes through ink.
type canvas struct {
	strings.Builder
	ink func(string) string
}

// num prints a coordinate: no more digits than one can see, so that files do not differ between machines.
func num(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	s := strconv.FormatFloat(v, 'f', 2, 64)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}

func (c *canvas) line(x1, y1, x2, y2 float64, color, more string) {
	fmt.Fprintf(c, `<line x1="%s" y1="%s" x2="%s" y2="%s" stroke="%s"%s/>`+"\n", num(x1), num(y1), num(x2), num(y2), c.ink(color), more)
}

// text has the width that it was laid out with: a reader's font may be wider.
func (c *canvas) text(x, y, size float64, anchor, s, more string) {
	if s == "" {
		return
	}
	fmt.Fprintf(c, `<text x="%s" y="%s" font-size="%s" text-anchor="%s" textLength="%s" lengthAdjust="spacingAndGlyphs" fill="%s"%s>%s</text>`+"\n",
		num(x), num(y), num(size), anchor, num(textWidth(s, size)), c.ink(black), more, escape(s))
}

// path draws through points, broken where ys are NaN.
func (c *canvas) path(xs, ys []float64, color, more string) {
	var d strings.Builder
	pen := "M"
	for i := range xs {
		if math.IsNaN(ys[i]) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&d, "%s%s %s", pen, num(xs[i]), num(ys[i]))
		pen = "L"
	}
	if d.Len() > 0 {
		fmt.Fprintf(c, `<path d="%s" fill="none" stroke="%s"%s/>`+"\n", d.String(), c.ink(color), more)
	}
}

// marker is the i-th series' shape, hollow for what is set aside; title is shown under a pointer.
func (c *canvas) marker(i int, x, y, r float64, hollow bool, title string) {
	color := c.ink(okabe[i%len(okabe)])
	paint := fmt.Sprintf(`fill="%s"`, color)
	if hollow {
		paint = fmt.Sprintf(`fill="%s" stroke="%s" stroke-width="1"`, c.ink(white), color)
	}
	tip := ""
	if title != "" {
		tip = "<title>" + escape(title) + "</title>"
	}
	poly := func(ps ...float64) {
		var b strings.Builder
		for k := 0; k < len(ps); k += 2 {
			fmt.Fprintf(&b, "%s,%s ", num(x+r*ps[k]), num(y+r*ps[k+1]))
		}
		fmt.Fprintf(c, `<polygon points="%s" %s>%s</polygon>`+"\n", strings.TrimSpace(b.String()), paint, tip)
	}
	switch i % 5 {
	case 0:
		fmt.Fprintf(c, `<circle cx="%s" cy="%s" r="%s" %s>%s</circle>`+"\n", num(x), num(y), num(r), paint, tip)
	case 1:
		poly(-0.9, -0.9, 0.9, -0.9, 0.9, 0.9, -0.9, 0.9)
	case 2:
		poly(0, -1.15, 1.05, 0.8, -1.05, 0.8)
	case 3:
		poly(0, -1.3, 1.3, 0, 0, 1.3, -1.3, 0)
	default:
		poly(0, 1.15, 1.05, -0.8, -1.05, -0.8)
	}
}

func dash2(i int) string {
	if d := dashes[i%len(dashes)]; d != "" {
		return ` stroke-dasharray="` + d + `"`
	}
	return ""
}

// escape makes any text fit for XML, which has no place for most control characters, escaped or not.
func escape(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xFFFE || r == 0xFFFF {
			return 0xFFFD
		}
		return r // strings.Map makes U+FFFD of bytes that are no UTF-8
	}, s))
}
