package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lorabench/bench/record"
	"lorabench/bench/stats"
	"lorabench/internal/shard"
)

// plan is what is asked of the cluster for each task.
type plan struct {
	time   time.Duration
	memory int // MiB; 0 is the cluster's default
	gpu    bool
	notes  []string // why
}

// A task may take half as long again as was measured, since nodes and steps differ, and some minutes to load the model. Where nothing says
// how long a run takes besides its steps, it is preparing.
const (
	more      = 1.5
	loading   = 5 * time.Minute
	preparing = time.Minute
)

// plan predicts the longest task from records of the same arms, where there are some.
func (o options) plan() (p plan, err error) {
	if err := shard.Refuse(o.out, shard.Part{N: o.parts}); err != nil { // here, and not when the tasks have waited in the queue
		return p, err
	}
	p.time, p.memory = o.time, o.memory
	if o.measured == "" {
		return p, nil
	}
	for _, name := range []string{"eval-every", "target-loss"} {
		if value, given := o.value(name); given && value != "0" && o.time == 0 {
			return p, fmt.Errorf("-%s=%s: held-out losses between steps take time that a few measured steps do not show: give -time", name, value)
		}
	}
	rs, err := record.ReadDir(o.measured)
	if err != nil {
		return p, fmt.Errorf("-measured: %w", err)
	}
	ranks, _ := o.value("ranks")
	for _, rank := range strings.FieldsFunc(ranks, func(r rune) bool { return r == ',' || r == ' ' }) {
		if o.time == 0 && !slices.ContainsFunc(rs, func(r *record.Record) bool { return r.Rank == rank && r.Resumed == 0 }) {
			return p, fmt.Errorf("-measured %s: no run of rank %s, which -ranks has: measure every arm, or give -time", o.measured, rank)
		}
	}
	names, costs := o.costs(rs)
	if len(names) == 0 {
		return p, fmt.Errorf("-measured %s: no record of a run in one piece", o.measured)
	}
	peak, held := int64(0), int64(0)
	for _, r := range rs {
		if rss := r.PeakMemory.RSS; rss != nil {
			peak = max(peak, *rss)
		}
		if gpu := r.PeakMemory.GPUReserved; gpu != nil {
			held = max(held, *gpu)
		}
		p.gpu = p.gpu || r.Machine.GPU != ""
	}
	longest := 0.0
	for _, part := range shard.Deal(o.count, costs, o.parts) {
		load := 0.0
		for _, c := range part {
			load += costs[c.Arm]
		}
		longest = max(longest, load)
	}
	took := time.Duration(longest * float64(time.Second)).Round(time.Second)
	p.notes = append(p.notes, fmt.Sprintf("%d arms (%s), %d seeds, %d steps: the longest of %d tasks takes %v at the speed of %s", len(names),
		strings.Join(names, " "), o.count, o.steps, o.parts, took, o.measured))
	if p.time == 0 {
		p.time = time.Duration(more*float64(took)) + loading
	}
	if p.memory == 0 && peak > 0 {
		p.memory = int(more*float64(peak))>>20 + 512
	}
	if held > 0 && o.card == 0 {
		p.notes = append(p.notes, fmt.Sprintf("PyTorch's allocator held %.1f GiB of the GPU there: ask for a card with more (-gpu=24GiB says whether every step fits one)", float64(held)/(1<<30)))
	}
	return p, nil
}

// costs returns the arms of records, without runs that went on, and how many seconds a run of each is to take.
func (o options) costs(rs []*record.Record) (names []string, costs []float64) {
	each := besides(rs).Seconds()
	for _, r := range rs {
		if r.Resumed > 0 {
			continue
		}
		i := slices.Index(names, r.Name)
		if i < 0 {
			i, names, costs = len(names), append(names, r.Name), append(costs, 0)
		}
		costs[i] = max(costs[i], r.Runtime/float64(r.GlobalStep)*float64(o.steps)+each)
	}
	return names, costs
}

// besides returns what a run takes besides its steps (loading kernels, graphs, warming up, held-out losses): the median of what lay between
// the beginnings of two runs, one of which may have been in another process. Runs that went on span a pause.
func besides(rs []*record.Record) time.Duration {
	in := slices.Clone(rs)
	slices.SortFunc(in, func(a, b *record.Record) int { return a.Started.Compare(b.Started) })
	var between []float64
	for i := 1; i < len(in); i++ {
		if in[i].Resumed == 0 && in[i-1].Resumed == 0 {
			between = append(between, in[i].Started.Sub(in[i-1].Started).Seconds()-in[i-1].Runtime)
		}
	}
	if each := stats.NewSpread(between).Median; each > 0 {
		return time.Duration(each * float64(time.Second))
	}
	return preparing
}
