package table

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"

	"lorabench/bench/compare"
	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/results"
)

// line is a row of the run summary.
type line struct {
	label string
	shown func(float64) string         // a dash where it is not finite
	value func(*record.Record) float64 // NaN is missing
	why   string                       // it may be missing; "" where it is not a finite number
}

// Why figures may be missing.
const (
	noGPU     = "no GPU, or its allocator gave no figure"
	noRSS     = "the system did not let the process reset its own peak"
	noEval    = "no records were held out, or the held-out loss was not computed"
	noForget  = "without -forget, or not computed"
	noTarget  = "the target held-out loss was not reached"
	noAdapter = "rank full has no adapter"
	noCount   = "not counted"
)

// gib4 formats GiB with four digits: a small model's are all behind the point.
func gib4(v float64) string { return format.Number(v/record.GiB, 4) }

// summary lists the run summary's rows (headings have no figure): the reference run's, all of them, under its names, then the others.
var summary = []line{
	{label: "Memory"},
	{"GPU memory, initial (GiB)", gib4, func(r *record.Record) float64 { return Number(r.InitialMemory.GPUAllocated) }, noGPU},
	{"GPU memory, final: peak (GiB)", gib4, func(r *record.Record) float64 { return Number(r.PeakMemory.GPUAllocated) }, noGPU},
	{"GPU memory, reserved: peak (GiB)", gib4, func(r *record.Record) float64 { return Number(r.PeakMemory.GPUReserved) }, noGPU},
	{"CPU memory, initial (GiB)", gib4, func(r *record.Record) float64 { return Number(r.InitialMemory.RSS) }, noRSS},
	{"CPU memory, final: peak (GiB)", gib4, func(r *record.Record) float64 { return Number(r.PeakMemory.RSS) }, noRSS},

	{label: "Training"},
	{"total_flos", digits(4), func(r *record.Record) float64 { return positive(r.TotalFLOPs) }, noCount},
	{"epoch", digits(5), func(r *record.Record) float64 { return r.Epoch }, ""},
	{"global_step", fixed(0), func(r *record.Record) float64 { return float64(r.GlobalStep) }, ""},
	{"grad_norm", digits(4), func(r *record.Record) float64 { return r.GradNorm }, ""},
	{"learning_rate", digits(4), func(r *record.Record) float64 { return r.LearningRate }, ""},
	{"loss", fixed(4), func(r *record.Record) float64 { return r.Loss }, ""},
	{"train_loss", fixed(4), func(r *record.Record) float64 { return r.TrainLoss }, ""},
	{"eval_loss", fixed(4), EvalLoss, noEval},
	{"eval_loss before training", fixed(4), func(r *record.Record) float64 { return Number(r.Data.EvalLossBase) }, noEval},
	{"forget_loss", fixed(4), func(r *record.Record) float64 { return Number(r.ForgetLoss) }, noForget},
	{"forget_loss before training", fixed(4), func(r *record.Record) float64 { return Number(r.Data.ForgetLossBase) }, noForget},

	{label: "Speed"},
	{"runtime (s)", digits(4), func(r *record.Record) float64 { return r.Runtime }, ""},
	{"samples per second", digits(4), func(r *record.Record) float64 { return r.SamplesPerSecond }, ""},
	{"steps per second", digits(4), func(r *record.Record) float64 { return r.StepsPerSecond }, ""},
	{"real tokens per second", digits(4), func(r *record.Record) float64 { return r.TokensPerSecond }, ""},
	{"processed tokens per second", digits(4), func(r *record.Record) float64 { return r.ProcessedPerSecond }, ""},
	{"seconds to the target loss", digits(4), func(r *record.Record) float64 { return Number(r.SecondsToTarget) }, noTarget},

	{label: "Adapter"},
	{"trainable parameters", fixed(0), func(r *record.Record) float64 { return float64(r.Trainable) }, ""},
	{"share of the model's parameters (%)", digits(3),
		func(r *record.Record) float64 {
			return 100 * float64(r.Trainable) / positive(float64(r.Model.Parameters))
		}, noCount},
	{"adapter on disk (MiB)", digits(4), func(r *record.Record) float64 { return positive(float64(r.AdapterBytes)) / (1 << 20) }, "not saved"},
	{"lora_alpha", format.All, func(r *record.Record) float64 { return onlyAdapter(r, r.Settings.Alpha) }, noAdapter},
	{"scaling of BA", digits(4), func(r *record.Record) float64 { return onlyAdapter(r, r.Scaling) }, noAdapter},
}

func onlyAdapter(r *record.Record, v float64) float64 {
	if r.Rank == record.Full {
		return math.NaN()
	}
	return v
}

// cell returns the figure of an arm: its runs' median, and the range if they differ.
func (l line) cell(t *format.Table, a *Arm) string {
	s := a.Over(l.value)
	text := l.shown(s.Median)
	if lo, hi := l.shown(s.Min), l.shown(s.Max); lo != hi {
		text += " (" + lo + "–" + hi + ")"
	}
	why := cmp.Or(l.why, "not a finite number")
	if slices.ContainsFunc(a.Runs, func(r *record.Record) bool { return r.Resumed > 0 }) {
		why += ", or the run was resumed"
	}
	if s.N == 0 {
		text += t.Note(why)
	} else if s.N < len(a.Runs) {
		text += t.Note(fmt.Sprintf("of %d of %d seeds; of the others: %s", s.N, len(a.Runs), why))
	}
	return text
}

// ByArm returns the summary with a column for each arm: medians if there are several seeds.
func ByArm(arms []*Arm) *format.Table {
	caption := "Run summary: one run for each arm."
	if n := Seeds(arms); n > 1 {
		caption = fmt.Sprintf("Run summary: the median over %d seeds (smallest–largest).", n)
	}
	t := summarize("summary", caption, arms)
	for _, a := range arms {
		for _, r := range a.Runs {
			if r.Resumed > 0 {
				t.Remarks = append(t.Remarks, fmt.Sprintf("%s, seed %d was resumed after step %d: its time and memory are not compared.",
					a.Name, r.Seed, r.Resumed))
			}
		}
	}
	return t
}

// BySeed returns the summary of one arm with a column for each run.
func BySeed(a *Arm, id string) *format.Table {
	var runs []*Arm
	for i, r := range a.Runs {
		runs = append(runs, &Arm{Name: fmt.Sprintf("seed %d", r.Seed), Runs: a.Runs[i : i+1]})
	}
	return summarize(id, a.Name+", each run", runs)
}

// summarize returns the summary with a column for each arm: sec-to-loss only with a target, forget_loss only with such text.
func summarize(id, caption string, arms []*Arm) *format.Table {
	t := &format.Table{ID: id, Caption: caption, Head: []string{"figure"}}
	for _, a := range arms {
		t.Head = append(t.Head, a.Name)
	}
	asked := arms[0].Runs[0].Settings
	for _, l := range summary {
		if l.why == noTarget && asked.TargetLoss == 0 || l.why == noForget && asked.Forget == "" {
			continue
		}
		row := []string{l.label}
		for _, a := range arms {
			if l.value != nil {
				row = append(row, l.cell(t, a))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// Width is the number of a terminal's columns if none is given.
const Width = 120

// WriteSummary writes the run summary for a terminal of width columns, and says if the machine was unsteady.
func WriteSummary(w io.Writer, rs []*record.Record, width int) error {
	arms, left, err := Arms(rs)
	if err != nil {
		return err
	}
	t := ByArm(arms)
	if left != "" {
		t.Remarks = append(t.Remarks, left)
	}
	// Errors of the comparison are reported with the verdict, where that is asked for.
	if a, err := compare.Analyze(results.FromRecords(rs), compare.Options{}); err == nil && a.Unsteady != "" {
		t.Remarks = append(t.Remarks, a.Unsteady)
	}
	return t.Fold(w, width)
}
