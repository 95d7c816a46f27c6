package report

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/compare"
	"lorabench/bench/record"
	"lorabench/bench/results"
	"lorabench/bench/table"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o777))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o666))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the tests with -update")
	require.Equal(t, string(want), got, "run the tests with -update if the new one is right")
}

// studies are what the outputs are tested on, each for its reason.
func studies(t *testing.T) map[string][]*record.Record {
	odd := madeUp{ranks: []string{"8", "16"}, seeds: 2, steps: 12, name: `<script>alert("1")</script> a|b & "c" ümläut`}.records()
	for _, r := range odd {
		r.Name += `/targets=<b>|&"'` + "\x1b[31m"
		r.Machine.CPU = "a|b <i>"
	}
	short := usual
	short.seeds, short.steps = 1, 2
	return map[string][]*record.Record{
		"usual":   usual.records(),
		"single":  madeUp{ranks: []string{"8", "128", "256"}, seeds: 1, steps: 60}.records(),
		"alone":   madeUp{ranks: []string{"8"}, seeds: 1, steps: 1}.records(),
		"noeval":  madeUp{ranks: []string{"8", "128"}, seeds: 3, steps: 20, noEval: true}.records(),
		"full":    madeUp{ranks: []string{"8", "128", "full"}, seeds: 6, steps: 40, every: 10, target: 1.53, cuda: true}.records(),
		"odd":     odd,
		"short":   short.records(),
		"arms":    madeArms(t),
		"bare":    bare(),
		"strange": strange(),
	}
}

// bare records have nothing that may be missing.
func bare() []*record.Record {
	rs := madeUp{ranks: []string{"8", "full"}, seeds: 2, steps: 5, noEval: true}.records()
	for _, r := range rs {
		r.Memory, r.InitialMemory, r.PeakMemory = nil, record.Peak{}, record.Peak{}
		r.Steps, r.TotalFLOPs, r.AdapterBytes, r.Model.Parameters = nil, 0, 0, 0
	}
	return rs
}

// strange records have values at the edge of what can be drawn.
func strange() []*record.Record {
	rs := madeUp{ranks: []string{"8", "128"}, seeds: 2, steps: 30}.records()
	for i, r := range rs {
		for j := range r.Steps {
			r.Steps[j].GradNorm = 0 // nothing for a logarithm
			r.Steps[j].Loss = 1e30
		}
		r.Memory[1].Predicted, r.Memory[2].Predicted, r.Memory[3].Measured = ptr(int64(1)), ptr(int64(0)), ptr(int64(0))
		r.Memory = append(r.Memory, record.Category{Name: "of another version", Measured: ptr(int64(5 << 20))})
		if i == 0 {
			r.EvalLoss = nil // of one seed only
		}
	}
	return rs
}

func TestSummary(t *testing.T) {
	for name, rs := range studies(t) {
		if name != "usual" && name != "full" && name != "arms" && name != "alone" {
			continue
		}
		var b bytes.Buffer
		require.NoError(t, table.WriteSummary(&b, rs, 100))
		golden(t, name+".txt", b.String())
		for _, line := range strings.Split(b.String(), "\n") {
			if !strings.HasPrefix(line, "[") {
				assert.LessOrEqual(t, len([]rune(line)), 100, "a line that wraps is no table")
			}
		}
	}
}

// whole is what every output of records is made from.
func whole(t *testing.T, rs []*record.Record) *study {
	t.Helper()
	s, err := analyze(rs, compare.Options{})
	require.NoError(t, err)
	return s
}

// TestAResumedRunGivesLossesOnly: its time and memory are of several processes, and count nowhere.
func TestAResumedRunGivesLossesOnly(t *testing.T) {
	made := madeUp{ranks: []string{"8", "128"}, seeds: 3, steps: 40, every: 10, target: 1.6}
	rs := made.records()
	hours, gib := 3e5, int64(100<<30)
	rs[1].Resumed, rs[1].Runtime, rs[1].SamplesPerSecond, rs[1].StepsPerSecond, rs[1].TokensPerSecond = 30, hours, hours, hours, hours
	rs[1].ProcessedPerSecond, rs[1].SecondsToTarget, rs[1].PeakMemory.RSS, rs[1].InitialMemory.RSS = hours, &hours, &gib, &gib
	for i := range rs[1].Memory {
		rs[1].Memory[i].Measured = &gib
	}
	for i := range rs[1].Laps {
		rs[1].Laps[i].Seconds = hours
	}
	for i := range rs[1].Evals {
		rs[1].Evals[i].Seconds = hours
	}
	s := whole(t, rs)
	remark := "rank=8, seed 43 was resumed after step 30: its time and memory are not compared."
	for _, write := range []func(io.Writer) error{s.markdown, s.page, func(w io.Writer) error { return table.WriteSummary(w, rs, table.Width) }} {
		var b strings.Builder
		require.NoError(t, write(&b))
		require.Equal(t, 1, strings.Count(strings.ReplaceAll(b.String(), "\\", ""), remark))
		require.NotRegexp(t, `300,000|3e\+?05|100 GiB|Unsteady`, b.String())
	}
	for _, m := range s.a.Metrics {
		require.Equal(t, slices.Contains([]string{"loss", "train-loss", "eval-loss", "grad-norm", results.Parameters, results.AdapterBytes}, m.Name),
			m.Arms[0].Missing == 0, m.Name)
	}
	require.Equal(t, whole(t, made.records()).arms[0].Over(table.EvalLoss), s.arms[0].Over(table.EvalLoss), "its losses count")
}

// TestAnArmThatDivergedIsNamedAndLeftOut in every output; what was forgotten is in the table.
func TestAnArmThatDivergedIsNamedAndLeftOut(t *testing.T) {
	rs := madeUp{ranks: []string{"8", "128"}, seeds: 2, steps: 30}.records()
	for _, r := range rs {
		r.Settings.Forget, r.ForgetLoss, r.Data.ForgetLossBase = "other.jsonl", ptr(0.9876), ptr(0.8765)
	}
	d := *rs[0]
	d.Name, d.Diverged, d.Steps, d.EvalLoss, d.ForgetLoss, d.Loss = "rank=8/lr=10", 4, d.Steps[:3], nil, nil, 0
	rs = append(rs, &d)
	var b bytes.Buffer
	require.NoError(t, table.WriteSummary(&b, rs, table.Width))
	left := fmt.Sprintf("Left out, because training diverged: rank=8/lr=10 (seed %d at step 4).", d.Seed)
	require.Contains(t, b.String(), left)
	require.Regexp(t, `forget_loss +0\.9876 +0\.9876`, b.String())
	require.Regexp(t, `forget_loss before training +0\.8765 +0\.8765`, b.String())
	b.Reset()
	s := whole(t, rs)
	require.Len(t, s.arms, 2)
	require.NoError(t, s.markdown(&b))
	require.Equal(t, 1, strings.Count(b.String(), "rank=8/lr=10"), "in the note alone")
	require.Contains(t, b.String(), left)
	require.Regexp(t, `(?i)forget-loss \([^)]*lower is better\)`, b.String(), "among the metrics that are compared")
	_, err := analyze([]*record.Record{&d}, compare.Options{})
	require.ErrorContains(t, err, "no arm is left to compare")
}

func TestMarkdown(t *testing.T) {
	for name, rs := range studies(t) {
		if name == "strange" || name == "short" {
			continue
		}
		var b bytes.Buffer
		require.NoError(t, whole(t, rs).markdown(&b))
		golden(t, name+".md", b.String())
		columns := 0
		for _, line := range strings.Split(b.String(), "\n") {
			if !strings.HasPrefix(line, "|") {
				columns = 0
				continue
			}
			n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
			if columns > 0 {
				assert.Equal(t, columns, n, "%s: every row has the header's cells: %s", name, line)
			}
			columns = n
		}
	}
}

var (
	drawing = regexp.MustCompile(`(?s)</desc>.*?</svg>`)
	style   = regexp.MustCompile(`(?s)<style>.*</style>`)
)

// The drawings are left out of the golden pages: another machine may round their coordinates
// otherwise. Their titles and descriptions, with every number, stay.
func TestPage(t *testing.T) {
	for name, rs := range studies(t) {
		if name == "strange" || name == "short" {
			continue
		}
		var b bytes.Buffer
		s := whole(t, rs)
		require.NoError(t, s.page(&b))
		golden(t, name+".html", style.ReplaceAllString(drawing.ReplaceAllString(b.String(), "</desc></svg>"), "<style></style>"))
	}
}

func TestEveryOutput(t *testing.T) {
	link := regexp.MustCompile(`(?i)<[a-z][^>]*\s(?:src|href|srcset|xlink:href|action|poster|data)\s*=\s*["']?([^"'\s>]*)`)
	id := regexp.MustCompile(`\bid="([^"]*)"`)
	notNumber := regexp.MustCompile(`\b(NaN|[Ii]nf|[-+]Inf|Infinity)\b|∞`)
	for name, rs := range studies(t) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			a, err := Write(dir, rs, compare.Options{})
			require.NoError(t, err)
			require.NotEmpty(t, a.Verdict.Text)
			var summary bytes.Buffer
			require.NoError(t, table.WriteSummary(&summary, rs, table.Width))
			require.NoError(t, WriteVerdict(&summary, a, "report.html", table.Width))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "summary.txt"), summary.Bytes(), 0o666))
			files, err := filepath.Glob(filepath.Join(dir, "*.*"))
			require.NoError(t, err)
			svgs, err := filepath.Glob(filepath.Join(dir, "figures", "*.svg"))
			require.NoError(t, err)
			pngs, err := filepath.Glob(filepath.Join(dir, "figures", "*.png"))
			require.NoError(t, err)
			require.Len(t, pngs, len(svgs), "each figure is there twice")
			for _, path := range append(files, svgs...) {
				b, err := os.ReadFile(path)
				require.NoError(t, err)
				s := string(b)
				assert.Empty(t, notNumber.FindAllString(s, 3), "%s: what was not measured is a dash", path)
				assert.NotContains(t, s, "\x1b", "%s: no escape sequence from a name", path)
				assert.NotContains(t, s, "%!", "%s: no verb without its value", path)
			}
			page, err := os.ReadFile(filepath.Join(dir, "report.html"))
			require.NoError(t, err)
			s := string(page)
			assert.NotContains(t, strings.ToLower(s), "<script", "no script, and no name that becomes one")
			assert.NotContains(t, s, "<b>", "names are escaped")
			assert.NotContains(t, s, "http://")
			assert.NotContains(t, s, "https://")
			assert.NotRegexp(t, `(?i)@import|url\(`, s, "nothing is fetched by the style either")
			ids := map[string]int{}
			for _, m := range id.FindAllStringSubmatch(s, -1) {
				ids[m[1]]++
			}
			for k, n := range ids {
				assert.Equal(t, 1, n, "id %s is there once", k)
			}
			for _, m := range link.FindAllStringSubmatch(s, -1) {
				if target, ok := strings.CutPrefix(m[1], "#"); ok {
					assert.Contains(t, ids, target, "a link inside the page has its target")
					continue
				}
				assert.FileExists(t, filepath.Join(dir, m[1]), "a link outside goes to a figure's file")
			}
			assert.Equal(t, strings.Count(s, "<svg"), strings.Count(s, `role="img" aria-labelledby=`), "each drawing has its words")
			assert.Equal(t, len(svgs), strings.Count(s, "<figure "), "each figure is in the page and beside it")
			assert.Equal(t, strings.Count(s, "<table "), strings.Count(s, "<caption>"), "each table has a caption")
		})
	}
}

func TestWriteTwiceIsTheSame(t *testing.T) {
	read := func() map[string]string {
		dir := t.TempDir()
		_, err := Write(dir, usual.records(), compare.Options{})
		require.NoError(t, err)
		out := map[string]string{}
		require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			out[strings.TrimPrefix(path, dir)] = string(b)
			return err
		}))
		return out
	}
	one, two := read(), read()
	require.Equal(t, len(one), len(two))
	for name, b := range one {
		require.True(t, b == two[name], "%s differs from one time to the next", name)
	}
}

func TestRefused(t *testing.T) {
	mixed := usual.records()
	mixed[3].Settings.Recipe = "assigned"
	elsewhere, later := usual.records(), usual.records()
	elsewhere[4].Machine.CPU, later[4].Machine.Commit = "Another processor", "0123456789ab"
	twice := usual.records()
	twice[1].Seed = twice[0].Seed
	for _, c := range []struct {
		why  string
		rs   []*record.Record
		o    compare.Options
		want string
	}{
		{"nothing to report", nil, compare.Options{}, "no run records"},
		{"two studies in one folder", mixed, compare.Options{}, "recipe"},
		{"two machines", elsewhere, compare.Options{}, `cpu is "A processor" in rank=8,seed=42 and "Another processor" in rank=8,seed=46`},
		{"two commits", later, compare.Options{}, `commit is "53bd62dbc571" in rank=8,seed=42 and "0123456789ab" in rank=8,seed=46`},
		{"a run counted twice", twice, compare.Options{}, "seed 42"},
	} {
		dir := t.TempDir()
		_, err := Write(dir, c.rs, c.o)
		require.ErrorContains(t, err, c.want, c.why)
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left, "%s: nothing is written", c.why)
	}
	require.Error(t, table.WriteSummary(&bytes.Buffer{}, nil, table.Width))
	require.ErrorContains(t, table.WriteSummary(failing{}, usual.records(), table.Width), "full")
	s := whole(t, usual.records())
	require.ErrorContains(t, s.markdown(failing{}), "full")
	require.ErrorContains(t, s.page(failing{}), "full")
}

// failing is a disk without room.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, fmt.Errorf("full") }
