package show

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/gate/judge"
	"lorabench/bench/results"
)

var update = flag.Bool("update", false, "write the golden files")

var writers = map[string]func(*judge.Verdict) string{
	"md": Markdown, "json": JSON, "github": Annotations,
	"txt":         func(v *judge.Verdict) string { return Text(v, false) },
	"verbose.txt": func(v *judge.Verdict) string { return Text(v, true) }}

func TestGolden(t *testing.T) {
	for name, v := range made() {
		if name == "many" { // TestMany; its files would be as long
			continue
		}
		for form := range writers {
			got := writers[form](v)
			path := filepath.Join("testdata", name+"."+form)
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o777))
				require.NoError(t, os.WriteFile(path, []byte(got), 0o666))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err, "go test ./bench/gate/show -update writes it")
			assert.Equal(t, string(want), got, "%s: after a wanted change: go test ./bench/gate/show -update", path)
		}
	}
}

// wellFormed is what holds for every verdict in every form.
func wellFormed(t *testing.T, v *judge.Verdict) {
	t.Helper()
	for form := range writers {
		s := writers[form](v)
		require.True(t, utf8.ValidString(s), form)
		require.NotContains(t, s, "##[", "%s has the beginning of a command of GitHub's log", form)
		for _, r := range s {
			require.True(t, r == '\n' || unicode.IsPrint(r) || form == "json" || form == "md" && r == '\u200b', "%s has the character %U", form, r)
		}
		switch form {
		case "json":
			var j struct {
				Schema, Status         string
				Exit                   int `json:"exit_status"`
				Problems, Results      []map[string]any
				Added, Notes, Unjudged []string
				Baseline               struct{ Files []string }
				New                    struct{ Config []any }
			}
			require.NoError(t, json.Unmarshal([]byte(s), &j))
			require.Equal(t, Schema, j.Schema)
			require.Equal(t, v.Status.String(), j.Status)
			require.Equal(t, int(v.Status), j.Exit)
			require.Len(t, j.Results, len(v.Results))
			require.Len(t, j.Problems, len(v.Problems))
			for _, list := range []any{j.Problems, j.Results, j.Added, j.Notes, j.Unjudged, j.Baseline.Files, j.New.Config} {
				require.NotNil(t, list, "a list is never null")
			}
			for _, r := range j.Results {
				require.Contains(t, r, "same_as")
				require.NotNil(t, r["causes"])
			}
		case "github":
			for line := range strings.Lines(s) {
				require.Regexp(t, `^::(error|warning|notice) (file=[^,:]+,(line=\d+,)?)?title=[^,:]+::.+\n$`, line)
			}
			require.True(t, v.Status == judge.Pass || s != "", "silent only where there is nothing to say")
		case "md":
			fence := regexp.MustCompile("(?m)^(`{3,})text$").FindStringSubmatch(s)
			require.Len(t, fence, 2, s)
			require.Equal(t, 2, strings.Count(s, fence[1]), "nothing ends the block")
			require.Less(t, utf8.RuneCountInString(s), 65536, "GitHub refuses longer comments")
		case "txt", "verbose.txt":
			for line := range strings.Lines(s) {
				require.NotRegexp(t, `^\s*(::|##\[)`, line, "no command of GitHub's")
			}
		}
	}
}

func TestWellFormed(t *testing.T) {
	for name, v := range made() {
		t.Run(name, func(t *testing.T) {
			wellFormed(t, v)
			for form := range writers {
				s := writers[form](v)
				assert.NotContains(t, s, "NaN", form)
				assert.NotContains(t, s, "Inf", form)
			}
		})
	}
}

func TestShortWhenAllIsWell(t *testing.T) {
	s := writers["md"](made()["pass"])
	before, _, ok := strings.Cut(s, "\n\n<details>")
	require.True(t, ok)
	require.Equal(t, "✓ **Gate:** As good or better: 4 results judged, none worse.", before)
}

// TestMany is that nobody has to scroll, and that what is left out is said.
func TestMany(t *testing.T) {
	v := made()["many"]
	text := writers["txt"](v)
	require.Less(t, strings.Count(text, "\n"), 800)
	require.Contains(t, text, "… and 280 more: -v shows them")
	require.Contains(t, text, "700 results not shown: -v shows them")
	verbose := writers["verbose.txt"](v)
	require.NotContains(t, verbose, "-v shows")
	require.Contains(t, verbose, "Case/n=299 ns/op: 100 ns → 110 ns: 10 % more")
	require.Equal(t, 3*fewAnnotations, strings.Count(writers["github"](v), "\n"), "ten that are worse, ten better, ten new")

	// Where the input cannot be used, only what is wrong with it is told: nobody can decide by the rest.
	v.Status = judge.Unusable
	for i := range 300 {
		v.Problems = append(v.Problems, judge.Problem{Kind: results.Unreadable, File: "x.txt", Line: i + 1, Text: "no benchmark line"})
	}
	wellFormed(t, v)
	text = writers["txt"](v)
	require.Contains(t, text, "… and 280 more: -v shows them")
	require.NotContains(t, text, "Case/n=299 ns/op")
	require.Contains(t, text, "What could be compared, which decides nothing:")
	require.Contains(t, writers["verbose.txt"](v), "x.txt:300: no benchmark line")
	github := writers["github"](v)
	require.NotContains(t, github, "Case/")
	require.Equal(t, fewAnnotations, strings.Count(github, "::error "))
}

func FuzzWriters(f *testing.F) {
	f.Add("Rank/rank=8", "samples/sec", "bench.txt", "5 % fewer", 1.0, 2.0, 1)
	f.Add("::error::\r\n", "\x1b[2J", "a,b:c", "</details>\xff\u2028", math.NaN(), math.Inf(1), 3)
	f.Add("a ##[error] ##[##[", "##", "[", "1. www.example.org ##[warning]", 1.0, 1.0, 2)
	f.Add("", "", "", "", 0.0, math.Copysign(0, -1), 0)
	f.Add(" ::error::a", "\n::error::", "\t::", "\r\n::warning::b", 1.0, 2.0, 2)
	f.Fuzz(func(t *testing.T, benchmark, unit, file, text string, a, b float64, status int) {
		r := result(benchmark, unit, judge.Class(text), file, sample(a, b), sample(b))
		v := &judge.Verdict{Status: judge.Status(uint(status) % 4), Text: text, Added: []string{benchmark}, Notes: []string{text},
			Problems: []judge.Problem{{Kind: results.Kind(unit), File: file, Line: status, Benchmark: benchmark, Unit: unit, Text: text}},
			Unjudged: []string{unit},
			Baseline: judge.Side{Label: text, Files: []string{file}, Config: []judge.Config{{Key: unit, Values: []string{text}}}}}
		r.Causes = []string{text}
		for _, call := range []judge.Call{judge.CallWorse, judge.CallNumerics, judge.CallBetter, judge.CallSame, judge.CallCannotTell, judge.CallShown} {
			one := *r
			v.Results = append(v.Results, as(&one, call, text))
		}
		wellFormed(t, v)
	})
}
