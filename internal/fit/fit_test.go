package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/internal/fakecuda"
	"lorabench/internal/fakecuda/fakecudatest"
	"lorabench/internal/fixture"
)

var update = flag.Bool("update", false, "write testdata anew")

// fakeCard decides as a card would on which a rank uses 4 MiB, a sequence 50, and 100 are lost to fragments.
func fakeCard(_ context.Context, t trial) ([]peak, error) {
	var ps []peak
	for _, r := range t.ranks {
		batch := max(t.batch, 4)
		if t.batch == 1 {
			batch = 1
		}
		allocated := int64(1000+4*r+50*batch) << 20
		if t.dtype == "bf16" {
			allocated -= 500 << 20
		}
		if t.checkpoint {
			allocated -= 200 << 20
		}
		graphs := "off"
		if t.graphs == "auto" {
			graphs = "on"
		}
		left := t.card - fakecuda.ContextBytes - 100<<20
		if allocated > left {
			return nil, fakecuda.ErrFull
		}
		if graphs == "on" && allocated+50<<20 > left {
			graphs = "failed"
		}
		ps = append(ps, peak{r, allocated, allocated + 30<<20, graphs})
	}
	return ps, nil
}

func parsed(t *testing.T, args ...string) options {
	t.Helper()
	o, err := parse(args, io.Discard)
	require.NoError(t, err)
	return o
}

func TestTable(t *testing.T) {
	o := parsed(t, "-gpu=1500MiB,2GiB,8GiB,1000GiB", "-max-batch=64", "-max-rank=4000", "-recipe=assigned", "-targets=q_proj")
	s := session{options: o, try: fakeCard, stderr: io.Discard}
	r, err := s.ask(t.Context())
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, r.print(&b))
	const golden = "testdata/table.txt"
	if *update {
		require.NoError(t, os.WriteFile(golden, b.Bytes(), 0o666))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}

// TestAnswersAreTried: whatever is said to fit was tried at the card's size and with all steps, and so was what does not.
func TestAnswersAreTried(t *testing.T) {
	o := parsed(t, "-gpu=3GiB,24GiB")
	tried := map[string]error{}
	s := session{options: o, stderr: io.Discard, try: func(ctx context.Context, t trial) ([]peak, error) {
		ps, err := fakeCard(ctx, t)
		tried[t.String()] = err
		return ps, err
	}}
	r, err := s.ask(t.Context())
	require.NoError(t, err)
	require.Len(t, r.largestRanks, 8)
	for i, a := range r.largestRanks {
		b := r.largestBatches[i]
		for _, c := range []struct {
			t     trial
			wants error
		}{
			{trial{a.setting, a.card, []int{a.largest}, 0, 1000}, nil},
			{trial{a.setting, a.card, []int{a.next}, 0, 1000}, fakecuda.ErrFull},
			{trial{b.setting, b.card, []int{8}, b.largest, 100}, nil},
			{trial{b.setting, b.card, []int{8}, b.next, 100}, fakecuda.ErrFull},
		} {
			got, ok := tried[c.t.String()]
			require.True(t, ok, "%s was not tried", c.t)
			require.Equal(t, c.wants, got, c.t)
		}
	}
	require.Less(t, len(tried), 8+8*2*6, "trials")
}

func TestBoundary(t *testing.T) {
	for _, most := range []int{1, 2, 7, 100} {
		for edge := 0; edge <= most; edge++ {
			for _, guess := range []int{-5, 0, 1, edge - 1, edge, edge + 1, edge + 20, most, most + 5} {
				tried := map[int]bool{}
				n, err := boundary(guess, most, func(at int) (bool, error) {
					require.True(t, at >= 1 && at <= most, "%d is none of 1 to %d", at, most)
					require.False(t, tried[at], "%d tried twice", at)
					tried[at] = true
					return at <= edge, nil
				})
				require.NoError(t, err)
				require.Equal(t, edge, n, "guess %d of %d", guess, most)
				require.True(t, edge == 0 || tried[edge])
				require.True(t, edge == most || tried[edge+1])
			}
		}
	}
	_, err := boundary(1, 3, func(int) (bool, error) { return false, io.ErrUnexpectedEOF })
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestGrid(t *testing.T) {
	for _, g := range []grid{rankGrid, batchGrid} {
		last := 0
		for i := 1; i < 200; i++ {
			v := g.at(i)
			require.Greater(t, v, last)
			require.Equal(t, i, g.index(v), "index of %d", v)
			if v > 1 {
				require.Equal(t, i-1, g.index(v-1), "index of %d", v-1)
			}
			last = v
		}
		require.Equal(t, 1, g.at(1))
		require.Equal(t, 1, g.index(-100))
	}
	require.Equal(t, []int{1, 8, 512, 576}, []int{rankGrid.at(1), rankGrid.at(2), rankGrid.at(65), rankGrid.at(66)})
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ flag, err string }{
		{"-gpu=24", `-gpu: "24" is no size of a card: want more than 560 MiB and at most 1024 GiB, as in 24GiB, 24GB or 24576MiB`},
		{"-gpu=8GiB,500MiB", `"500MiB"`},
		{"-gpu=NaNGiB", `"NaNGiB"`},
		{"-ranks=8", "at least two"},
		{"-ranks=8,8", "at least two"},
		{"-ranks=8,full", `"full"`},
		{"-steps=0", "-steps is 0, want at least 1"},
		{"8", `unexpected "8"`},
	} {
		_, err := parse([]string{c.flag}, io.Discard)
		require.ErrorContains(t, err, c.err)
	}
	o := parsed(t, "-gpu=24GB,1.5GiB,700MiB", "-ranks=64,8", "-accum=2", "-model=somewhere")
	require.Equal(t, []int64{24e9, 3 << 29, 700 << 20}, o.gpus)
	require.Equal(t, []int{8, 64}, o.ranks)
	require.Equal(t, []string{"-accum=2"}, o.passed)
	require.Empty(t, o.tokenizer, "the model's own")
	require.Equal(t, 2, run(t.Context(), []string{"-gpu=1"}, io.Discard, io.Discard))
	require.Equal(t, 0, run(t.Context(), []string{"-help"}, io.Discard, io.Discard))
}

func TestPeaksAreThoseAskedFor(t *testing.T) {
	n := int64(1)
	full := fakecuda.Run{Record: &record.Record{Rank: "8", PeakMemory: record.Peak{GPUAllocated: &n, GPUReserved: &n}, GraphsFailed: "why"}}
	asked := trial{ranks: []int{8}}
	got, err := peaks(asked, []fakecuda.Run{full})
	require.NoError(t, err)
	require.Equal(t, []peak{{8, 1, 1, "failed"}}, got)
	_, err = peaks(asked, nil)
	require.ErrorContains(t, err, "0 runs are reported, want 1")
	_, err = peaks(trial{ranks: []int{16}}, []fakecuda.Run{full})
	require.ErrorContains(t, err, "want rank 16")
	_, err = peaks(asked, []fakecuda.Run{{Record: &record.Record{Rank: "8"}}})
	require.ErrorContains(t, err, "want rank 8 with its peaks")
}

// TestErrorsEndIt: what is no full card is no answer.
func TestErrorsEndIt(t *testing.T) {
	for _, at := range []int{1, 10, 12} {
		n := 0
		s := session{options: parsed(t, "-gpu=3GiB"), stderr: io.Discard, try: func(ctx context.Context, t trial) ([]peak, error) {
			if n++; n >= at {
				return nil, errors.New("no such model")
			}
			return fakeCard(ctx, t)
		}}
		_, err := s.ask(t.Context())
		require.ErrorContains(t, err, "no such model")
		require.Equal(t, at, n)
	}
}

// TestOnTheStandIn asks about the small model on a card with 140 MiB for the allocator: what fits ran, and what is next did not.
func TestOnTheStandIn(t *testing.T) {
	fakecudatest.Require(t)
	qwen3 := fixture.Family(t, "qwen3")
	t.Chdir("../..")
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"-model=testdata/small", "-gpu=700MiB", "-ranks=8,512", "-steps=10", "-dtypes=float32", "-max-batch=8"},
		&stdout, &stderr)
	require.Zero(t, code, stderr.String())
	line := regexp.MustCompile(`0\.68 GiB +float32 +(no|yes) +(\d+) +(on|failed) +0\.\d\d +0\.\d\d +(\d+|none tried)\n`)
	found := line.FindAllStringSubmatch(stdout.String(), -1)
	require.Len(t, found, 4, stdout.String())
	for _, f := range found[:2] {
		for rank, said := range map[string]string{f[2]: "fits", f[4]: "out of memory"} {
			require.Contains(t, stderr.String(), fmt.Sprintf("checkpoint %t, ranks %s, 10 steps on 0.68 GiB: %s", f[1] == "yes", rank, said))
		}
	}
	require.Contains(t, stderr.String(), "batch 8, 10 steps on 0.68 GiB: fits")
	require.Equal(t, "none tried", found[2][4], "the largest batch that may be tried")
	require.NotContains(t, stdout.String(), "not even")

	stdout.Reset()
	code = run(t.Context(), []string{"-model=hash:" + qwen3, "-gpu=700MiB", "-ranks=8,64", "-steps=3", "-dtypes=bf16", "-max-rank=64", "-max-batch=0"},
		&stdout, &stderr)
	require.Zero(t, code, stderr.String())
	require.Regexp(t, `0\.68 GiB +bf16 +no +64 +on +0\.\d\d +0\.\d\d +none tried\n`, stdout.String(), "another family, which is small")

	code = run(t.Context(), []string{"-model=nowhere", "-gpu=700MiB"}, io.Discard, &stderr)
	require.Equal(t, 1, code)
	require.Contains(t, stderr.String(), "nowhere")
}
