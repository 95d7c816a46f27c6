package shard

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	slurm := map[string]string{"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "5"}
	with := func(m map[string]string, more ...string) map[string]string {
		out := map[string]string{}
		for k, v := range m {
			out[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	for _, c := range []struct {
		text string
		env  map[string]string
		want Part
		err  string
		why  string
	}{
		{"", slurm, Part{}, "", "nothing is dealt out without the flag, in an array job too"},
		{"1/3", nil, Part{0, 3}, "", "the first"},
		{"3/3", nil, Part{2, 3}, "", "the last"},
		{"4/3", nil, Part{}, "part 4 of 3 does not exist", "beyond the last"},
		{"0/3", nil, Part{}, "part 0 of 3 does not exist", "parts count from 1"},
		{"2", nil, Part{}, `"2": want i/n, slurm or kubernetes/n`, "of how many?"},
		{"1/x", nil, Part{}, "want a number of parts of at least 1", "no number"},
		{"1/0", nil, Part{}, "want a number of parts of at least 1", "no part"},
		{"pbs/3", nil, Part{}, "want i/n, slurm or kubernetes/n", "a scheduler that is not known"},
		{"slurm", slurm, Part{2, 4}, "", "an array of 5-8"},
		{"slurm", with(slurm, "SLURM_ARRAY_TASK_ID", "11", "SLURM_ARRAY_TASK_STEP", "2"), Part{3, 4}, "", "an array of 5-11:2"},
		{"slurm", with(slurm, "SLURM_ARRAY_TASK_ID", "9"), Part{}, "part 5 of 4 does not exist", "an array of 5,6,7,9"},
		{"slurm", nil, Part{}, `SLURM_ARRAY_TASK_ID is "", want a number: is this a task of such a job?`, "not in a job"},
		{"slurm", with(slurm, "SLURM_ARRAY_TASK_COUNT", ""), Part{}, `SLURM_ARRAY_TASK_COUNT is ""`, "not in an array"},
		{"slurm/8", slurm, Part{7, 8}, "", "an array of one task that is done again: the index is the part"},
		{"slurm/7", slurm, Part{}, "part 8 of 7 does not exist", "the index is no part"},
		{"kubernetes/4", map[string]string{"JOB_COMPLETION_INDEX": "3"}, Part{3, 4}, "", "a pod of an Indexed Job"},
		{"kubernetes/4", nil, Part{}, `JOB_COMPLETION_INDEX is ""`, "no Indexed Job"},
		{"kubernetes", nil, Part{}, "give the job's completions too", "a pod is not told how many there are"},
	} {
		got, err := Parse(c.text, func(name string) string { return c.env[name] })
		if require.Equal(t, c.want, got, c.why); c.err == "" {
			require.NoError(t, err, c.why)
			if c.text != "" && c.env == nil {
				require.Equal(t, c.text, got.String())
			}
		} else {
			require.ErrorContains(t, err, c.err, c.why)
		}
	}
	require.Equal(t, "shard-2-of-8", Part{1, 8}.Folder())
}

func TestDeal(t *testing.T) {
	costs := []float64{1, 2, 4}
	block := func(b int) []Cell { return []Cell{{b, 0}, {b, 1}, {b, 2}} }
	for _, c := range []struct {
		blocks, n int
		want      [][]Cell
		why       string
	}{
		{2, 1, [][]Cell{append(block(0), block(1)...)}, "one part has everything"},
		{3, 2, [][]Cell{append(block(0), block(2)...), block(1)}, "blocks stay whole"},
		{3, 3, [][]Cell{block(0), block(1), block(2)}, "a block each"},
		{2, 3, [][]Cell{{{0, 2}, {0, 0}}, {{1, 2}, {1, 0}}, {{0, 1}, {1, 1}}}, "more parts than blocks: cell by cell, the longest first"},
		{1, 4, [][]Cell{{{0, 2}}, {{0, 1}}, {{0, 0}}, nil}, "more parts than cells"},
	} {
		got := Deal(c.blocks, costs, c.n)
		require.Len(t, got, c.n, c.why)
		for i := range got {
			require.ElementsMatch(t, c.want[i], got[i], "%s: part %d", c.why, i+1)
		}
	}
}

// TestDealIsAPartition: every cell belongs to one part, whatever the numbers, and the parts end within one piece of each other.
func TestDealIsAPartition(t *testing.T) {
	for blocks := 1; blocks <= 6; blocks++ {
		for n := 1; n <= 20; n++ {
			costs := []float64{1, 1.5, 1.01, 3}
			seen := map[Cell]int{}
			var least, most float64 = 1e9, 0
			for _, part := range Deal(blocks, costs, n) {
				load := 0.0
				for _, c := range part {
					seen[c]++
					load += costs[c.Arm]
				}
				least, most = min(least, load), max(most, load)
			}
			require.Len(t, seen, 4*blocks)
			for c, times := range seen {
				require.Equal(t, 1, times, "%v", c)
			}
			piece := 6.51
			if n > blocks {
				piece = 3
			}
			require.LessOrEqual(t, most-least, piece+1e-9, "%d blocks in %d parts", blocks, n)
		}
	}
}
