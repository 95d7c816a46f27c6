package main

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
)

// tested lists the packages of stage 1, parts of the names of the tests whose outcome depends on the device, and whether any of them
// compares no values, so that the stand-in can run it. In internal/decoder nearly all do, and the rest takes seconds.
var tested = []struct {
	pkg, run string
	standIn  bool
}{
	{"internal/torch", "CUDA|Graph|Device|Derivative|Dropout|Snapshot|Peak|Usage|Attention|Product|Formula|Chunks|Rows|Seed|BFloat16", true},
	{"lora", "Agree|Derivative|Rows|Graph|Repeat|Dropout|Seed|Autocast|Restore|Merged|Starts|Tensors|Save|Sequence|BFloat16|Half|Prepare|PEFTReads|Train", false},
	{"internal/decoder", "Test", false},
}

// slowOnCPU matches tests that never use a card and would take its time.
const slowOnCPU = "IsAsCloseAsAutocast|TrueShape"

// onCard selects, of tests with a subtest for each device, those of the cards, and whole tests that use nothing but a card. The
// parentheses keep the slash from belonging to the last name alone.
func onCard(run string) string { return "(" + run + ")/cuda|CUDA$" }

// usesCard is the same rule for the names in a log: a test of the CPU that was selected by its name proves nothing on a card.
var usesCard = regexp.MustCompile(`/cuda(:|/|$)|^[^/]*CUDA$`)

// testJobs returns jobs that run the tests, on the card alone if there is one: their outcome on the CPU is known.
func (s *session) testJobs() ([]job, error) {
	var jobs []job
	for _, t := range tested {
		argv := []string{s.path(t.pkg + "/" + path.Base(t.pkg) + ".test"), "-test.v", "-test.timeout=0", "-test.run=" + t.run}
		if s.cuda() {
			argv = append(argv[:len(argv)-1], "-test.run="+onCard(t.run), "-test.skip="+slowOnCPU)
		}
		j := job{name: t.pkg, dir: s.path(t.pkg), argv: argv, read: readTests(s.cuda())}
		if s.standIn && !t.standIn {
			j.skip = "the stand-in computes nothing that its tests could compare"
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

var testLine = regexp.MustCompile(`(?m)^\s*--- (PASS|FAIL|SKIP): (\S+)`)

// readTests counts the tests that have ended, those with subtests by their subtests; with card those alone that used it. A failure
// counts wherever it is, and that nothing passed is an error.
func readTests(card bool) func(log string) ([]row, error) {
	return func(log string) ([]row, error) {
		b, err := os.ReadFile(log)
		if err != nil {
			return nil, err
		}
		n, failed := countTests(string(b), card)
		figures := []figure{{Column: "passed", Value: n["PASS"]}, {Column: "failed", Value: n["FAIL"]}, {Column: "skipped", Value: n["SKIP"]}}
		if len(failed) > 0 {
			figures = append(figures, figure{Column: "which failed", Text: strings.Join(failed, " ")})
		}
		if n["PASS"] == 0 {
			err = fmt.Errorf("no test passed on the device that was asked for: see %s", log)
		}
		return []row{{Figures: figures}}, err
	}
}

func countTests(log string, card bool) (n map[string]float64, failed []string) {
	found := testLine.FindAllStringSubmatch(log, -1)
	parents := map[string]bool{}
	for _, m := range found {
		for p := path.Dir(m[2]); p != "."; p = path.Dir(p) {
			parents[p] = true
		}
	}
	n = map[string]float64{}
	for _, m := range found {
		outcome, name := m[1], m[2]
		switch {
		case parents[name]:
		case outcome == "FAIL":
			n[outcome]++
			failed = append(failed, name)
		case !card || usesCard.MatchString(name):
			n[outcome]++
		}
	}
	return n, failed
}
