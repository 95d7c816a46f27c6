package table

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/record"
)

// line is a figure of the run summary: how it is read from a record and why it may be missing.
type line struct {
	group, label string
	figure       Shown
	value        func(*record.Record) float64 // NaN is missing
	why          func(*record.Record) string
}

// gib4 keeps four digits: a small model is all behind the point.
func gib4(v float64) string { return format.Number(v/record.GiB, 4) }

// summary are the run summary's lines: the reference run's, all of them, under its names, and then
// what it did not report.
var summary = []line{
	{"Memory", "GPU memory, initial (GiB)", gib4, func(r *record.Record) float64 { return Number(r.InitialMemory.GPUAllocated) }, noGPU},
	{"", "GPU memory, final: peak (GiB)", gib4, func(r *record.Record) float64 { return Number(r.PeakMemory.GPUAllocated) }, noGPU},
	{"", "GPU memory, reserved: peak (GiB)", gib4, func(r *record.Record) float64 { return Number(r.PeakMemory.GPUReserved) }, noGPU},
	{"", "CPU memory, initial (GiB)", gib4, func(r *record.Record) float64 { return Number(r.InitialMemory.RSS) }, noRSS},
	{"", "CPU memory, final: peak (GiB)", gib4, func(r *record.Record) float64 { return Number(r.PeakMemory.RSS) }, noRSS},

	{"Training", "total_flos", Digits(4), func(r *record.Record) float64 { return Positive(r.TotalFLOPs) }, because("not counted")},
	{"", "epoch", Digits(5), func(r *record.Record) float64 { return r.Epoch }, notFinite},
	{"", "global_step", Fixed(0), func(r *record.Record) float64 { return float64(r.GlobalStep) }, notFinite},
	{"", "grad_norm", Digits(4), func(r *record.Record) float64 { return r.GradNorm }, notFinite},
	{"", "learning_rate", Digits(4), func(r *record.Record) float64 { return r.LearningRate }, notFinite},
	{"", "loss", Fixed(4), func(r *record.Record) float64 { return r.Loss }, notFinite},
	{"", "train_loss", Fixed(4), func(r *record.Record) float64 { return r.TrainLoss }, notFinite},
	{"", "eval_loss", Fixed(4), EvalLoss, noEval},
	{"", "eval_loss before training", Fixed(4), func(r *record.Record) float64 { return Number(r.Data.EvalLossBase) }, noEval},
	{"", forgetLoss, Fixed(4), func(r *record.Record) float64 { return Number(r.ForgetLoss) }, noForget},
	{"", forgetLoss + " before training", Fixed(4), func(r *record.Record) float64 { return Number(r.Data.ForgetLossBase) }, noForget},

	{"Speed", "runtime (s)", Digits(4), func(r *record.Record) float64 { return r.Runtime }, notFinite},
	{"", "samples per second", Digits(4), func(r *record.Record) float64 { return r.SamplesPerSecond }, notFinite},
	{"", "steps per second", Digits(4), func(r *record.Record) float64 { return r.StepsPerSecond }, notFinite},
	{"", "real tokens per second", Digits(4), func(r *record.Record) float64 { return r.TokensPerSecond }, notFinite},
	{"", "processed tokens per second", Digits(4), func(r *record.Record) float64 { return r.ProcessedPerSecond }, notFinite},
	{"", "seconds to the target loss", Digits(4), func(r *record.Record) float64 { return Number(r.SecondsToTarget) }, notReached},

	{"Adapter", "trainable parameters", Fixed(0), func(r *record.Record) float64 { return float64(r.Trainable) }, notFinite},
	{"", "share of the model's parameters (%)", Digits(3), trainedShare, because("the model's parameters were not counted")},
	{"", "adapter on disk (MiB)", Digits(4), func(r *record.Record) float64 { return Positive(float64(r.AdapterBytes)) / (1 << 20) }, because("not saved")},
	{"", "lora_alpha", format.All, func(r *record.Record) float64 { return onlyAdapter(r, r.Settings.Alpha) }, noAdapter},
	{"", "scaling of BA", Digits(4), func(r *record.Record) float64 { return onlyAdapter(r, r.Scaling) }, noAdapter},
}

func because(why string) func(*record.Record) string {
	return func(*record.Record) string { return why }
}

var notFinite = because("not a finite number")

func noGPU(r *record.Record) string {
	if strings.HasPrefix(r.Machine.Device, "cuda") {
		return "the GPU's allocator gave no figure"
	}
	return "no GPU: trained on " + Clean(r.Machine.Device)
}

func noRSS(*record.Record) string {
	return "the system did not let the process reset its own peak"
}

func noEval(r *record.Record) string {
	if r.Data.Held == 0 {
		return "no records were held out"
	}
	return "the held-out loss was not computed"
}

// forgetLoss is the loss on text that is not of the task.
const forgetLoss = "forget_loss"

var noForget = because("without -forget, or not computed")

func notReached(r *record.Record) string {
	return "held-out loss " + format.All(r.Settings.TargetLoss) + " was not reached"
}

func noAdapter(*record.Record) string { return "rank full has no adapter" }

func onlyAdapter(r *record.Record, v float64) float64 {
	if r.Rank == record.Full {
		return Number[float64](nil)
	}
	return v
}

func trainedShare(r *record.Record) float64 {
	return 100 * float64(r.Trainable) / Positive(float64(r.Model.Parameters))
}

// Positive is v, and NaN where it is 0: a figure that cannot be 0 was then not taken.
func Positive(v float64) float64 {
	if v > 0 {
		return v
	}
	return Number[float64](nil)
}

// shown says whether a line is in the table at all: sec-to-loss is a figure only with a target, forget_loss only with such text.
func (l line) shown(arms []*Arm) bool {
	asked := func(record.Settings) bool { return true }
	switch {
	case l.label == "seconds to the target loss":
		asked = func(s record.Settings) bool { return s.TargetLoss > 0 }
	case strings.HasPrefix(l.label, forgetLoss):
		asked = func(s record.Settings) bool { return s.Forget != "" }
	}
	return slices.ContainsFunc(arms, func(a *Arm) bool { return asked(a.Runs[0].Settings) })
}

// cell is the figure over runs: their median, and the range where they differ.
func (l line) cell(t *Table, runs []*record.Record) Cell {
	var vs []float64
	why := ""
	for _, r := range runs {
		v := l.value(r)
		if vs = append(vs, v); !format.Finite(v) {
			why = l.why(r)
		}
	}
	s := SpreadOf(vs)
	c := Cell{Text: l.figure(s.Median)}
	if lo, hi := l.figure(s.Min), l.figure(s.Max); lo != hi {
		c.Range = lo + "–" + hi
	}
	switch {
	case why == "":
	case s.N == 0:
		c.Note = t.Note(why)
	default:
		c.Note = t.Note(fmt.Sprintf("of %d of %d seeds; of the others: %s", s.N, len(runs), why))
	}
	return c
}

// ByArm is the summary with a column for each arm: over seeds where there are several.
func ByArm(arms []*Arm) *Table {
	t := &Table{ID: "summary", Caption: "Run summary: one run for each arm.", Head: []Column{{Name: "figure"}}}
	if n := Seeds(arms); n > 1 {
		t.Caption = fmt.Sprintf("Run summary: the median over %d seeds (smallest–largest).", n)
	}
	for _, a := range arms {
		t.Head = append(t.Head, Column{Name: a.Name})
	}
	fill(t, arms, func(l line) (cells []Cell) {
		for _, a := range arms {
			cells = append(cells, l.cell(t, a.Runs))
		}
		return cells
	})
	return t
}

// BySeed are an arm's own runs, a column for each.
func BySeed(a *Arm, id string) *Table {
	t := &Table{ID: id, Caption: a.Name + ", each run", Head: []Column{{Name: "figure"}}}
	for _, r := range a.Runs {
		t.Head = append(t.Head, Column{Name: fmt.Sprintf("seed %d", r.Seed)})
	}
	fill(t, []*Arm{a}, func(l line) (cells []Cell) {
		for _, r := range a.Runs {
			cells = append(cells, l.cell(t, []*record.Record{r}))
		}
		return cells
	})
	return t
}

func fill(t *Table, arms []*Arm, cells func(line) []Cell) {
	for _, l := range summary {
		if l.group != "" {
			t.Rows = append(t.Rows, Row{Group: l.group})
		}
		if l.shown(arms) {
			t.Add(l.label, cells(l)...)
		}
	}
}

// Width is how many columns a terminal has, where nothing else is said.
const Width = 120

// WriteSummary writes the run summary for a terminal that is so many columns wide.
func WriteSummary(w io.Writer, rs []*record.Record, width int) error {
	rs, left, err := record.Finite(rs)
	if err != nil {
		return err
	}
	arms, err := Arms(rs)
	if err != nil {
		return err
	}
	t := ByArm(arms)
	if left != "" {
		t.Remarks = append(t.Remarks, Clean(left))
	}
	if _, err := fmt.Fprintln(w, t.Caption); err != nil {
		return err
	}
	return t.writeText(w, width)
}
