package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"lorabench/bench/record"
	"lorabench/internal/fakecuda"
	"lorabench/internal/file"
	"lorabench/internal/process"
)

// standInFile is what -stand-in writes. No program that reads results knows it.
const standInFile = "standin.json"

// standInMemory is what -stand-in writes: memory and counts, since nothing else from a stand-in means anything.
type standInMemory struct {
	Device   string            `json:"device"`
	Command  string            `json:"command"`
	Steps    int               `json:"steps"`
	Versions map[string]string `json:"versions"` // of the peer
	Ranks    []standInRow      `json:"ranks"`
}

// standInRow has one rank's training by one program, a process of its own.
type standInRow struct {
	Rank    int         `json:"rank"`
	Program string      `json:"program"` // stock, tuned or lorabench
	DType   string      `json:"dtype"`
	Initial record.Peak `json:"memory_initial"`
	Peak    record.Peak `json:"memory_peak"` // since the first step began

	// A step's work, as a mean over the steps; the peer's has the process's preparations in it.
	Kernels  float64 `json:"kernels_per_step"` // graphs' not counted
	Products float64 `json:"products_per_step"`
	Graphs   float64 `json:"graph_launches_per_step"`
	TFLOP    float64 `json:"product_tflop_per_step"`
	Waits    float64 `json:"waits_per_step"`
	Pageable float64 `json:"pageable_copies_per_step"`

	// Of lorabench alone.
	Outside      int64             `json:"cuda_graphs_bytes_outside_allocator,omitempty"`
	Recorded     int               `json:"cuda_graphs,omitempty"`
	GraphsFailed string            `json:"cuda_graphs_failed,omitempty"`
	Categories   []record.Category `json:"memory,omitempty"`
}

func (r *standInRow) count(did fakecuda.Counters, steps int) {
	n := float64(steps)
	r.Kernels, r.Products = float64(did.Kernels().Direct)/n, float64(did.Products().Direct)/n
	r.Graphs, r.Waits = float64(did.GraphLaunches())/n, float64(did.Waits())/n
	r.TFLOP, r.Pageable = float64(did.FLOPs().Done())/n/1e12, float64(did.PageableCopies().Direct)/n
}

func (r *standInRow) check() error {
	if r.Peak.GPUAllocated == nil || r.Peak.GPUReserved == nil {
		return fmt.Errorf("rank %d, %s: no peak of the CUDA allocator", r.Rank, r.Program)
	}
	return nil
}

// standIn trains each rank with lorabench and with the peers on a stand-in card and compares memory alone.
func (c *comparison) standIn(ctx context.Context, stdout io.Writer) error {
	libs, err := fakecuda.Dir()
	if err != nil {
		return err
	}
	p := phase{name: "memory", steps: c.steps}
	c.card = fakecuda.Card{Counters: filepath.Join(c.dir, "counters")}.Env(libs)
	if err := c.inputs(ctx, &p); err != nil {
		return err
	}
	m := standInMemory{Device: "stand-in: memory only", Command: c.command(), Steps: c.steps, Versions: c.versions}
	pairs := c.pairs()
	for _, x := range c.precisions {
		if len(c.peers) == 0 {
			pairs = append(pairs, pair{ours: training{nil, x}, theirs: training{nil, x}})
		}
	}
	for _, rank := range c.ranks {
		for _, q := range trainings(pairs) {
			run := c.standInOurs
			if q.kind != nil {
				run = c.standInPeer
			}
			r, err := run(ctx, rank, q, p)
			if err != nil {
				return err
			}
			m.Ranks = append(m.Ranks, r)
		}
	}
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	if err := file.Write(filepath.Join(c.out, standInFile), append(b, '\n')); err != nil {
		return err
	}
	return m.print(stdout)
}

// askTorch prints the folder of torch, without importing it.
const askTorch = `
import importlib.util, os
print(os.path.dirname(importlib.util.find_spec("torch").origin), end="")
`

// suitsPeer fails if the peer's torch, which may be another than lorabench's libtorch, looks for what the stand-in does not have.
func suitsPeer(ctx context.Context, python, logs string) error {
	libs, err := fakecuda.Dir()
	if err != nil {
		return err
	}
	log := filepath.Join(logs, "torch.log")
	if _, err := (process.Command{What: python, Argv: []string{python, "-c", askTorch}, Dir: logs, Log: log}).Run(ctx); err != nil {
		return err
	}
	torch, err := os.ReadFile(log)
	if err == nil {
		err = fakecuda.Suits(libs, string(torch))
	}
	if err != nil {
		return fmt.Errorf("the peer's torch, of %s: %w: or set %s to a python whose torch is the build of lorabench's libtorch", python, err,
			pythonVariable)
	}
	return nil
}

func (c *comparison) standInPeer(ctx context.Context, rank int, q training, p phase) (standInRow, error) {
	r := standInRow{Rank: rank, Program: q.kind.name, DType: numbers(q.torch, q.tf32)}
	got, err := c.runPeer(ctx, rank, q, p, nil)
	if err != nil {
		return r, err
	}
	did, err := c.counted(rank, r.Program)
	if err != nil {
		return r, err
	}
	r.Initial, r.Peak = got.result.Initial, got.result.Peak
	r.count(did, p.steps)
	return r, r.check()
}

func (c *comparison) standInOurs(ctx context.Context, rank int, q training, p phase) (standInRow, error) {
	r := standInRow{Rank: rank, Program: "lorabench", DType: numbers(q.torch, q.tf32)}
	report := filepath.Join(c.dir, fmt.Sprintf("r%d-%s-report", rank, q.precision.name))
	card := c.card
	c.card = append(card[:len(card):len(card)], fakecuda.ReportVariable+"="+report)
	_, err := c.startOurs(ctx, rank, q, p, nil)
	if c.card = card; err != nil {
		return r, err
	}
	if _, err := c.counted(rank, r.Program); err != nil {
		return r, err
	}
	runs, err := fakecuda.ReadRuns(report)
	if err != nil {
		return r, err
	}
	if len(runs) != 1 {
		return r, fmt.Errorf("rank %d: lorabench reported %d runs, want 1", rank, len(runs))
	}
	rec := runs[0].Record
	r.Initial, r.Peak, r.Categories = rec.InitialMemory, rec.PeakMemory, rec.Memory
	r.Outside, r.Recorded, r.GraphsFailed = rec.GraphsBytes, rec.Graphs, rec.GraphsFailed
	r.count(runs[0].Steps, p.steps)
	return r, r.check()
}

// counted reads what the last program did to the card. After a refused call its memory is not that of the same training.
func (c *comparison) counted(rank int, program string) (fakecuda.Counters, error) {
	did, err := fakecuda.ReadCounters(filepath.Join(c.dir, "counters"))
	if err != nil {
		return nil, fmt.Errorf("rank %d, %s: %w", rank, program, err)
	}
	if refused := did.Errors(); len(refused) > 0 {
		return nil, fmt.Errorf("rank %d, %s: the stand-in refused calls: %s", rank, program, strings.Join(refused, "; "))
	}
	return did, nil
}

// print prints GiB, with the running maximum that a process that never resets its peak would print.
func (m standInMemory) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(cells ...string) { fmt.Fprintln(t, strings.Join(cells, "\t")+"\t") }
	line("rank", "program", "dtype", "initial GiB", "allocated", "reserved", "never reset", "kernels/step", "products", "graphs")
	most := map[string]int64{}
	count := func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
	for _, r := range m.Ranks {
		initial := ""
		if r.Initial.GPUAllocated != nil {
			initial = gib(*r.Initial.GPUAllocated)
		}
		most[r.Program] = max(most[r.Program], *r.Peak.GPUAllocated)
		line(strconv.Itoa(r.Rank), r.Program, r.DType, initial, gib(*r.Peak.GPUAllocated), gib(*r.Peak.GPUReserved),
			gib(most[r.Program]), count(r.Kernels), count(r.Products), count(r.Graphs))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nMemory of PyTorch's CUDA allocator in %d steps on a stand-in card, which computes nothing: no speed and no loss from it\n"+
		"is a result. Each rank and program is a process of its own. never reset is what one process with all ranks in this order\n"+
		"would print that never resets the peak, as the reference run did.\n", m.Steps)
	return err
}
