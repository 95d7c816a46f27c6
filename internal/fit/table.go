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
	fmt.Fprintf(&b, `model %s, data %s%s
(of the data only the lengths matter: name your own with -data)

Peaks in GiB over %d steps, on a card large enough for all. PyTorch's own caching allocator decided, over a stand-in for the CUDA
runtime: this is the allocator's share of a card.

`, r.model, r.data, r.settings(), r.steps)
	r.table(&b)
	fmt.Fprintf(&b, "\nLargest rank that trains for %d steps, tried on a stand-in of the card's size; the next one tried runs\n"+
		"out of memory there. (An allocator's memory fragments, so that beyond it one may fit again: it is not relied on.)\n"+
		"Ranks tried: %s.\n\n", r.steps, rankGrid)
	answers(&b, "rank", r.largestRanks)
	if r.maxBatch > 0 {
		fmt.Fprintf(&b, "\nLargest batch (sequences in a micro-batch) of rank %d, tried likewise for %d steps.\n"+
			"Batches tried: %s.\n\n", r.ranks[0], r.batchSteps, batchGrid)
		answers(&b, "batch", r.largestBatches)
	}
	fmt.Fprintf(&b, "\ngraphs: failed where CUDA graphs could not be recorded, on a full card for want of memory: the steps were\n"+
		"launched without them.\n"+
		"Assumed, not measured: the driver's context uses %s, which are subtracted from a card. What modules, CUDA graphs and other\n"+
		"programs use of it besides is not counted. At an earlier commit an H200's peaks were these to the byte; no other card was compared.\n", mib(fakecuda.ContextBytes))
	_, err := w.Write(b.Bytes())
	return err
}

// settings returns the flags that went to bench, as they were given.
func (r result) settings() string {
	if len(r.passed) == 0 {
		return ""
	}
	return ", " + strings.Join(r.passed, " ")
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
			not = append(not, fmt.Sprintf("%s, %s%s: not even %s 1 fits; the card is at most %s too small.",
				gib(a.card), a.dtype, how, what, mib(a.missing)))
			continue
		}
		if !fit {
			line(t, "card", "dtype", "checkpoint", what, "graphs", "allocated", "reserved", "out of memory")
		}
		fit = true
		next := "none tried"
		if a.next > 0 {
			next = fmt.Sprint(a.next)
		}
		line(t, gib(a.card), a.dtype, yes(a.checkpoint), fmt.Sprint(a.largest), a.peak.graphs,
			number(a.peak.allocated), number(a.peak.reserved), next)
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
