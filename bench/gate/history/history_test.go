package history

import (
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/gate/judge"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestClasses(t *testing.T) {
	dir := t.TempDir()
	i := 0
	add := func(config, results string) {
		i++
		put(t, dir, fmt.Sprintf("%scommit: c%d\n%s", config, i, results), start.Add(time.Duration(i)*time.Hour))
	}
	base := "model: m\ndevice: cpu\ncpu: A\nthreads: 2\ndtype: float32\n"
	add(base, line)
	add(base+"torch: 2.12\nseed: 7\nnote: x\ndriver: 1\nbranch: b\n", line) // one class with the first
	add(strings.ReplaceAll(base, "threads: 2", "threads: 4"), line)
	add(strings.ReplaceAll(base, "dtype: float32", "dtype: bfloat16"), line)
	add(base+"settings: batch=4\n", line)
	add(base, strings.ReplaceAll(line, "rank=8-2", "rank=8-4"))
	add("model: m\ndevice: cuda:0\ngpu: H\ncpu: A\nthreads: 2\ndtype: float32\n", line)
	add("model: m\ndevice: cuda:3\ngpu: H\ncpu: B\nthreads: 8\ndtype: float32\n", line) // one class with the one before
	h, err := Load(dir)
	require.NoError(t, err)
	var commits []int
	for _, c := range h.Classes {
		commits = append(commits, len(c.Trends[0].Commits))
		for _, tr := range c.Trends {
			assert.Len(t, tr.Series, 1)
		}
	}
	assert.Equal(t, []int{2, 1, 1, 1, 1, 2}, commits, "the newest first")
	assert.Equal(t, "H, m, float32, no settings", strings.ReplaceAll(h.Classes[0].Name, "H, float32, m", "H, m, float32"))
	ids := map[string]bool{}
	for _, c := range h.Classes {
		ids[c.ID] = true
	}
	assert.Len(t, ids, len(h.Classes))
}

func TestSeries(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "commit: a1\nBenchmarkRank/rank=8 100 2e6 ns/op 1.5 loss\nBenchmarkRank/rank=8 100 4e6 ns/op 1.7 loss\n", start)
	put(t, dir, "commit: b2\nBenchmarkRank/rank=8 100 0.003 sec/op 1.5 loss\nBenchmarkRank/rank=8 3 0.001 sec/op 9 loss\n", start.Add(time.Hour))
	put(t, dir, "commit: a1\nBenchmarkRank/rank=8 100 5e6 ns/op 1.6 loss\n", start.Add(2*time.Hour))
	h, err := Load(dir)
	require.NoError(t, err)
	require.Len(t, h.Classes, 1)
	var got []string
	for _, tr := range h.Classes[0].Trends {
		for _, s := range tr.Series {
			for _, p := range s.Points {
				got = append(got, fmt.Sprint(tr.Steps, " ", tr.Unit, " ", s.Name, " ", tr.Commits[p.Commit].Hash, " ", p.Values, " ", p.Median, " ", p.Min, " ", p.Max))
			}
		}
	}
	assert.Equal(t, []string{
		"3 loss rank=8 b2 [9] 9 9 9",
		"3 sec/op rank=8 b2 [0.001] 0.001 0.001 0.001",
		"100 loss rank=8 a1 [1.5 1.7 1.6] 1.6 1.5 1.7",
		"100 loss rank=8 b2 [1.5] 1.5 1.5 1.5",
		"100 ns/op rank=8 a1 [2e+06 4e+06 5e+06] 4e+06 2e+06 5e+06",
		"100 ns/op rank=8 b2 [3e+06] 3e+06 3e+06 3e+06",
	}, got, "steps apart, one unit, the runs of a commit together at its first time")
}

func TestGolden(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	made(t, dir)
	h, err := Load(dir)
	require.NoError(t, err)
	paths, err := h.Write(out)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(out, "index.html"), paths[0])
	assert.Len(t, paths, 9)
	for _, path := range paths {
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		wellFormed(t, path, string(got))
		name := filepath.Base(path)
		if name == "index.html" {
			got = []byte(withoutCharts(string(got))) // the charts are golden as files
		} else if !strings.Contains(name, "rank-samples-sec") && !strings.Contains(name, "part") {
			continue
		}
		golden := filepath.Join("testdata", name)
		if *update {
			require.NoError(t, os.MkdirAll("testdata", 0o777))
			require.NoError(t, os.WriteFile(golden, got, 0o666))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err, "go test ./bench/gate/history -run Golden -update writes it")
		assert.Equal(t, string(want), string(got), golden)
	}
}

// withoutCharts is the page with its drawings and its style left out.
func withoutCharts(page string) string {
	for _, tag := range []string{"svg", "style"} {
		var b strings.Builder
		for {
			before, rest, ok := strings.Cut(page, "<"+tag)
			b.WriteString(before)
			if !ok {
				break
			}
			_, page, _ = strings.Cut(rest, "</"+tag+">")
		}
		page = b.String()
	}
	return page
}

// wellFormed checks that SVG is XML, and that the page asks for nothing from elsewhere.
func wellFormed(t *testing.T, path, text string) {
	assert.NotContains(t, text, "NaN", path)
	assert.NotContains(t, text, "Inf", path)
	if strings.HasSuffix(path, ".html") {
		assert.NotContains(t, text, "<script")
		assert.NotContains(t, text, "src=")
		assert.NotContains(t, text, "http")
		assert.Contains(t, text, "prefers-color-scheme: dark")
		return
	}
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if !assert.NoError(t, err, path) {
			return
		}
	}
}

// Whatever the numbers and names are, drawing does not fail, and the drawing has no number that is none.
func TestOddNumbersAreDrawn(t *testing.T) {
	for _, c := range []struct {
		why    string
		values []float64
	}{
		{"one commit", []float64{3}},
		{"two", []float64{3, 4}},
		{"all zero", []float64{0, 0, 0, 0, 0, 0}},
		{"from zero", []float64{0, 0, 0, 0, 5, 5, 5, 5}},
		{"to zero", []float64{5, 5, 5, 5, 0, 0, 0, 0}},
		{"negative", []float64{-1, -2, -1, -2, -50, -51, -52, -50}},
		{"the largest", []float64{math.MaxFloat64, -math.MaxFloat64, math.MaxFloat64, -math.MaxFloat64, 1}},
		{"the smallest", []float64{5e-324, 5e-324, 1e-323, 5e-324, 1e-320, 5e-324}},
		{"forty decades", []float64{1e-20, 1, 1e20, 1e20, 1e20}},
		{"all the same", []float64{7, 7, 7, 7, 7, 7, 7}},
		{"the same but the last digit", []float64{7, math.Nextafter(7, 8), 7, 7, math.Nextafter(7, 8), 7}},
	} {
		t.Run(c.why, func(t *testing.T) {
			dir := t.TempDir()
			for i, v := range c.values {
				put(t, dir, fmt.Sprintf("cpu: <b>&\"'\ncommit: %s\nBenchmarkX/<i>&=%s 1 %v <u>&\n", hash(i), strings.Repeat("long", 40), v), start.Add(time.Duration(i)*time.Hour))
			}
			h, err := Load(dir)
			require.NoError(t, err)
			paths, err := h.Write(dir)
			require.NoError(t, err)
			for _, p := range paths {
				b, err := os.ReadFile(p)
				require.NoError(t, err)
				wellFormed(t, p, string(b))
				assert.NotContains(t, string(b), "<i>")
				assert.NotContains(t, string(b), "<u>")
			}
		})
	}
}

func TestChanges(t *testing.T) {
	steps := func(ns ...float64) []float64 { return ns }
	for _, c := range []struct {
		why    string
		values []float64
		runs   int
		want   []int
	}{
		{"nothing", nil, 1, nil},
		{"one commit", steps(1), 1, nil},
		{"without noise a change is one", steps(100, 100, 100, 100, 110, 110, 110, 110), 1, []int{4}},
		{"by one in ten thousand: below the floor", steps(10000, 10000, 10000, 10001, 10001, 10001), 1, nil},
		{"without noise, once, in the middle: an outlier", steps(100, 100, 100, 110, 100, 100, 100), 1, nil},
		{"without noise, once, at the end, one run", steps(100, 100, 100, 100, 100, 110), 1, nil},
		{"without noise, once, at the end, four runs", steps(100, 100, 100, 100, 100, 110), 4, []int{5}},
		{"up and down again", steps(100, 100, 100, 100, 110, 110, 110, 100, 100, 100, 100), 1, []int{4, 7}},
		{"from zero", steps(0, 0, 0, 0, 5, 5, 5, 5), 1, []int{4}},
	} {
		t.Run(c.why, func(t *testing.T) {
			s := &Series{}
			for i, v := range c.values {
				s.Points = append(s.Points, Point{Commit: i, Values: slices.Repeat([]float64{v}, c.runs), Median: v, Min: v, Max: v})
			}
			s.detect("higher", floor)
			assert.Equal(t, c.want, s.at())
			for _, k := range s.Changes {
				assert.Equal(t, k.At == len(s.Points)-1, k.Last)
				want := judge.CallWorse
				if k.New > k.Old {
					want = judge.CallBetter
				}
				assert.Equal(t, want, k.Call)
			}
		})
	}
}

// Another unit, or the other direction in time, is the same history.
func TestChangesDoNotDependOnTheUnit(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for range 60 {
		cut := 5 + r.IntN(commits-10)
		a := draw(r, 1, 0.01, slower(cut), r.NormFloat64)
		b, back := &Series{}, &Series{}
		for i, p := range a.Points {
			v := p.Median * 1e-9
			b.Points = append(b.Points, Point{Commit: i, Values: []float64{v}, Median: v, Min: v, Max: v})
			back.Points = append(back.Points, a.Points[len(a.Points)-1-i])
		}
		for _, s := range []*Series{a, b, back} {
			s.detect("lower", floor)
		}
		assert.Equal(t, a.at(), b.at())
		require.Len(t, back.Changes, len(a.Changes))
		for i, c := range a.Changes {
			assert.Equal(t, judge.CallBetter, c.Call)
			assert.Equal(t, commits-c.At, back.Changes[len(back.Changes)-1-i].At)
		}
	}
}

// Levels are in order, as long as a level must be, and further apart than the floor.
func TestLevelsAreLevels(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for range 300 {
		s := &Series{}
		level := 1.0
		for i := range 1 + r.IntN(80) {
			if r.IntN(8) == 0 {
				level = math.Exp(0.3 * r.NormFloat64())
			}
			p := Point{Commit: i}
			for range 1 + r.IntN(6) {
				p.Values = append(p.Values, level*math.Exp(0.02*r.NormFloat64()))
			}
			p.Median, p.Min, p.Max = median(p.Values), slices.Min(p.Values), slices.Max(p.Values)
			s.Points = append(s.Points, p)
		}
		s.detect("", floor)
		levels := append(s.Levels(), len(s.Points))
		for i, from := range levels[:len(levels)-1] {
			to := levels[i+1]
			assert.Less(t, from, to)
			if to-from < shortest && to != len(s.Points) {
				t.Fatalf("a level of %d commits: %v", to-from, levels)
			}
		}
		for _, c := range s.Changes {
			assert.Greater(t, math.Abs(c.Relative), floor)
			assert.Less(t, c.P, alpha)
			assert.Equal(t, judge.CallShown, c.Call)
		}
	}
}

func TestNamesStandApart(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 200 {
		at := make([]float64, 1+r.IntN(mostLines))
		for i := range at {
			at[i] = 30 + plotHeight*r.Float64()
		}
		to := apart(at, 13, 26, 30+plotHeight)
		slices.Sort(to)
		for i := 1; i < len(to); i++ {
			assert.GreaterOrEqual(t, to[i]-to[i-1], 13-1e-9)
		}
		assert.LessOrEqual(t, to[len(to)-1], 30+plotHeight)
	}
}
