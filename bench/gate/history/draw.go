package history

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lorabench/bench/gate/judge"
)

// frame is where a chart's values are drawn.
type frame struct {
	left, right, top, bottom float64
	axis                     axis
	first, n                 int
}

// x is the middle of a commit's place: commits stand at even distances, however long it was from one to
// the next.
func (f frame) x(commit float64) float64 {
	return f.left + (commit-float64(f.first)+0.5)/float64(f.n)*(f.right-f.left)
}

func (f frame) y(v float64) float64 { return f.bottom - f.axis.at(v)*(f.bottom-f.top) }

// draw draws the chart from y downwards and returns where it ends.
func (c *chart) draw(k *canvas, y float64) float64 {
	labels, key := c.labels()
	f := c.frame(y, labels)
	shown := c.unit
	if c.trend.Better != "" {
		shown += " (" + c.trend.Better + " is better)"
	}
	k.text(4, y+11, textSize, "start", shown, "")
	for _, t := range f.axis.ticks() {
		at := f.y(t.v)
		k.line(f.left, at, f.right, at, black, ` stroke-opacity="0.19" stroke-width="0.5"`)
		k.text(f.left-6, at+3.5, smallSize+1, "end", t.label, "")
	}
	k.line(f.left, f.bottom, f.right, f.bottom, black, ` stroke-opacity="0.56" stroke-width="0.75"`)
	c.commits(k, f)
	c.changes(k, f)
	for i, s := range c.series {
		c.runs(k, f, i, s)
	}
	for i, s := range c.series {
		c.line(k, f, i, s)
	}
	c.names(k, f, labels)
	y = f.bottom + 2*lineHeight + 6
	for i, l := range key {
		k.line(4, y+lineHeight/2, 24, y+lineHeight/2, okabe[i%len(okabe)], ` stroke-width="1.6"`+dash2(i))
		k.marker(i, 14, y+lineHeight/2, 3, false, "")
		k.text(30, y+lineHeight/2+3.5, smallSize, "start", cut(l, smallSize, chartWidth-34), "")
		y += lineHeight
	}
	return y + 2
}

func (c *chart) frame(y float64, labels []string) frame {
	f := frame{top: y + 38, bottom: y + 38 + plotHeight, first: c.first, n: max(1, len(c.trend.Commits)-c.first)}
	var vs []float64
	for _, s := range c.series {
		for _, p := range s.Points {
			if p.Commit >= c.first {
				vs = append(vs, p.Min*c.factor, p.Max*c.factor)
			}
		}
	}
	if len(vs) == 0 {
		vs = []float64{0, 1}
	}
	f.axis = newAxis(vs)
	for _, t := range f.axis.ticks() {
		f.left = max(f.left, textWidth(t.label, smallSize+1))
	}
	f.left += 12
	room := 0.0
	for _, l := range labels {
		room = max(room, textWidth(l, textSize))
	}
	f.right = chartWidth - 6
	if room > 0 {
		f.right -= room + 14
	}
	return f
}

// commits names some commits below the axis, the first and the newest among them, with their days.
func (c *chart) commits(k *canvas, f frame) {
	all := c.trend.Commits
	width := 0.0
	for _, m := range all[c.first:] {
		width = max(width, textWidth(short(m.Hash), smallSize), textWidth(day(m.Time), smallSize))
	}
	n := min(f.n, max(1, int((f.right-f.left)/(width+10))))
	for i := range n {
		at := len(all) - 1
		if n > 1 {
			at = c.first + int(math.Round(float64(i)*float64(f.n-1)/float64(n-1)))
		}
		x := f.x(float64(at))
		k.line(x, f.bottom, x, f.bottom+3, black, ` stroke-opacity="0.56" stroke-width="0.75"`)
		for row, s := range []string{cut(short(all[at].Hash), smallSize, 80), day(all[at].Time)} {
			half := textWidth(s, smallSize) / 2
			k.text(min(max(x, 2+half), chartWidth-2-half), f.bottom+13+float64(row)*(lineHeight-2), smallSize, "middle", s, "")
		}
	}
}

// changes draws a line between the commits where a level ends and the next begins, with a number on top.
func (c *chart) changes(k *canvas, f frame) {
	last, raised := math.Inf(-1), false
	for i := 0; i < len(c.marks); {
		j := i
		for j < len(c.marks) && c.marks[j].Number == c.marks[i].Number {
			j++
		}
		m := c.marks[i]
		at := m.Series.Points[m.Change.At].Commit
		if at > c.first {
			x := f.x(float64(at) - 0.5)
			raised = x-last < 2*badgeRadius+1 && !raised
			y := f.top - badgeRadius - 4
			if raised {
				y -= 2*badgeRadius + 1
			}
			k.line(x, y+badgeRadius, x, f.bottom, c.ink(c.marks[i:j]), ` stroke-width="0.9" stroke-dasharray="3 2"`)
			c.badge(k, x, y, m.Number, c.marks[i:j])
			last = x
		}
		i = j
	}
}

// ink is red where any of the changes is for the worse, green where all are for the better.
func (c *chart) ink(ms []mark) string {
	is := func(call judge.Call) func(mark) bool { return func(m mark) bool { return m.Change.Call == call } }
	switch {
	case slices.ContainsFunc(ms, is(judge.CallWorse)):
		return worseInk
	case slices.ContainsFunc(ms, is(judge.CallBetter)):
		return betterInk
	}
	return black
}

// badge is a number in a disc, filled where something got worse, so that it does not take colours to see it.
func (c *chart) badge(k *canvas, x, y float64, n int, ms []mark) {
	ink := c.ink(ms)
	fill, text := white, ink
	if ink == worseInk {
		fill, text = ink, white
	}
	var words []string
	for _, m := range ms {
		words = append(words, c.Text(m))
	}
	fmt.Fprintf(k, `<g><title>%s</title><circle cx="%s" cy="%s" r="%s" fill="%s" stroke="%s" stroke-width="1.1"/>`, escape(strings.Join(words, "\n")), num(x), num(y), num(badgeRadius), k.ink(fill), k.ink(ink))
	fmt.Fprintf(k, `<text x="%s" y="%s" font-size="8.5" font-weight="bold" text-anchor="middle" fill="%s">%d</text></g>`+"\n", num(x), num(y+3), k.ink(text), n)
}

// runs draws the range of each commit's runs and its median, joined by a thin line.
func (c *chart) runs(k *canvas, f frame, i int, s *Series) {
	color := okabe[i%len(okabe)]
	room := (f.right - f.left) / float64(f.n)
	radius := min(2.8, max(1.1, room/2.6))
	var xs, ys []float64
	for _, p := range s.Points {
		if p.Commit < c.first {
			continue
		}
		x := f.x(float64(p.Commit))
		if p.Max > p.Min {
			k.line(x, f.y(p.Min*c.factor), x, f.y(p.Max*c.factor), color, ` stroke-width="`+num(min(1.4, room/2))+`" stroke-opacity="0.45"`)
		}
		xs, ys = append(xs, x), append(ys, f.y(p.Median*c.factor))
	}
	k.path(xs, ys, color, ` stroke-width="0.8" stroke-opacity="0.4"`)
	for _, p := range s.Points {
		if p.Commit >= c.first {
			k.marker(i, f.x(float64(p.Commit)), f.y(p.Median*c.factor), radius, p.Aside, c.tip(s, p))
		}
	}
}

// tip is a point in words.
func (c *chart) tip(s *Series, p Point) string {
	m := c.trend.Commits[p.Commit]
	t := fmt.Sprintf("%s, %s\n", short(m.Hash), day(m.Time))
	if s.Name != "" {
		t += s.Name + ": "
	}
	t += c.value(p.Median) + " " + c.unit
	if n := len(p.Values); n > 1 {
		t += fmt.Sprintf(" (median of %d, %s to %s)", n, c.value(p.Min), c.value(p.Max))
	}
	return t
}

// line draws the levels.
func (c *chart) line(k *canvas, f frame, i int, s *Series) {
	levels := append(s.Levels(), len(s.Points))
	for j, from := range levels[:len(levels)-1] {
		to := levels[j+1]
		a, b := s.Points[from].Commit, s.Points[to-1].Commit
		if b < c.first {
			continue
		}
		y := f.y(s.Level(from, to) * c.factor)
		half := 0.45
		k.line(f.x(max(float64(a)-half, float64(c.first)-half)), y, f.x(float64(b)+half), y, okabe[i%len(okabe)], ` stroke-width="1.7"`+dash2(i))
	}
}

// names stand to the right of the lines' ends, moved apart where they would overlap.
func (c *chart) names(k *canvas, f frame, labels []string) {
	var at []float64
	for _, s := range c.series {
		ls := s.Levels()
		at = append(at, min(max(f.y(s.Level(ls[len(ls)-1], len(s.Points))*c.factor), f.top), f.bottom))
	}
	for i, y := range apart(at, lineHeight-1, f.top-4, f.bottom) {
		if labels[i] == "" {
			continue
		}
		k.path([]float64{f.right, f.right + 6, f.right + 9}, []float64{at[i], y, y}, black, ` stroke-opacity="0.56" stroke-width="0.75"`)
		k.text(f.right+12, y+4, textSize, "start", labels[i], "")
	}
}

// apart moves places that are closer to each other than gap, as little as need be, within lo and hi.
func apart(at []float64, gap, lo, hi float64) []float64 {
	order := make([]int, len(at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if at[a] < at[b] {
			return -1
		} else if at[a] > at[b] {
			return 1
		}
		return 0
	})
	to := slices.Clone(at)
	for k, i := range order {
		if k > 0 {
			to[i] = max(to[i], to[order[k-1]]+gap)
		}
		to[i] = max(to[i], lo)
	}
	limit := hi
	for k := len(order) - 1; k >= 0; k-- {
		to[order[k]] = min(to[order[k]], limit)
		limit = to[order[k]] - gap
	}
	return to
}
