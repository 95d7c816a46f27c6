package report

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"lorabench/bench/compare"
	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
	"lorabench/internal/file"
)

// analyzed is what every output is made from.
func analyzed(rs []*record.Record, o compare.Options) (study, error) {
	finite, _, err := record.Finite(rs)
	if err != nil {
		return study{}, err
	}
	arms, err := table.Arms(finite)
	if err != nil {
		return study{}, err
	}
	set, err := compare.FromRecords(rs)
	if err != nil {
		return study{}, err
	}
	a, err := compare.Analyze(set, o)
	if err != nil {
		return study{}, err
	}
	return study{arms, a}, nil
}

// Write writes report.html, summary.md and figures/*.svg and *.png into dir and returns the analysis
// that they show. Each file is whole or as it was before.
func Write(dir string, rs []*record.Record, o compare.Options) (*compare.Analysis, error) {
	s, err := analyzed(rs, o)
	if err != nil {
		return nil, err
	}
	figures := s.figures()
	for _, f := range figures {
		if err := f.save(filepath.Join(dir, "figures")); err != nil {
			return nil, err
		}
	}
	if err := file.Replace(filepath.Join(dir, "summary.md"), s.markdown); err != nil {
		return nil, err
	}
	err = file.Replace(filepath.Join(dir, "report.html"), func(w io.Writer) error { return s.page(w, figures) })
	if err != nil {
		return nil, err
	}
	return s.a, nil
}

// figures are those that the records have the figures for.
func (s study) figures() []*figure {
	var fs []*figure
	for _, f := range []*figure{
		speedFront(s.arms), memoryFront(s.arms),
		lossFigure(s.arms), differenceFigure(s.arms), evalFigure(s.arms), normFigure(s.arms),
		barsFigure(s.arms), predictedFigure(s.arms),
	} {
		if f != nil {
			fs = append(fs, f)
		}
	}
	return fs
}

// WriteVerdict writes the verdict's sentences and the analysis' notes for a terminal that is so many columns wide.
func WriteVerdict(w io.Writer, a *compare.Analysis, width int) error {
	for _, s := range append(a.Verdict.Text[:len(a.Verdict.Text):len(a.Verdict.Text)], a.Notes...) {
		if _, err := fmt.Fprintln(w, wrap(table.Clean(s), width)); err != nil {
			return err
		}
	}
	return nil
}

// wrap breaks a sentence at spaces into lines of at most so many columns, where words let it.
func wrap(s string, width int) string {
	var b strings.Builder
	used := 0
	for i, word := range strings.Fields(s) {
		n := len([]rune(word))
		switch {
		case i == 0:
		case used+1+n > width:
			b.WriteByte('\n')
			used = 0
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += n
	}
	return b.String()
}

// markdown is summary.md.
func (s study) markdown(w io.Writer) error {
	p := &printer{w: w}
	p.line("# %s", format.Escape(s.title()))
	p.line("%s", format.Escape(s.subtitle()))
	p.line("## Verdict")
	for _, t := range s.a.Verdict.Text {
		p.line("%s", format.Escape(table.Clean(t)))
	}
	p.table(standingTable(s.a))
	p.table(costTable(s.a))
	p.line("## Run summary")
	p.table(table.ByArm(s.arms))
	if m := memoryTable(s.arms); m != nil {
		p.line("## Memory")
		p.table(m)
	}
	if points := s.words(); len(points) > 0 {
		p.line("## What LoRA gives and costs here")
		for _, pt := range points {
			p.line("### %s", pt.Head)
			for _, sentence := range pt.Sentences {
				p.line("%s", format.Escape(sentence))
			}
		}
	}
	p.line("## Comparison")
	p.table(metricsTable(s.a))
	for _, n := range s.a.Notes {
		p.line("%s", format.Escape(table.Clean(n)))
	}
	if table.Seeds(s.arms) > 1 {
		p.line("## Every run")
		for i, a := range s.arms {
			p.table(table.BySeed(a, fmt.Sprintf("arm-%d", i+1)))
		}
	}
	p.line("## To repeat it")
	for _, c := range commands(s.arms) {
		p.line("    %s", table.Clean(c))
	}
	t, err := settingsTable(s.arms)
	if err != nil {
		return err
	}
	p.table(t)
	return p.err
}

// printer writes paragraphs and keeps the first error.
type printer struct {
	w   io.Writer
	n   int
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, p.gap()+format+"\n", args...)
	}
}

func (p *printer) table(t *table.Table) {
	if t == nil || p.err != nil {
		return
	}
	if _, p.err = io.WriteString(p.w, p.gap()); p.err == nil {
		p.err = t.WriteMarkdown(p.w)
	}
}

func (p *printer) gap() string {
	if p.n++; p.n > 1 {
		return "\n"
	}
	return ""
}

// title and subtitle say what was run.
func (s study) title() string {
	return "LoRA rank report: " + table.Clean(s.arms[0].Runs[0].Model.Name)
}

func (s study) subtitle() string {
	r := s.arms[0].Runs[0]
	on := r.Machine.GPU
	if on == "" {
		on = r.Machine.CPU
	}
	runs := 0
	for _, a := range s.arms {
		runs += len(a.Runs)
	}
	noun := "runs"
	if runs == 1 {
		noun = "run"
	}
	return table.Clean(fmt.Sprintf("%s on %s, recipe %s, %s steps; %s %s of %s; %s, %s, libtorch %s",
		r.Model.Name, r.Data.Name, r.Settings.Recipe, format.Whole(r.GlobalStep), format.Whole(runs), noun, armCount(len(s.arms)), on,
		r.Settings.DType, r.Machine.Torch))
}

func armCount(n int) string {
	if n == 1 {
		return "one arm"
	}
	return format.Whole(n) + " arms"
}
