package bench

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArmsAreNamedByWhatVaries(t *testing.T) {
	for _, c := range []struct {
		why   string
		args  []string
		names []string
	}{
		{"the rank is always there", []string{"-ranks=8"}, []string{"rank=8"}},
		{"one alpha and one rate do not vary", []string{"-ranks=8,16", "-alpha=2r", "-lr=1e-4"}, []string{"rank=8", "rank=16"}},
		{"every combination, in the order of the flags", []string{"-ranks=8,16", "-alpha=16,2r,sqrt"}, []string{
			"rank=8/alpha=16", "rank=8/alpha=2r", "rank=8/alpha=sqrt", "rank=16/alpha=16", "rank=16/alpha=2r", "rank=16/alpha=sqrt"}},
		{"rates as people write them", []string{"-ranks=8", "-lr=0.0002,1e-3,0.00003"}, []string{"rank=8/lr=2e-4", "rank=8/lr=0.001", "rank=8/lr=3e-5"}},
		{"targets without their ending", []string{"-ranks=8", "-targets=q_proj,v_proj:q_proj,fc1"}, []string{"rank=8/targets=q,v", "rank=8/targets=q,fc1"}},
		{"full has no adapter: only rates vary it", []string{"-ranks=8,full", "-alpha=8,16", "-lr=1e-4,2e-4"}, []string{
			"rank=8/alpha=8/lr=1e-4", "rank=8/alpha=8/lr=2e-4", "rank=8/alpha=16/lr=1e-4", "rank=8/alpha=16/lr=2e-4", "rank=full/lr=1e-4", "rank=full/lr=2e-4"}},
	} {
		s, _, err := parse(t, 1, append([]string{"-device=cpu", "-recipe=reported"}, c.args...)...)
		require.NoError(t, err, c.why)
		require.Equal(t, c.names, each(s.Arms(), func(a Arm) string { return a.Name }), c.why)
	}
}

func TestAlphaFollowsTheRank(t *testing.T) {
	s, _, err := parse(t, 1, "-device=cpu", "-recipe=assigned", "-ranks=8,64", "-alpha=16,2r,r,0.5r,sqrt")
	require.NoError(t, err)
	type scale struct {
		alpha  float64
		rslora bool
	}
	var got []scale
	for _, a := range s.Arms() {
		got = append(got, scale{a.Alpha, a.RSLoRA})
	}
	require.Equal(t, []scale{{16, false}, {16, false}, {8, false}, {4, false}, {32, true}, {16, false}, {128, false}, {64, false}, {32, false}, {32, true}}, got,
		"sqrt is the recipe's alpha over the root of the rank")
}

func TestTrainingFollowsTheArm(t *testing.T) {
	w := small(t, 2, "-ranks=4", "-alpha=4,sqrt", "-lr=1e-4,1e-3", "-targets=q_proj:fc1,fc2")
	seen := map[string]bool{}
	for _, arm := range w.Arms() {
		r, err := w.Start(arm, 1)
		require.NoError(t, err)
		r.Begin()
		require.NoError(t, r.Step())
		require.NoError(t, r.Step())
		require.NoError(t, r.End())
		rec, err := r.Record()
		r.Close()
		require.NoError(t, err)
		require.Equal(t, arm.Name, rec.Name)
		require.Equal(t, arm.LR, rec.Steps[0].LearningRate)
		require.Equal(t, arm.LR, rec.Settings.LR)
		require.Equal(t, arm.Targets, rec.Settings.Targets)
		require.Equal(t, map[bool]float64{false: 1, true: 8}[arm.RSLoRA], rec.Scaling, "4/4, and the recipe's 16 over 2")
		seen[rec.FileName()] = true
	}
	require.Len(t, seen, 8, "no record overwrites another")
}
