package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/format"
)

// report prints the table and what must be known to read it.
func report(w io.Writer, rows []row, notes []string) error {
	if err := table(w, rows); err != nil {
		return err
	}
	for _, n := range append(explain(rows), notes...) {
		if _, err := fmt.Fprintf(w, "\n%s\n", n); err != nil {
			return err
		}
	}
	return nil
}

func table(w io.Writer, rows []row) error {
	t := format.Table{Words: []string{"computes in", "peer"}, Head: []string{"rank", "computes in", "peer", "samples/s", "peer's", "ratio",
		"tokens/s", "peer's", "peak GiB", "peer's", "ratio", "loss diff"}}
	for _, r := range rows {
		difference := format.None
		if r.LossSteps > 0 {
			difference = format.Number(r.LossDifference, 2)
		}
		cells := []string{strconv.Itoa(r.Rank), numbers(r.DType, r.TF32), r.Peer, format.Number(r.Samples, 3), format.Number(r.PeerSamples, 3),
			speedRatio(r), format.Fixed(r.Tokens, 0), format.Fixed(r.PeerTokens, 0),
			gib(r.Memory), gib(r.PeerMemory), fmt.Sprintf("%.2fx", r.MemoryRatio), difference}
		for i := 3; i < 11 && r.Steps == 0; i++ {
			cells[i] = format.None
		}
		t.Rows = append(t.Rows, cells)
	}
	return t.Text(w)
}

func speedRatio(r row) string {
	ratio := fmt.Sprintf("%.2fx", r.SpeedRatio)
	if i := r.SpeedInterval; i != nil {
		ratio += fmt.Sprintf(" (%.2f to %.2f)", i[0], i[1])
	}
	return ratio
}

func gib(bytes int64) string { return format.Fixed(float64(bytes)/(1<<30), 2) }

// explain describes the figures of rows, which are all of one invocation.
func explain(rows []row) []string {
	r := rows[0]
	notes := []string{
		fmt.Sprintf("lorabench against Hugging Face Trainer + PEFT (peer's), a ratio is lorabench's figure over the peer's. Same machine, %s weights,\n"+
			"adapter, sequences and micro-batches; %s recipe: %d x %d records a step, at most %d tokens, lr %g, alpha %g, dropout %g.",
			r.Model, r.Recipe, r.Batch, r.Accum, r.MaxLength, r.LR, r.Alpha, r.Dropout),
	}
	if r.Steps > 0 {
		notes = append(notes, fmt.Sprintf("Speed and peak are of %d steps with dropout on, %s. Before them lorabench warms up and goes back to the start; the peer is given the\n"+
			"first %d of its steps twice and the first time is left out. tokens/s are real ones: of %d, the peer computes %s with padding.",
			r.Steps, map[string]string{"step": "the programs taking one each in turn", "round": "all programs of a rank taking one each in turn",
				"run": "one program after the other"}[r.Turns],
			r.Warmup, r.RealTokens, padded(rows)), memoryNote(r))
		if slices.ContainsFunc(rows, func(r row) bool { return r.SpeedInterval != nil }) {
			notes = append(notes, "In brackets: the ratio with 95 % confidence over steps like these, the seconds of each beside its real tokens.")
		}
	}
	if r.LossSteps > 0 {
		notes = append(notes, fmt.Sprintf("loss diff is the largest difference of a step's loss in %d steps with every dropout off. Both take a step's loss as the mean of its\n"+
			"micro-batches' means; the Trainer left alone would weigh micro-batches by their labels, so that is switched off in it.", r.LossSteps))
	}
	var seen []string
	for _, r := range rows {
		if !slices.Contains(seen, r.Peer) {
			seen = append(seen, r.Peer)
			notes = append(notes, peerNote(rows, r.Peer))
		}
	}
	on := r.On + ", " + r.Machine.CPU + ", " + format.Count(r.Machine.Threads, "thread")
	if r.GPU != "" {
		on = r.GPU + ", driver " + r.Machine.Driver
	}
	v := r.Versions
	return append(notes, fmt.Sprintf("%s. lorabench %s, torch %s. Peer: torch %s, transformers %s, peft %s, accelerate %s, Python %s.",
		on, r.Machine.Commit, r.Machine.Torch, v["torch"], v["transformers"], v["peft"], v["accelerate"], v["python"]))
}

// padded lists the peers' padded tokens, which grouping by length makes fewer.
func padded(rows []row) string {
	var seen []string
	for _, r := range rows {
		if s := fmt.Sprintf("%d (%s)", r.PeerPadded, r.Peer); r.Rank == rows[0].Rank && !slices.Contains(seen, s) {
			seen = append(seen, s)
		}
	}
	return strings.Join(seen, ", ")
}

func memoryNote(r row) string {
	switch r.MemoryKind {
	case "gpu_allocated":
		return "peak GiB is of PyTorch's CUDA allocator during those steps."
	case "rss":
		return "peak GiB is resident memory of the whole process during those steps; the peer's has Python and its packages in it."
	}
	return "peak GiB is the most resident memory of the whole process, loading included: this kernel does not reset the peak."
}

// peerNote explains one peer.
func peerNote(rows []row, peer string) string {
	var r row
	var in, unlike []string
	for _, r = range slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.Peer != peer }) {
		ours, theirs := numbers(r.DType, r.TF32), numbers(r.PeerDType, r.PeerTF32)
		if !slices.Contains(in, theirs) {
			in = append(in, theirs)
		}
		if ours != theirs && !slices.Contains(unlike, ours) {
			unlike = append(unlike, ours)
		}
	}
	note := fmt.Sprintf("%s: %s, %s attention, %s, right padding to the longest of a micro-batch", peer, r.PeerOptim, r.PeerAttention,
		strings.Join(in, " or "))
	if r.PeerGrouped {
		note += "; grouped by length where speed is measured"
	}
	if len(unlike) > 0 {
		note += fmt.Sprintf(". lorabench computes in %s: not like for like", strings.Join(unlike, " or "))
	}
	return note + "."
}

// numbers names what matrix products compute in.
func numbers(dtype string, tf32 bool) string {
	if tf32 {
		return dtype + " with TF32"
	}
	return dtype
}
