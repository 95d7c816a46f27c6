package main

import (
	"os"
	"path"
	"regexp"
	"strings"
)

// testJobs are the tests whose outcome depends on the device. What they find on the CPU is known before a card is at hand, but
// most compare the two.
func (s *session) testJobs() ([]job, error) {
	var jobs []job
	for _, t := range []struct{ pkg, run string }{
		{"internal/torch", "CUDA|Graph|Device|Derivative|Dropout|Snapshot|Peak|Usage|Attention|Product"},
		{"lora", "Agree|Derivative|Rows|Graph|Repeatable|Dropout|Seed|Autocast"},
		{"opt", "Agree|Derivative|Dropout|Gradient|Device"},
	} {
		run := t.run
		if s.cuda() && t.pkg != "internal/torch" {
			run += "/cuda" // of tests with a subtest for each device, that of the card; the others run whole
		}
		jobs = append(jobs, job{name: t.pkg, dir: s.path(t.pkg), read: readTests,
			argv: []string{s.path(t.pkg + "/" + path.Base(t.pkg) + ".test"), "-test.v", "-test.timeout=0", "-test.run=" + run}})
	}
	return jobs, nil
}

var testLine = regexp.MustCompile(`(?m)^\s*--- (PASS|FAIL|SKIP): (\S+)`)

// readTests counts the tests that have ended, those with subtests by their subtests.
func readTests(log string) ([]row, error) {
	b, err := os.ReadFile(log)
	if err != nil {
		return nil, err
	}
	found := testLine.FindAllStringSubmatch(string(b), -1)
	parents := map[string]bool{}
	for _, m := range found {
		for p := path.Dir(m[2]); p != "."; p = path.Dir(p) {
			parents[p] = true
		}
	}
	n := map[string]float64{}
	var failed []string
	for _, m := range found {
		if parents[m[2]] {
			continue
		}
		n[m[1]]++
		if m[1] == "FAIL" {
			failed = append(failed, m[2])
		}
	}
	figures := []figure{{Column: "passed", Value: n["PASS"]}, {Column: "failed", Value: n["FAIL"]}, {Column: "skipped", Value: n["SKIP"]}}
	if len(failed) > 0 {
		figures = append(figures, figure{Column: "which failed", Text: strings.Join(failed, " ")})
	}
	return []row{{Figures: figures}}, nil
}
