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
	ample  map[string][]peak // peaks measured on an ample card, by trial
}

// result is the answer of a call.
type result struct {
	options
	rows                         []row
	largestRanks, largestBatches []answer
	batchSteps                   int
}

// row has the peaks of one setting on an ample card.
type row struct {
	setting
	peaks []peak
}

// answer is the largest rank or batch that fits with a setting.
type answer struct {
	setting
	card    int64
	largest int // 0: not even 1 fits
	peak    peak
	next    int   // which runs out of memory; 0 where the largest that may be tried fits
	missing int64 // bytes of the card, where not even 1 fits
}

// batchSteps bounds the trials of batches, whose rows are too long to be joined: each is launched separately.
const batchSteps = 100

// ask fills the table and searches, one trial after the other: at large ranks each needs much of the host's memory.
func (s *session) ask(ctx context.Context) (result, error) {
	r := result{options: s.options, batchSteps: min(s.steps, batchSteps)}
	for _, dtype := range s.dtypes {
		for _, checkpoint := range []bool{false, true} {
			for _, graphs := range []string{"auto", "off"} {
				set := setting{dtype, graphs, checkpoint}
				ps, err := s.run(ctx, trial{set, fakecuda.Ample, s.ranks, 0, s.steps})
				if err != nil {
					return r, err
				}
				r.rows = append(r.rows, row{set, ps})
			}
		}
	}
	// Rows launched without graphs use the least memory: they bound rank and batch.
	for _, gpu := range s.gpus {
		for i := 1; i < len(r.rows); i += 2 {
			a, err := s.largestRank(ctx, gpu, r.rows[i])
			if err != nil {
				return r, err
			}
			r.largestRanks = append(r.largestRanks, a)
			if s.maxBatch == 0 {
				continue
			}
			b, err := s.largestBatch(ctx, gpu, r.rows[i].setting)
			if err != nil {
				return r, err
			}
			r.largestBatches = append(r.largestBatches, b)
		}
	}
	return r, nil
}

// run tries t and logs the outcome. What was measured on an ample card is not measured again.
func (s *session) run(ctx context.Context, t trial) ([]peak, error) {
	if known, ok := s.ample[t.String()]; ok {
		return known, nil
	}
	began := time.Now()
	ps, err := s.try(ctx, t)
	said := "fits"
	switch {
	case errors.Is(err, fakecuda.ErrFull):
		said = fakecuda.ErrFull.Error()
	case err != nil:
		return nil, err
	case t.card == fakecuda.Ample:
		if s.ample == nil {
			s.ample = map[string][]peak{}
		}
		s.ample[t.String()] = ps
	}
	fmt.Fprintf(s.stderr, "fit: %s: %s (%.0f s)\n", t, said, time.Since(began).Seconds())
	return ps, err
}

func (s *session) largestRank(ctx context.Context, gpu int64, eager row) (answer, error) {
	first, last := eager.peaks[0], eager.peaks[len(eager.peaks)-1]
	guess := interpolate(gpu, first.rank, last.rank, first.allocated, last.allocated)
	return s.largest(ctx, rankGrid, guess, s.maxRank, func(rank int) trial {
		return trial{setting{eager.dtype, "auto", eager.checkpoint}, gpu, []int{rank}, 0, s.steps}
	})
}

// largestBatch first measures two batches that are long enough for rows of their own, as larger ones are, and a third if these say that
// far larger ones fit, since the longest of many rows grows less than its batch.
func (s *session) largestBatch(ctx context.Context, gpu int64, eager setting) (answer, error) {
	smallest, steps := s.ranks[:1], min(s.steps, batchSteps)
	guess, a, atA := 0, 0, int64(0)
	for _, b := range []int{32, 64, 128} {
		if b == 128 && guess < b {
			break
		}
		b = min(max(b, guess), max(b, s.maxBatch))
		ps, err := s.run(ctx, trial{eager, fakecuda.Ample, smallest, b, steps})
		if err != nil {
			return answer{}, err
		}
		atB := ps[0].allocated
		if a > 0 {
			guess = interpolate(gpu-gpu/10, a, b, atA, atB) // long rows fragment more: 5 to 15 % at OPT-350m's shape
		}
		a, atA = b, atB
	}
	return s.largest(ctx, batchGrid, guess, s.maxBatch, func(batch int) trial {
		return trial{setting{eager.dtype, "auto", eager.checkpoint}, gpu, smallest, batch, steps}
	})
}

// interpolate returns the size whose peak fills the card, a search's start. It leaves out what fragments: 128 MiB at OPT-350m's shape.
func interpolate(card int64, a, b int, atA, atB int64) int {
	left := card - fakecuda.ContextBytes
	left -= min(128<<20, left/32)
	return a + int(float64(left-atA)/float64(max(1, atB-atA))*float64(b-a))
}

// largest finds the answer among the grid's values up to most.
func (s *session) largest(ctx context.Context, g grid, guess, most int, of func(value int) trial) (answer, error) {
	smallest := of(1)
	a := answer{setting: smallest.setting, card: smallest.card}
	last := g.index(most)
	n, err := boundary(g.index(guess), last, func(i int) (bool, error) {
		ps, err := s.run(ctx, of(g.at(i)))
		if errors.Is(err, fakecuda.ErrFull) {
			return false, nil
		}
		if err == nil && g.at(i) > a.largest {
			a.largest, a.peak = g.at(i), ps[0]
		}
		return err == nil, err
	})
	if err != nil {
		return a, err
	}
	if n < last {
		a.next = g.at(n + 1)
	}
	if n == 0 {
		a.missing, err = s.missing(ctx, smallest)
	}
	return a, err
}

// missing returns how much larger the card must be for t, in steps of 64 MiB.
func (s *session) missing(ctx context.Context, t trial) (int64, error) {
	const unit = 64 << 20
	eager := t
	eager.graphs, eager.card = "off", fakecuda.Ample
	ps, err := s.run(ctx, eager)
	if err != nil {
		return 0, err
	}
	small := t.card
	n, err := boundary(int((ps[0].allocated+fakecuda.ContextBytes-small)/unit), int((fakecuda.Ample-small)/unit), func(i int) (bool, error) {
		t.card = small + int64(i)*unit
		_, err := s.run(ctx, t)
		if errors.Is(err, fakecuda.ErrFull) {
			return true, nil
		}
		return false, err
	})
	return int64(n+1) * unit, err
}

// boundary returns n from 0 to most such that ok(n) and not ok(n+1); ok(0) and not ok(most+1) are assumed. It starts at guess, goes on by
// 1, 2, 4, ... until it has passed the boundary, and halves what is between.
func boundary(guess, most int, ok func(int) (bool, error)) (int, error) {
	low, high, move := 0, most+1, 1 // ok, not ok
	passed := [2]bool{}
	for at := min(max(guess, 1), most); high-low > 1; {
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
			at, move = max(at-move, 1), 2*move
		}
	}
	return low, nil
}
