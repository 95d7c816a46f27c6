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
		{"internal/torch", "CUDA|Graph|Device|Derivative|Dropout|Snapshot|Peak|Usage|Attention|Product|Formula|Chunks|Rows|Seed|BFloat16"},
		{"lora", "Agree|Derivative|Rows|Graph|Repeat|Dropout|Seed|Autocast|Restore|Merged|Starts|Trains|Tensors|Save|Sequence|BFloat16"},
		{"opt", "Agree|Derivative|Dropout|Gradient|Formula|Neighbours|BFloat16"},
	} {
		run := t.run
		if s.cuda() {
			run += "/cuda" // of tests with a subtest for each device, those of the cards; tests without subtests run whole
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
