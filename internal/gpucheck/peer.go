package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// peerRow is what gpucheck reads of an object of the peer program's peer.json.
type peerRow struct {
	Rank           int       `json:"rank"`
	Peer           string    `json:"peer"`
	DType          string    `json:"dtype"`
	TF32           bool      `json:"tf32"`
	Samples        float64   `json:"samples_per_second"`
	PeerSamples    float64   `json:"peer_samples_per_second"`
	Ratio          float64   `json:"samples_per_second_ratio"`
	Interval       []float64 `json:"samples_per_second_ratio_interval"`
	Memory         int64     `json:"peak_memory_bytes"`
	PeerMemory     int64     `json:"peer_peak_memory_bytes"`
	LossDifference float64   `json:"max_step_loss_difference"`
	Seconds        []float64 `json:"step_seconds"`
	PeerSeconds    []float64 `json:"peer_step_seconds"`
	Loss           []float64 `json:"step_loss"`
	PeerLoss       []float64 `json:"peer_step_loss"`
}

// computes names what lorabench computed in, as -dtype of the peer program does.
func (r peerRow) computes() string {
	switch {
	case r.TF32:
		return "tf32"
	case r.DType == "bfloat16":
		return "bf16"
	}
	return r.DType
}

// roundMemory is the memory in GiB of a card on which seven programs are loaded at once: the peer's hold up to 9.4 each, and
// each has a context.
const roundMemory = 64

// peerJobs returns a job for each rank, in which lorabench and the peers take their steps in turn, in every precision: all at once if the
// card has the memory.
func (s *session) peerJobs() ([]job, error) {
	var names []string
	for _, p := range s.precisions() {
		names = append(names, p.name)
	}
	turns := "step"
	if s.memory >= roundMemory {
		turns = "round"
	}
	var jobs []job
	for _, rank := range strings.Split(s.ranks, ",") {
		name := "rank=" + rank
		j := s.peerJob(3, name, rank, strings.Join(names, ","), "stock,tuned", turns, s.steps, 0)
		j.read = s.readPeer(3, name, speedBeside)
		jobs = append(jobs, j)
	}
	return jobs, nil
}

func (s *session) peerJob(stage int, name, rank, dtypes, peers, turns string, steps, lossSteps int) job {
	argv := []string{s.path("bin/peer"), "-model=" + s.config(), "-tokenizer=" + s.tokenizer, "-data=" + s.data, "-recipe=reported",
		"-ranks=" + rank, "-dtype=" + dtypes, "-peers=" + peers, "-steps=" + strconv.Itoa(steps), "-loss-steps=" + strconv.Itoa(lossSteps),
		"-turns=" + turns, "-device=" + s.device, "-bench=" + s.extra, "-out=" + s.folder(stage, name)}
	return job{name: name, skip: s.noPeer, all: true, argv: append(argv, s.length()...)}
}

// config returns the model's config.json: the peer makes weights of its own by hash.
func (s *session) config() string {
	if c, ok := strings.CutPrefix(s.model, "hash:"); ok {
		return c
	}
	return filepath.Join(s.model, "config.json")
}

func (s *session) readPeer(stage int, name string, read func(peerRow) []row) func(string) ([]row, error) {
	return func(string) ([]row, error) {
		b, err := os.ReadFile(filepath.Join(s.folder(stage, name), "peer.json"))
		if err != nil {
			return nil, err
		}
		var found []peerRow
		if err := json.Unmarshal(b, &found); err != nil {
			return nil, err
		}
		var rows []row
		for _, r := range found {
			rows = append(rows, read(r)...)
		}
		return rows, nil
	}
}

// speedBeside compares the speeds, with intervals over steps.
func speedBeside(r peerRow) []row {
	out := row{Name: r.computes() + " beside " + r.Peer}
	ours, theirs := meanOf(r.Seconds), meanOf(r.PeerSeconds)
	out.add("samples/s", r.Samples)
	out.add("peer's", r.PeerSamples)
	times := figure{Column: "times as fast", Value: r.Ratio}
	if len(r.Interval) == 2 {
		times.Low, times.High = &r.Interval[0], &r.Interval[1]
	}
	out.Figures = append(out.Figures, ours.figure("step ms", 1e3), theirs.figure("peer's step ms", 1e3), times)
	out.add("peak GiB", gib(r.Memory))
	out.add("peer's peak", gib(r.PeerMemory))
	out.add("of it", float64(r.Memory)/float64(r.PeerMemory))
	return []row{out}
}
