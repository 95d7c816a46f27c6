package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/root"
)

func TestReadTests(t *testing.T) {
	for _, c := range []struct {
		card bool
		log  string
		want []figure
		why  string
	}{
		{false, "--- PASS: TestA (0s)\n    --- PASS: TestA/cpu (0s)\n    --- FAIL: TestA/other (0s)\n--- SKIP: TestB (0s)\n" +
			"--- PASS: TestC (0s)\n",
			[]figure{{Column: "passed", Value: 2}, {Column: "failed", Value: 1}, {Column: "skipped", Value: 1},
				{Column: "which failed", Text: "TestA/other"}}, "subtests in place of their parent"},
		{true, "--- PASS: TestA (0s)\n    --- PASS: TestA/cuda:0 (0s)\n        --- PASS: TestA/cuda:0/x (0s)\n--- PASS: TestB (0s)\n" +
			"--- FAIL: TestC (0s)\n--- SKIP: TestOnCUDA (0s)\n--- PASS: TestCUDAPart (0s)\n",
			[]figure{{Column: "passed", Value: 1}, {Column: "failed", Value: 1}, {Column: "skipped", Value: 1},
				{Column: "which failed", Text: "TestC"}}, "those that used the card, and every failure"},
		{true, "--- PASS: TestA (0s)\n--- SKIP: TestOnCUDA (0s)\n",
			[]figure{{Column: "passed"}, {Column: "failed"}, {Column: "skipped", Value: 1}}, "none that used the card"},
	} {
		log := filepath.Join(t.TempDir(), "log")
		require.NoError(t, os.WriteFile(log, []byte(c.log), 0o666))
		rows, err := readTests(c.card)(log)
		require.Equal(t, []row{{Figures: c.want}}, rows, c.why)
		if c.want[0].Value == 0 {
			require.ErrorContains(t, err, "no test passed on the device", c.why)
		} else {
			require.NoError(t, err, c.why)
		}
	}
}

// probes makes the tests below run.
const probes = "GPUCHECK_PROBES"

func probe(t *testing.T, subtests ...string) {
	if os.Getenv(probes) == "" {
		t.Skip("is run by TestSelection")
	}
	for _, name := range subtests {
		t.Run(name, func(t *testing.T) { t.Run("deeper", func(*testing.T) {}) })
	}
}

func TestProbeFirst(t *testing.T)      { probe(t, "cpu", "cuda:0", "cuda:1") }
func TestProbeLast(t *testing.T)       { probe(t, "cpu", "cuda:0") }
func TestProbeOfTheCPU(t *testing.T)   { probe(t, "case") }
func TestProbeOnCUDA(t *testing.T)     { probe(t) }
func TestProbeTrueShape(t *testing.T)  { probe(t, "cuda:0") }
func TestProbeUnselected(t *testing.T) { probe(t, "cuda:0") }
func TestProbeFirstAlone(t *testing.T) { probe(t) }

// TestSelection has the testing package itself read the patterns.
func TestSelection(t *testing.T) {
	const run = "ProbeFirst|ProbeTrueShape|ProbeOfTheCPU|ProbeLast"
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run="+onCard(run), "-test.skip="+slowOnCPU)
	cmd.Env = append(os.Environ(), probes+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	var ran []string
	for _, m := range regexp.MustCompile(`=== RUN +(\S+)`).FindAllStringSubmatch(string(out), -1) {
		ran = append(ran, m[1])
	}
	require.Equal(t, []string{"TestProbeFirst", "TestProbeFirst/cuda:0", "TestProbeFirst/cuda:0/deeper", "TestProbeFirst/cuda:1",
		"TestProbeFirst/cuda:1/deeper", "TestProbeLast", "TestProbeLast/cuda:0", "TestProbeLast/cuda:0/deeper", "TestProbeOfTheCPU",
		"TestProbeOnCUDA", "TestProbeFirstAlone"}, ran)
	n, failed := countTests(string(out), true)
	require.Empty(t, failed)
	require.Equal(t, map[string]float64{"PASS": 4}, n, "three subtests of cards and the one that needs a card")
}

// TestNamesTellWhatUsesACard holds the tests of stage 1 to the names that the patterns rely on.
func TestNamesTellWhatUsesACard(t *testing.T) {
	top, err := root.Dir()
	require.NoError(t, err)
	slow := regexp.MustCompile(slowOnCPU)
	for _, p := range tested {
		onDevices, onStandIn := 0, false
		for name, body := range testsOf(t, filepath.Join(top, p.pkg)) {
			require.Equal(t, strings.Contains(body, "devices.GPU("), strings.HasSuffix(name, "CUDA"), "%s of %s", name, p.pkg)
			require.False(t, slow.MatchString(name) && strings.Contains(body, "devices."), "%s of %s uses a card", name, p.pkg)
			onStandIn = onStandIn || strings.Contains(body, "devices.EachWithStandIn(") || strings.Contains(body, "devices.GPU(")
			if strings.Contains(body, "devices.Each") {
				require.Regexp(t, p.run, name, "%s of %s would not run on a card", name, p.pkg)
				onDevices++
			}
		}
		require.Greater(t, onDevices, 5, p.pkg)
		require.Equal(t, onStandIn, p.standIn, p.pkg)
	}
}

// testsOf returns the text of each test of a package.
func testsOf(t *testing.T, dir string) map[string]string {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	bodies := map[string]string{}
	for _, path := range files {
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		f, err := parser.ParseFile(token.NewFileSet(), path, source, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") {
				bodies[fn.Name.Name] = string(source[fn.Pos()-f.FileStart : fn.End()-f.FileStart])
			}
		}
	}
	return bodies
}
