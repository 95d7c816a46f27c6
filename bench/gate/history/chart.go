package history

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"

	"lorabench/bench/gate/judge"
)

const (
	plotHeight  = 170.0
	badgeRadius = 6.5
	mostLines   = 8   // of a chart; more are drawn in another
	mostCommits = 250 // drawn: the newest. Changes are looked for in all
)

// chart is a drawing of some series of a trend.
type chart struct {
	ID, Title, Sub string
	trend          *Trend
	series         []*Series
	part, parts    int
	unit           string // as shown
	factor         float64
	first          int // of the commits drawn
	marks          []mark
}

// mark is a change with its number in the drawing.
type mark struct {
	Number int
	Series *Series
	Change *Change
	At     Commit
	Before Commit // the one measured before it: the change is of one of the commits since
}

// charts are a trend's: one, or several where it has many lines.
func charts(t *Trend, id, title, sub string) []*chart {
	var cs []*chart
	n := (len(t.Series) + mostLines - 1) / mostLines
	for part := range n {
		c := &chart{ID: id, Title: title, Sub: sub, trend: t, series: t.Series[part*mostLines : min(len(t.Series), (part+1)*mostLines)], part: part, parts: n}
		if n > 1 {
			c.ID = fmt.Sprintf("%s-%d", id, part+1)
			c.Title = fmt.Sprintf("%s (%d of %d)", title, part+1, n)
		}
		c.first = max(0, len(t.Commits)-mostCommits)
		most := 0.0
		for _, s := range c.series {
			for _, p := range s.Points {
				most = max(most, math.Abs(p.Median))
			}
		}
		c.unit, c.factor = amount(t.Unit, most)
		c.number()
		cs = append(cs, c)
	}
	return cs
}

// number gives the changes of one commit one number, the oldest first.
func (c *chart) number() {
	for _, s := range c.series {
		for i := range s.Changes {
			k := &s.Changes[i]
			m := mark{Series: s, Change: k, At: c.trend.Commits[s.Points[k.At].Commit], Before: c.trend.Commits[s.Points[k.At-1].Commit]}
			m.Number = s.Points[k.At].Commit
			c.marks = append(c.marks, m)
		}
	}
	slices.SortStableFunc(c.marks, func(a, b mark) int { return a.Number - b.Number })
	n, last := 0, -1
	for i, m := range c.marks {
		if m.Number != last {
			n, last = n+1, m.Number
		}
		c.marks[i].Number = n
	}
}

// value is a figure in the unit that is shown.
func (c *chart) value(v float64) string { return significant(v*c.factor, 4) }

// Text is a change in a line.
func (c *chart) Text(m mark) string {
	k := m.Change
	s := short(m.At.Hash)
	if m.Series.Name != "" {
		s += ", " + m.Series.Name
	}
	s += fmt.Sprintf(": %s → %s", c.value(k.Old), c.value(k.New))
	if p := percent(k.Relative); p != dash {
		s += ", " + p
	}
	return s + ", " + call(k)
}

// call is a change in a word.
func call(k *Change) string {
	s := string(k.Call)
	if k.Call == judge.CallShown {
		s = "changed"
	}
	if k.Last {
		s += " (the newest commit alone)"
	}
	return s
}

// Desc is the chart for those who cannot see it.
func (c *chart) Desc() string {
	var b strings.Builder
	t := c.trend
	fmt.Fprintf(&b, "%s over %s.", c.unit, count(len(t.Commits), "commit"))
	for _, s := range c.series {
		ls := s.Levels()
		name := s.Name
		if name == "" {
			name = t.Benchmark
		}
		fmt.Fprintf(&b, " %s is at %s now.", name, c.value(s.Level(ls[len(ls)-1], len(s.Points))))
	}
	for _, m := range c.marks {
		fmt.Fprintf(&b, " %s.", c.Text(m))
	}
	return b.String()
}

// Caption says what is drawn.
func (c *chart) Caption() string {
	t := c.trend
	s := "Neither direction is better."
	if t.Better != "" {
		s = strings.ToUpper(t.Better[:1]) + t.Better[1:] + " is better."
	}
	if t.SameAs != "" {
		s += " The same measurement as " + t.SameAs + "."
	}
	if c.first > 0 {
		s += fmt.Sprintf(" The newest %d of %d commits.", mostCommits, len(t.Commits))
	}
	n := 0
	for _, l := range c.series {
		for _, p := range l.Points {
			if p.Aside {
				n++
			}
		}
	}
	if n == 1 {
		s += " Hollow: one point far beyond its neighbours, which agree, is in no level."
	} else if n > 1 {
		s += fmt.Sprintf(" Hollow: %d points far beyond their neighbours, which agree, are in no level.", n)
	}
	if len(c.marks) == 0 {
		s += " No change found."
	}
	return s
}

// labels are the names at the lines' ends: the series' own where there is room, else numbers, which key explains.
func (c *chart) labels() (at, key []string) {
	fit := true
	for _, s := range c.series {
		fit = fit && len([]rune(s.Name)) <= 16
	}
	for i, s := range c.series {
		name := s.Name
		if !fit {
			n := "#" + fmt.Sprint(c.part*mostLines+i+1)
			key = append(key, n+" "+name)
			name = n
		}
		at = append(at, name)
	}
	return at, key
}

// cut shortens a text that is wider than there is room for.
func cut(s string, size, room float64) string {
	if textWidth(s, size) <= room {
		return s
	}
	r := []rune(s)
	lo, hi := 0, len(r) // the most that fits
	for lo < hi {
		if mid := (lo + hi + 1) / 2; textWidth(string(r[:mid])+"…", size) <= room {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return string(r[:lo]) + "…"
}

// wrap breaks a text at commas and spaces into lines that fit.
func wrap(s string, size, room float64) []string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(s) {
		if line != "" && textWidth(line+" "+w, size) > room {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	if line != "" {
		lines = append(lines, line)
	}
	for i := range lines {
		lines[i] = cut(lines[i], size, room)
	}
	return lines
}

// svg writes the chart as a file of its own, on white, with its title and its changes in words.
func (c *chart) svg(w io.Writer) error {
	k := &canvas{ink: func(s string) string { return s }}
	y := 18.0
	for _, l := range wrap(c.Title, textSize+2, chartWidth-8) {
		k.text(4, y, textSize+2, "start", l, ` font-weight="bold"`)
		y += lineHeight + 3
	}
	for _, l := range wrap(c.Sub, smallSize, chartWidth-8) {
		k.text(4, y-2, smallSize, "start", l, "")
		y += lineHeight - 1
	}
	y = c.draw(k, y)
	for _, m := range c.marks {
		c.badge(k, 4+badgeRadius, y+lineHeight/2, m.Number, []mark{m})
		k.text(4+2*badgeRadius+6, y+lineHeight/2+3.5, smallSize, "start", cut(c.Text(m), smallSize, chartWidth-2*badgeRadius-14), "")
		y += lineHeight + 2
	}
	for _, l := range wrap(c.Caption(), smallSize, chartWidth-8) {
		k.text(4, y+10, smallSize, "start", l, "")
		y += lineHeight - 1
	}
	y += 6
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%gpt" height="%spt" viewBox="0 0 %g %s" font-family="%s">
<title>%s</title>
<desc>%s</desc>
<rect width="100%%" height="100%%" fill="#FFFFFF"/>
%s</svg>
`, chartWidth, num(y), chartWidth, num(y), fonts, escape(c.Title), escape(c.Desc()), k.String())
	return err
}

// Inline is the chart inside the page, in the page's own colours.
func (c *chart) Inline() template.HTML {
	k := &canvas{ink: func(s string) string {
		switch s {
		case black:
			return "currentColor"
		case white:
			return "var(--page)"
		case worseInk:
			return "var(--worse)"
		case betterInk:
			return "var(--better)"
		}
		return fmt.Sprintf("var(--i-%s,%s)", s[1:], s)
	}}
	h := c.draw(k, 0)
	// #nosec: every text in it went through html.EscapeString.
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %g %s" fill="currentColor" role="img" aria-labelledby="%[3]s-t %[3]s-d"><title id="%[3]s-t">%[4]s</title><desc id="%[3]s-d">%[5]s</desc>
%[6]s</svg>`, chartWidth, num(h), c.ID, escape(c.Title), escape(c.Desc()), k.String()))
}
