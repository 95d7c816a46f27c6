package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"

	"lorabench/internal/relay"
)

// training is one program in one precision: lorabench if kind is nil, else a peer.
type training struct {
	*kind
	precision
}

// pair is a row's two programs.
type pair struct{ ours, theirs training }

// pairs returns the rows of a rank in their order.
func (c *comparison) pairs() (pairs []pair) {
	for _, p := range c.precisions {
		for i := range c.peers {
			k := &c.peers[i]
			theirs := training{k, precisions[0]}
			if k.follows {
				theirs.precision = p
			}
			pairs = append(pairs, pair{training{nil, p}, theirs})
		}
	}
	return pairs
}

// trainings returns those of pairs, each once, lorabench's last.
func trainings(pairs []pair) (all []training) {
	for _, peers := range []bool{true, false} {
		for _, x := range pairs {
			for _, q := range []training{x.ours, x.theirs} {
				same := func(r training) bool { return r.kind == q.kind && r.precision.name == q.precision.name }
				if (q.kind != nil) == peers && !slices.ContainsFunc(all, same) {
					all = append(all, q)
				}
			}
		}
	}
	return all
}

// oneByOne runs the programs one after the other, lorabench's first: a mistake in its flags costs the least time there.
func (c *comparison) oneByOne(ctx context.Context, rank int, p phase, pairs []pair) (map[string]measured, error) {
	got := map[string]measured{}
	for _, q := range slices.Backward(trainings(pairs)) {
		m, err := c.run(ctx, rank, q, p, nil)
		if err != nil {
			return nil, err
		}
		got[c.what(rank, q, p)] = m
	}
	return got, nil
}

// round runs all programs of pairs, which take their steps in turn. If they ran one after the other, a shared machine's drift would be in
// the ratio: the peer's own speed differed by a tenth between runs of the same steps. All load at once and warm up in turn; clocks start
// when all have. If one fails the others are ended.
func (c *comparison) round(ctx context.Context, rank int, p phase, pairs []pair) (map[string]measured, error) {
	programs := trainings(pairs)
	ends, err := relay.Ring(len(programs))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	var mu sync.Mutex
	got := map[string]measured{}
	for i, q := range programs {
		all.Go(func() {
			m, e := c.run(ctx, rank, q, p, ends[i][:])
			mu.Lock()
			defer mu.Unlock()
			if e != nil && err == nil {
				err = e // the others' errors say that they were ended
				cancel()
			}
			got[c.what(rank, q, p)] = m
		})
	}
	all.Wait()
	return got, err
}

// what names a run.
func (c *comparison) what(rank int, q training, p phase) string {
	name := "lorabench"
	if q.kind != nil {
		name = q.kind.name + " peer"
	}
	if len(c.precisions) > 1 {
		name += " " + q.precision.name
	}
	return fmt.Sprintf("rank %d, %s, %s", rank, name, p.name)
}

func (c *comparison) run(ctx context.Context, rank int, q training, p phase, pipes []*os.File) (measured, error) {
	if q.kind == nil {
		return c.runOurs(ctx, rank, q, p, pipes)
	}
	return c.runPeer(ctx, rank, q, p, pipes)
}
