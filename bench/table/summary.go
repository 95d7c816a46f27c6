package table

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"lorabench/bench/compare"
	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/results"
)

// line is a figure of the run summary.
type line struct {
	label string
	shown Shown
	value func(*record.Record) float64 // NaN is missing
}

// gib4 keeps four digits: a small model is all behind the point.
func gib4(v float64) string { return format.Number(v/record.GiB, 4) }

// summary are the run summary's lines, a label without a figure being a heading: the reference run's, all of them, under its names,
// and then what it did not report.
var summary = []line{
	{label: "Memory"},
	{"GPU memory, initial (GiB)", gib4, func(r *record.Record) float64 { return Number(r.InitialMemory.GPUAllocated) }},
	{"GPU memory, final: peak (GiB)", gib4, func(r *record.Record) float64 { return Number(r.PeakMemory.GPUAllocated) }},
	{"GPU memory, reserved: peak (GiB)", gib4, func(r *record.Record) float64 { return Number(r.PeakMemory.GPUReserved) }},
	{"CPU memory, initial (GiB)", gib4, func(r *record.Record) float64 { return Number(r.InitialMemory.RSS) }},
	{"CPU memory, final: peak (GiB)", gib4, func(r *record.Record) float64 { return Number(r.PeakMemory.RSS) }},

	{label: "Training"},
	{"total_flos", Digits(4), func(r *record.Record) float64 { return Positive(r.TotalFLOPs) }},
	{"epoch", Digits(5), func(r *record.Record) float64 { return r.Epoch }},
	{"global_step", Fixed(0), func(r *record.Record) float64 { return float64(r.GlobalStep) }},
	{"grad_norm", Digits(4), func(r *record.Record) float64 { return r.GradNorm }},
	{"learning_rate", Digits(4), func(r *record.Record) float64 { return r.LearningRate }},
	{"loss", Fixed(4), func(r *record.Record) float64 { return r.Loss }},
	{"train_loss", Fixed(4), func(r *record.Record) float64 { return r.TrainLoss }},
	{"eval_loss", Fixed(4), EvalLoss},
	{"eval_loss before training", Fixed(4), func(r *record.Record) float64 { return Number(r.Data.EvalLossBase) }},
	{"forget_loss", Fixed(4), func(r *record.Record) float64 { return Number(r.ForgetLoss) }},
	{"forget_loss before training", Fixed(4), func(r *record.Record) float64 { return Number(r.Data.ForgetLossBase) }},

	{label: "Speed"},
	{"runtime (s)", Digits(4), func(r *record.Record) float64 { return r.Runtime }},
	{"samples per second", Digits(4), func(r *record.Record) float64 { return r.SamplesPerSecond }},
	{"steps per second", Digits(4), func(r *record.Record) float64 { return r.StepsPerSecond }},
	{"real tokens per second", Digits(4), func(r *record.Record) float64 { return r.TokensPerSecond }},
	{"processed tokens per second", Digits(4), func(r *record.Record) float64 { return r.ProcessedPerSecond }},
	{"seconds to the target loss", Digits(4), func(r *record.Record) float64 { return Number(r.SecondsToTarget) }},

	{label: "Adapter"},
	{"trainable parameters", Fixed(0), func(r *record.Record) float64 { return float64(r.Trainable) }},
	{"share of the model's parameters (%)", Digits(3),
		func(r *record.Record) float64 {
			return 100 * float64(r.Trainable) / Positive(float64(r.Model.Parameters))
		}},
	{"adapter on disk (MiB)", Digits(4), func(r *record.Record) float64 { return Positive(float64(r.AdapterBytes)) / (1 << 20) }},
	{"lora_alpha", format.All, func(r *record.Record) float64 { return onlyAdapter(r, r.Settings.Alpha) }},
	{"scaling of BA", Digits(4), func(r *record.Record) float64 { return onlyAdapter(r, r.Scaling) }},
}

func onlyAdapter(r *record.Record, v float64) float64 {
	if r.Rank == record.Full {
		return math.NaN()
	}
	return v
}

// why says why a record has no such figure.
func (l line) why(r *record.Record) string {
	is := func(part string) bool { return strings.HasPrefix(l.label, part) }
	switch {
	case is("GPU memory") && strings.HasPrefix(r.Machine.Device, "cuda"):
		return "the GPU's allocator gave no figure"
	case is("GPU memory"):
		return "no GPU: trained on " + Clean(r.Machine.Device)
	case is("CPU memory"):
		return "the system did not let the process reset its own peak"
	case is("total_flos"):
		return "not counted"
	case is("eval_loss") && r.Data.Held == 0:
		return "no records were held out"
	case is("eval_loss"):
		return "the held-out loss was not computed"
	case is("forget_loss"):
		return "without -forget, or not computed"
	case is("seconds to"):
		return "held-out loss " + format.All(r.Settings.TargetLoss) + " was not reached"
	case is("share"):
		return "the model's parameters were not counted"
	case is("adapter on disk"):
		return "not saved"
	case (is("lora_alpha") || is("scaling")) && r.Rank == record.Full:
		return "rank full has no adapter"
	}
	return "not a finite number"
}

// asked says whether a line is in the table at all: sec-to-loss is a figure only with a target, forget_loss only with such text.
func (l line) asked(arms []*Arm) bool {
	return slices.ContainsFunc(arms, func(a *Arm) bool {
		s := a.Runs[0].Settings
		return (s.TargetLoss > 0 || !strings.HasPrefix(l.label, "seconds to")) && (s.Forget != "" || !strings.HasPrefix(l.label, "forget_loss"))
	})
}

// cell is the figure over runs: their median, and the range where they differ.
func (l line) cell(t *Table, runs []*record.Record) Cell {
	s := spread(runs, l.value)
	c := Cell{Text: l.shown(s.Median)}
	if lo, hi := l.shown(s.Min), l.shown(s.Max); lo != hi {
		c.Range = lo + "–" + hi
	}
	if i := slices.IndexFunc(runs, func(r *record.Record) bool { return !format.Finite(l.value(r)) }); i >= 0 && s.N == 0 {
		c.Note = t.Note(l.why(runs[i]))
	} else if i >= 0 {
		c.Note = t.Note(fmt.Sprintf("of %d of %d seeds; of the others: %s", s.N, len(runs), l.why(runs[i])))
	}
	return c
}

// ByArm is the summary with a column for each arm: over seeds where there are several.
func ByArm(arms []*Arm) *Table {
	t := &Table{ID: "summary", Caption: "Run summary: one run for each arm."}
	if n := Seeds(arms); n > 1 {
		t.Caption = fmt.Sprintf("Run summary: the median over %d seeds (smallest–largest).", n)
	}
	return t.fill(arms)
}

// BySeed are an arm's own runs, a column for each.
func BySeed(a *Arm, id string) *Table {
	var runs []*Arm
	for i, r := range a.Runs {
		runs = append(runs, &Arm{Name: fmt.Sprintf("seed %d", r.Seed), Runs: a.Runs[i : i+1]})
	}
	return (&Table{ID: id, Caption: a.Name + ", each run"}).fill(runs)
}

// fill adds the summary's lines, a column for each arm.
func (t *Table) fill(arms []*Arm) *Table {
	t.Head = []Column{{Name: "figure"}}
	for _, a := range arms {
		t.Head = append(t.Head, Column{Name: a.Name})
	}
	for _, l := range summary {
		if l.value == nil {
			t.Rows = append(t.Rows, Row{Group: l.label})
		} else if l.asked(arms) {
			var cells []Cell
			for _, a := range arms {
				cells = append(cells, l.cell(t, a.Runs))
			}
			t.Add(l.label, cells...)
		}
	}
	return t
}

// Width is how many columns a terminal has, where nothing else is said.
const Width = 120

// WriteSummary writes the run summary for a terminal that is so many columns wide, and whether the machine was steady.
func WriteSummary(w io.Writer, rs []*record.Record, width int) error {
	finite, left, err := record.Finite(rs)
	if err != nil {
		return err
	}
	arms, err := Arms(finite)
	if err != nil {
		return err
	}
	t := ByArm(arms)
	if left != "" {
		t.Remarks = append(t.Remarks, Clean(left))
	}
	// What is wrong with the comparison is told where the verdict is asked for.
	if a, err := compare.Analyze(results.FromRecords(finite), compare.Options{}); err == nil && a.Unsteady != "" {
		t.Remarks = append(t.Remarks, Clean(a.Unsteady))
	}
	if _, err := fmt.Fprintln(w, t.Caption); err != nil {
		return err
	}
	return t.writeText(w, width)
}
