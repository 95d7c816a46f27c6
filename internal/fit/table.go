package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"lorabench/internal/fakecuda"
)

// print writes the tables and what must be known to read them.
func (r result) print(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, `%s
sequences: %s, of which only the lengths matter%s
card: %s

Peaks in GiB over %d steps, on a card large enough for all. PyTorch's own caching allocator decided, over a stand-in for the CUDA
runtime: this is the allocator's share of a card.

`, r.model, r.data, r.settings(), gib(r.gpu), r.steps)
	r.table(&b)
	fmt.Fprintf(&b, "\nLargest rank that trains on %s for %d steps, tried at that size; the next one runs out of memory there. Ranks tried are 1,\n"+
		"multiples of %d up to %d, and of %d above.\n\n", gib(r.gpu), r.steps, fineStep, fineUntil, coarseStep)
	answers(&b, "rank", r.ranks)
	fmt.Fprintf(&b, "\nLargest batch (sequences in a micro-batch) of rank %d, tried likewise for %d steps.\n\n", r.options.ranks[0], r.batchTrialSteps)
	answers(&b, "batch", r.batches)
	fmt.Fprintf(&b, "\ngraphs: where CUDA graphs failed for want of memory, the steps were launched without them.\n"+
		"Assumed, not measured: the driver's context uses %s, which leaves %s to the allocator. What CUDA graphs, modules and other\n"+
		"programs use of the card besides is not counted. None of this has been compared with a real card yet.\n",
		mib(fakecuda.ContextBytes), gib(r.gpu-fakecuda.ContextBytes))
	_, err := w.Write(b.Bytes())
	return err
}

// settings are the flags that went to bench as they were given.
func (r result) settings() string {
	if len(r.passed) == 0 {
		return ""
	}
	return "; " + strings.Join(r.passed, " ")
}

func (r result) table(w io.Writer) {
	t := newTable(w)
	line(t, "dtype", "checkpoint", "graphs", "rank", "allocated", "reserved")
	for _, row := range r.rows {
		for _, p := range row.peaks {
			line(t, row.dtype, yes(row.checkpoint), p.graphs, fmt.Sprint(p.rank), number(p.allocated), number(p.reserved))
		}
	}
	_ = t.Flush() // into memory
}

// answers writes a table of those that fit, and a sentence for each that does not.
func answers(w io.Writer, what string, all []answer) {
	t, fit := newTable(w), false
	var not []string
	for _, a := range all {
		if a.largest == 0 {
			how := ""
			if a.checkpoint {
				how = " with -checkpoint"
			}
			not = append(not, fmt.Sprintf("%s%s: not even %s 1 fits; the card is at most %s too small.", a.dtype, how, what, mib(a.missing)))
			continue
		}
		if !fit {
			line(t, "dtype", "checkpoint", what, "graphs", "allocated", "reserved", "out of memory")
		}
		fit = true
		next := "none tried"
		if a.next > 0 {
			next = fmt.Sprint(a.next)
		}
		line(t, a.dtype, yes(a.checkpoint), fmt.Sprint(a.largest), a.peak.graphs, number(a.peak.allocated), number(a.peak.reserved), next)
	}
	_ = t.Flush() // into memory
	for _, s := range not {
		fmt.Fprintln(w, s)
	}
}

func newTable(w io.Writer) *tabwriter.Writer {
	return tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
}

func line(w io.Writer, cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")+"\t") }

func yes(on bool) string {
	if on {
		return "yes"
	}
	return "no"
}

func number(bytes int64) string { return fmt.Sprintf("%.2f", float64(bytes)/(1<<30)) }

func gib(bytes int64) string { return number(bytes) + " GiB" }

func mib(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }
