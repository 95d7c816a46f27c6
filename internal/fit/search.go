package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"lorabench/internal/fakecuda"
)

// session is one call. try runs a trial.
type session struct {
	options
	try    func(context.Context, trial) ([]peak, error)
	stderr io.Writer
}

// result is the answer of a call.
type result struct {
	options
	rows            []row
	ranks, batches  []answer
	batchTrialSteps int
}

// row has the peaks of one setting on an ample card.
type row struct {
	setting
	peaks []peak
}

// answer is the largest rank or batch that fits with a setting.
type answer struct {
	setting
	largest int // 0: not even 1 fits
	peak    peak
	next    int   // which runs out of memory; 0 where the largest that may be tried fits
	missing int64 // bytes of the card, where not even 1 fits
}

// batchSteps bounds the trials of batches, whose rows are too long to be joined: each is launched apart.
const batchSteps = 100

// ask fills the table and searches, one trial after the other: at large ranks each needs much of the host's memory.
func (s *session) ask(ctx context.Context) (result, error) {
	r := result{options: s.options, batchTrialSteps: min(s.steps, batchSteps)}
	for _, dtype := range s.dtypes {
		for _, checkpoint := range []bool{false, true} {
			for _, graphs := range []string{"auto", "off"} {
				set := setting{dtype, graphs, checkpoint}
				ps, err := s.run(ctx, trial{set, ample, s.options.ranks, 0, s.steps})
				if err != nil {
					return r, err
				}
				r.rows = append(r.rows, row{set, ps})
			}
		}
	}
	// The rows launched one by one use the least memory: they are what rank and batch are bounded by.
	for i := 1; i < len(r.rows); i += 2 {
		eager := r.rows[i]
		set := setting{eager.dtype, "auto", eager.checkpoint}
		a, err := s.largestRank(ctx, set, eager.peaks)
		if err != nil {
			return r, err
		}
		b, err := s.largestBatch(ctx, set)
		if err != nil {
			return r, err
		}
		r.ranks, r.batches = append(r.ranks, a), append(r.batches, b)
	}
	return r, nil
}

// run tries t and says so.
func (s *session) run(ctx context.Context, t trial) ([]peak, error) {
	fmt.Fprintf(s.stderr, "fit: %s: ", t)
	began := time.Now()
	ps, err := s.try(ctx, t)
	said := "fits"
	if errors.Is(err, errFull) {
		said = errFull.Error()
	} else if err != nil {
		said = "failed"
	}
	fmt.Fprintf(s.stderr, "%s (%.0f s)\n", said, time.Since(began).Seconds())
	return ps, err
}

func (s *session) largestRank(ctx context.Context, set setting, measured []peak) (answer, error) {
	first, last := measured[0], measured[len(measured)-1]
	guess := s.interpolate(first.rank, last.rank, first.allocated, last.allocated)
	return s.largest(ctx, set, rankIndex(guess), rankIndex(s.maxRank), 1, rankAt, func(rank int) trial {
		return trial{set, s.gpu, []int{rank}, 0, s.steps}
	})
}

// largestBatch first measures two batches that are long enough for rows of their own, as larger ones are.
func (s *session) largestBatch(ctx context.Context, set setting) (answer, error) {
	const few, many = 32, 64
	smallest, steps := s.options.ranks[:1], min(s.steps, batchSteps)
	var of [2]int64
	for i, batch := range []int{few, many} {
		ps, err := s.run(ctx, trial{setting{set.dtype, "off", set.checkpoint}, ample, smallest, batch, steps})
		if err != nil {
			return answer{}, err
		}
		of[i] = ps[0].allocated
	}
	guess := s.interpolate(few, many, of[0], of[1])
	return s.largest(ctx, set, guess, s.maxBatch, max(1, guess/32), func(batch int) int { return batch }, func(batch int) trial {
		return trial{set, s.gpu, smallest, batch, steps}
	})
}

// interpolate returns the size whose peak fills the card, less what fragments: 128 MiB at OPT-350m's shape, a search's start.
func (s *session) interpolate(a, b int, atA, atB int64) int {
	left := s.gpu - fakecuda.ContextBytes
	left -= min(128<<20, left/32)
	return a + int(float64(left-atA)/float64(max(1, atB-atA))*float64(b-a))
}

// largest finds the answer among size(1), size(2), ... size(most).
func (s *session) largest(ctx context.Context, set setting, guess, most, move int, size func(int) int, of func(size int) trial) (answer, error) {
	a := answer{setting: set}
	n, err := boundary(guess, 1, most, move, func(i int) (bool, error) {
		ps, err := s.run(ctx, of(size(i)))
		if errors.Is(err, errFull) {
			return false, nil
		}
		if err == nil && size(i) > a.largest {
			a.largest, a.peak = size(i), ps[0]
		}
		return err == nil, err
	})
	if err != nil {
		return a, err
	}
	if n < most {
		a.next = size(n + 1)
	}
	if n == 0 {
		a.missing, err = s.missing(ctx, of(size(1)))
	}
	return a, err
}

// missing returns how much larger the card must be for t, in steps of 64 MiB.
func (s *session) missing(ctx context.Context, t trial) (int64, error) {
	const unit = 64 << 20
	eager := t
	eager.graphs, eager.card = "off", ample
	ps, err := s.run(ctx, eager)
	if err != nil {
		return 0, err
	}
	card := t.card
	n, err := boundary(int((ps[0].allocated+fakecuda.ContextBytes-card)/unit), 1, int((ample-card)/unit), 1, func(i int) (bool, error) {
		t.card = card + int64(i)*unit
		_, err := s.run(ctx, t)
		if errors.Is(err, errFull) {
			return true, nil
		}
		return false, err
	})
	return int64(n+1) * unit, err
}

// boundary returns n from least-1 to most such that ok(n) and not ok(n+1); ok(least-1) and not ok(most+1) are taken for granted.
// It starts at guess, goes on by move, doubling it, until it has passed the boundary, and halves what is between.
func boundary(guess, least, most, move int, ok func(int) (bool, error)) (int, error) {
	low, high := least-1, most+1 // ok, not ok
	passed := [2]bool{}
	for at := min(max(guess, least), most); high-low > 1; {
		good, err := ok(at)
		if err != nil {
			return 0, err
		}
		if good {
			low, passed[0] = at, true
		} else {
			high, passed[1] = at, true
		}
		switch {
		case passed[0] && passed[1]:
			at = (low + high) / 2
		case good:
			at, move = min(at+move, most), 2*move
		default:
			at, move = max(at-move, least), 2*move
		}
	}
	return low, nil
}

// Ranks are searched in steps of 8, and of 64 where that is a small part of the rank: 1, 8, 16, ... 512, 576, ...
const (
	fineStep, coarseStep = 8, 64
	fineUntil            = 512
)

func rankAt(i int) int {
	switch {
	case i <= 1:
		return 1
	case i-1 <= fineUntil/fineStep:
		return (i - 1) * fineStep
	}
	return fineUntil + (i-1-fineUntil/fineStep)*coarseStep
}

// rankIndex returns the largest i with rankAt(i) <= rank.
func rankIndex(rank int) int {
	if rank <= fineUntil {
		return max(1, 1+rank/fineStep)
	}
	return 1 + fineUntil/fineStep + (rank-fineUntil)/coarseStep
}
