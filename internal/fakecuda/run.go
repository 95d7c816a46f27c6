package fakecuda

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"lorabench/bench/record"
)

// The environment of a benchmark that runs on the stand-in.
const (
	countersVariable = "FAKECUDA_COUNTERS"
	// ReportVariable names the file that bench appends a Run to for each run. It is the only way out for what happened
	// on a stand-in: bench reports no metric there and writes no record.
	ReportVariable = "LORABENCH_STANDIN_REPORT"
)

// Run is a benchmark's run on the stand-in: the allocator's figures, and what was counted from the first step on.
type Run struct {
	Record *record.Record `json:"record"` // its losses and speeds mean nothing
	Steps  Counters       `json:"steps"`  // between the clock's start and its end
	All    Counters       `json:"all"`    // since the process began
}

// OwnCounters reads the counters of this process.
func OwnCounters() (Counters, error) { return ReadCounters(os.Getenv(countersVariable)) }

// ReadRuns reads the file that ReportVariable named, in the order of the runs.
func ReadRuns(path string) ([]Run, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the report of the runs on the stand-in: %w", err)
	}
	var runs []Run
	d := json.NewDecoder(bytes.NewReader(b))
	for d.More() {
		var r Run
		if err := d.Decode(&r); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		runs = append(runs, r)
	}
	return runs, nil
}
