package judge

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// trained is a side of six seeds from 42 whose speeds differ threefold: resumed runs have losses only, missed ones no sec-to-loss.
func trained(speed, memory float64, resumed, missed []int) string {
	var b strings.Builder
	b.WriteString(lorabench)
	for k, v := range []float64{100, 300, 101, 99, 102, 98} {
		v *= speed * (1 + 0.002*math.Sin(float64(k)/speed))
		fmt.Fprintf(&b, "BenchmarkRank/rank=8-2 40 1.%d loss", 50+k)
		if !slices.Contains(resumed, 42+k) {
			fmt.Fprintf(&b, " %v ns/op %v samples/sec %v tokens/sec %v peak-RSS-GB", 1e9/v, v, 40*v, memory*(1+0.001*float64(k%3)))
			if !slices.Contains(missed, 42+k) {
				fmt.Fprintf(&b, " %v sec-to-loss", 2000/v)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// A resumed run takes its seed out of the comparison of speed and memory, and nothing else.
func TestResumedRuns(t *testing.T) {
	const has = " (a resumed run has no time and no memory); it is judged by the seeds that have it on both sides."
	whole := trained(1, 2, nil, nil)
	for _, c := range []struct {
		why, old, new, rules string
		status               Status
		text                 string // of the verdict, or of a problem
		n                    int    // of samples/sec on each side
		note                 string
	}{
		{"the same, a resumed run in the baseline", trained(1, 2, []int{43}, nil), trained(1.001, 2, nil, nil), "", Pass, "No regression in 4 metrics.", 5, "samples/sec of Rank/rank=8: 5 of 6 runs of baseline and 6 of 6 runs of new have it" + has},
		{"the same, a resumed run in the new results", whole, trained(1.001, 2, []int{43}, nil), "", Pass, "No regression in 4 metrics.", 5, "peak-RSS-GB of Rank/rank=8: 6 of 6 runs of baseline and 5 of 6 runs of new have it" + has},
		{"half the speed, a resumed run in the baseline", trained(1, 2, []int{43}, nil), trained(0.5, 2, nil, nil), "", Worse, "Worse: samples/sec of Rank/rank=8 50 % lower", 5, "5 of 6 runs of baseline"},
		{"half the speed, a resumed run in the new results", whole, trained(0.5, 2, []int{42}, nil), "", Worse, "Worse: samples/sec of Rank/rank=8 50 % lower", 5, "5 of 6 runs of new"},
		{"half the speed, another seed on either side", trained(1, 2, []int{43}, nil), trained(0.5, 2, []int{47}, nil), "", Worse, "samples/sec of Rank/rank=8 50 % lower", 4, "5 of 6 runs of baseline and 5 of 6 runs of new"},
		{"more memory, a resumed run in the new results", whole, trained(1, 2.2, []int{42}, nil), "", Worse, "Worse: peak-RSS-GB of Rank/rank=8 10 % higher", 5, "5 of 6 runs of new"},
		{"half the speed, three are left", trained(1, 2, []int{42, 43, 44}, nil), trained(0.5, 2, nil, nil), "", CannotTell, "3 samples in baseline and 3 in new, 4 are needed: 1 more", 3, "3 of 6 runs of baseline"},
		{"half the speed, no seed on both sides", trained(1, 2, []int{42, 43, 44}, nil), trained(0.5, 2, []int{45, 46, 47}, nil), "", CannotTell, "4 are needed: 1 more", 3, "it is judged by these."},
		{"what is required must be in every new run", whole, trained(1, 2, []int{43}, nil), "samples/sec required", Unusable, "1 of 6 runs of Rank/rank=8 in new lack samples/sec, which is required", 5, ""},
		{"a target that the new code missed", whole, trained(1, 2, nil, []int{44}), "", Unusable, "1 of 6 runs of Rank/rank=8 in new did not reach the target of sec-to-loss; those of the baseline did", 6, ""},
		{"a target that the baseline missed: not judged", trained(1, 2, []int{43}, []int{44}), trained(1, 2, nil, nil), "", Pass, "No regression in 3 metrics.", 5, ""},
	} {
		v := judged(t, c.old, c.new, c.rules, Options{})
		all := v.Text + "\n" + told(v)
		require.Equal(t, c.status, v.Status, "%s: %s", c.why, all)
		assert.Contains(t, all, c.text, c.why)
		assert.Contains(t, strings.Join(v.Notes, "\n"), c.note, c.why)
		r := of(t, v, "samples/sec")
		assert.Equal(t, []int{c.n, c.n}, []int{r.Baseline.N(), r.New.N()}, c.why)
		assert.Equal(t, "samples/sec", of(t, v, "ns/op").SameAs, "one measurement is judged once: "+c.why)
		assert.Equal(t, 6, of(t, v, "loss").Pairs, "losses count: "+c.why)
	}
	assert.NotContains(t, strings.Join(judged(t, whole, whole, "", Options{}).Notes, "\n"), "have it")
}
