package report

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/vg"

	"lorabench/bench/compare"
	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

func TestWordsAndIntervals(t *testing.T) {
	assert.Equal(t, format.None, interval(math.NaN(), 1))
	assert.Equal(t, "a b\nccc", wrap("a b ccc", 4))
}

func TestApartProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		at := make([]vg.Length, 1+r.IntN(8))
		for i := range at {
			at[i] = vg.Length(100 * r.Float64())
		}
		to := apart(at, 10, 0, 100)
		order := make([]int, len(at))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return int(math.Copysign(1, float64(at[a]-at[b]))) })
		for k, i := range order {
			require.GreaterOrEqual(t, float64(to[i]), -1e-9)
			require.LessOrEqual(t, float64(to[i]), 100+1e-9, "inside where they fit")
			if k > 0 {
				require.GreaterOrEqual(t, float64(to[i]-to[order[k-1]]), 10-1e-9, "apart, in the same order: %v to %v", at, to)
			}
		}
	}
	require.Equal(t, []vg.Length{10, 40}, apart([]vg.Length{10, 40}, 10, 0, 100), "what is apart stays")
}

func TestPareto(t *testing.T) {
	at := func(x, y float64) *place { return &place{x: table.Spread{Median: x}, y: table.Spread{Median: y}} }
	for _, c := range []struct {
		why    string
		places []*place
		more   bool
		want   []bool
	}{
		{"fast and bad, slow and good, slow and bad", []*place{at(10, 2), at(5, 1), at(4, 2)}, true, []bool{true, true, false}},
		{"with memory less is better", []*place{at(10, 2), at(5, 1), at(4, 2)}, false, []bool{false, true, true}},
		{"equal ones do not beat each other", []*place{at(1, 1), at(1, 1)}, true, []bool{true, true}},
		{"as good in one and better in the other beats", []*place{at(1, 1), at(1, 2)}, true, []bool{true, false}},
	} {
		pareto(c.places, c.more)
		for i, p := range c.places {
			assert.Equal(t, c.want[i], p.front, "%s: %d", c.why, i)
		}
	}
}

func TestSmooth(t *testing.T) {
	require.Equal(t, []float64{2, 3, 4}, smooth([]float64{1, 2, 3, 4, 5}, 3))
	require.Equal(t, []float64{1, 2}, smooth([]float64{1, 2}, 1))
	require.Empty(t, smooth([]float64{1, 2}, 3), "no whole window, no mean")
	require.Nil(t, combine("", markOf(0), [][]float64{nil, nil}))
	c := combine("", markOf(0), [][]float64{{1, 1, 1}, {3, 3, 3}})
	require.Equal(t, []float64{2, 2, 2}, c.Mean)
	require.Equal(t, []float64{1, 1, 1}, c.Low)
	require.Equal(t, []float64{3, 3, 3}, c.Top)
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		why    string
		lo, hi float64
		want   string
	}{
		{"neighbours are not printed alike", 1.7501, 1.7512, "1.75025 1.75050 1.75075 1.75100"},
		{"around 0", -1, 1, "-1.0 -0.5 0.0 0.5 1.0"},
		{"steps", 1, 1000, "200 400 600 800 1000"},
		{"nothing between", 1, 1, ""},
		{"no end", 0, math.Inf(1), ""},
	} {
		var labels []string
		for _, tick := range (ticks{}).Ticks(c.lo, c.hi) {
			labels = append(labels, tick.Label)
		}
		assert.Equal(t, c.want, strings.Join(labels, " "), c.why)
	}
	require.Empty(t, logTicks{}.Ticks(0, 1), "a logarithm has no 0")
}

// Every drawing is well-formed XML with its words, and the page's follows the page's colours.
func TestDrawings(t *testing.T) {
	for name, rs := range studies(t) {
		arms, err := table.Arms(rs)
		require.NoError(t, err)
		for _, f := range (study{arms: arms}).figures() {
			var b strings.Builder
			require.NoError(t, f.svg(&b))
			d := xml.NewDecoder(strings.NewReader(b.String()))
			for {
				_, err := d.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				require.NoError(t, err, "%s of %s", f.ID, name)
			}
			require.NotEmpty(t, f.Title)
			require.NotEmpty(t, f.Caption)
			require.NotEmpty(t, f.Desc)
			inline, err := f.Inline()
			require.NoError(t, err)
			require.NotContains(t, string(inline), "#000000", "%s of %s: black on a dark page", f.ID, name)
			require.NotContains(t, string(inline), ":#FFFFFF", "%s of %s", f.ID, name)
			require.NotContains(t, string(inline), "xmlns")
			require.Regexp(t, `fill="currentColor"`, string(inline))
			require.Regexp(t, `<text textLength="[0-9.]+"`, string(inline))
		}
	}
}

func TestCommands(t *testing.T) {
	of := func(rs []*record.Record) []string {
		arms, err := table.Arms(rs)
		require.NoError(t, err)
		return commands(arms)
	}
	c := of(usual.records())
	require.Len(t, c, 1)
	require.Contains(t, c[0], "-benchtime=60x -count=6 ")
	require.Contains(t, c[0], " -ranks=8,128,256 -alpha=16 -lr=0.0002 -targets=q_proj,v_proj ")
	require.Contains(t, c[0], " -seed=42 ")

	times := usual.records()
	for _, r := range times {
		r.Settings.Alpha = 2 * map[string]float64{"8": 8, "128": 128, "256": 256}[r.Rank]
	}
	require.Contains(t, of(times)[0], " -alpha=2r ")

	root := usual.records()
	for _, r := range root {
		r.Settings.RSLoRA = true
	}
	require.Contains(t, of(root)[0], " -alpha=sqrt ")

	c = of(madeArms(t))
	require.Len(t, c, 1)
	require.Contains(t, c[0], " -ranks=8,128 -alpha=16 -lr=0.0001,0.0002 ")
	require.Len(t, of(madeArms(t)[2:]), 3, "one combination is missing: a command for each arm")

	c = of(madeUp{ranks: []string{"8", "full"}, seeds: 1, steps: 1, every: 1, target: 1.5}.records())
	require.Contains(t, c[0], " -ranks=8,full ")
	require.True(t, strings.HasSuffix(c[0], " -eval-every=1 -target-loss=1.5"))

	odd := usual.records()
	for _, r := range odd {
		r.Settings.Model = "it's here; rm"
	}
	require.Contains(t, of(odd)[0], ` -model='it'\''s here; rm' `)
}

func TestShortNames(t *testing.T) {
	arms, err := table.Arms(madeArms(t))
	require.NoError(t, err)
	labels, key := short(arms)
	require.Equal(t, []string{"#1", "#2", "#3", "#4"}, labels)
	require.Len(t, key, 4)
	arms, err = table.Arms(usual.records())
	require.NoError(t, err)
	labels, key = short(arms)
	require.Equal(t, []string{"rank 8", "rank 128", "rank 256"}, labels)
	require.Empty(t, key)
}

// What the words say is computed: other figures, other words; no figures, no words.
func TestWords(t *testing.T) {
	said := func(rs []*record.Record) string {
		s, err := analyzed(rs, compare.Options{})
		require.NoError(t, err)
		var b strings.Builder
		for _, p := range s.words() {
			b.WriteString(strings.Join(p.Sentences, "\n") + "\n")
		}
		return b.String()
	}
	all := said(usual.records())
	require.Contains(t, all, "16,384 (1.2 %) at rank 8")
	require.Contains(t, all, "at rank 128 (95 % interval")
	require.NotContains(t, all, "ank full")
	more := usual.records()
	for _, r := range more {
		r.Trainable *= 2
	}
	require.Contains(t, said(more), "32,768 (2.5 %) at rank 8")
	require.Contains(t, said(madeUp{ranks: []string{"8", "full"}, seeds: 2, steps: 5}.records()), "Rank full against rank 8: held-out loss")
	rs := bare()
	for _, word := range []string{"eld-out", "emory", "file", "AdamW", "parameters"} {
		require.NotContains(t, said(rs), word, "a sentence without its figure is not printed")
	}
	require.Contains(t, said(madeUp{ranks: []string{"8", "128"}, seeds: 1, steps: 5}.records()), "which so few runs cannot tell from noise")
}

func TestOtherProcesses(t *testing.T) {
	rs := madeUp{ranks: []string{"8"}, seeds: 2, steps: 2, cuda: true}.records()
	arms, err := table.Arms(rs)
	require.NoError(t, err)
	require.Equal(t, []string{"During 2 of 2 runs another process held memory of the same GPU: 4711 (Xorg), up to 12 MiB. Speed, and whether a run fits, are then not the run's alone."},
		memoryTable(arms).Remarks)
}
