package show

import (
	"bytes"
	"encoding/json"
	"io"

	"lorabench/bench/format"
	"lorabench/bench/gate/judge"
)

// Schema names the form of the JSON. Fields are added without a new name; none changes its meaning or
// goes without one.
const Schema = "lorabench-gate/1"

// JSON is a verdict for programs. Every field is always there: lists may be empty, and a figure that does
// not exist is null. Relative figures are fractions of the baseline, positive where new is higher.
type JSON struct {
	Schema   string        `json:"schema"`      // Schema
	Status   string        `json:"status"`      // "pass", "worse", "unusable" or "cannot tell"
	Exit     int           `json:"exit_status"` // 0, 1, 2, 3 in that order: the command's own
	Verdict  string        `json:"verdict"`     // a sentence
	Compared int           `json:"compared"`    // results that the p values are corrected for
	Baseline JSONSide      `json:"baseline"`
	New      JSONSide      `json:"new"`
	Problems []JSONProblem `json:"problems"`
	Results  []JSONResult  `json:"results"` // by benchmark, then loss, speed, memory, counts, others
	Added    []string      `json:"added"`   // benchmarks that only new has
	Causes   []JSONCause   `json:"causes"`
	Notes    []string      `json:"notes"`
}

// JSONSide is one of the two things compared.
type JSONSide struct {
	Label  string       `json:"label"`
	Files  []string     `json:"files"`
	Config []JSONConfig `json:"config"` // in order of first appearance
}

// JSONConfig is a key of the benchmark configuration, with all of its values.
type JSONConfig struct {
	Key    string   `json:"key"`
	Values []string `json:"values"`
}

// JSONProblem is a reason why the input cannot be judged.
type JSONProblem struct {
	Kind      string `json:"kind"` // "unreadable", "not finite", "missing benchmark", "missing metric", "mismatch", "direction", "empty"
	File      string `json:"file"` // "" where it is of no one file
	Line      int    `json:"line"` // 0 where it is of no one line
	Benchmark string `json:"benchmark"`
	Unit      string `json:"unit"`
	Text      string `json:"text"`
}

// JSONResult is one metric of one benchmark on both sides.
type JSONResult struct {
	Benchmark  string     `json:"benchmark"` // without "Benchmark" and GOMAXPROCS' suffix
	Unit       string     `json:"unit"`      // of the samples' values
	Better     string     `json:"better"`    // "higher", "lower" or ""
	Class      string     `json:"class"`     // "loss", "speed", "memory", "count" or "other"
	Call       string     `json:"call"`      // "worse", "better", "same", "cannot tell" or "shown", which is not judged
	Why        string     `json:"why"`
	SameAs     string     `json:"same_as"` // the unit that is judged for this one; "" where it stands for itself
	Exact      bool       `json:"exact"`   // compared value by value, without a test
	Pairs      int        `json:"pairs"`   // seeds that both sides have
	Change     *float64   `json:"change"`
	Low        *float64   `json:"low"` // of the 95 % interval of change
	High       *float64   `json:"high"`
	P          *float64   `json:"p"` // one-sided
	Corrected  *float64   `json:"p_corrected"`
	Detectable *float64   `json:"detectable"` // the smallest worsening that so many samples would find
	Rule       JSONRule   `json:"rule"`
	Baseline   JSONSample `json:"baseline"`
	New        JSONSample `json:"new"`
}

// JSONRule is the rule that a result was judged by, as gate.txt has its fields.
type JSONRule struct {
	Unit   string   `json:"unit"`
	Floor  *float64 `json:"floor"`
	Alpha  *float64 `json:"alpha"`
	Detect *float64 `json:"detect"`
	Mode   string   `json:"mode"` // "auto", "test" or "exact"
	Need   string   `json:"need"` // "required", "judged" or "informational"
	From   string   `json:"from"` // "default", "gate.txt:3", "-rule"
}

// JSONSample is one side's values of a metric.
type JSONSample struct {
	N         int        `json:"n"`
	Values    []*float64 `json:"values"`
	Seeds     []int64    `json:"seeds"`  // of each value
	Center    *float64   `json:"center"` // geometric mean where all values are positive, else the mean
	Median    *float64   `json:"median"`
	Min       *float64   `json:"min"`
	Max       *float64   `json:"max"`
	Variation *float64   `json:"variation"` // standard deviation relative to the mean
}

// JSONCause is a finding about where a regression sits.
type JSONCause struct {
	Class     string   `json:"class"` // "speed" or "memory"
	Benchmark string   `json:"benchmark"`
	Name      string   `json:"name"` // "part=attention", or a memory category
	Unit      string   `json:"unit"`
	Baseline  *float64 `json:"baseline"`
	New       *float64 `json:"new"`
	Share     *float64 `json:"share"` // of the whole growth
	Text      string   `json:"text"`
}

// WriteJSON writes the verdict in the form of type JSON, indented. Text that is not UTF-8 has U+FFFD for
// what is not.
func WriteJSON(w io.Writer, v *judge.Verdict) error {
	j := JSON{
		Schema: Schema, Status: word(v.Status), Exit: int(v.Status), Verdict: verdict(v), Compared: v.Compared,
		Baseline: jsonSide(&v.Baseline), New: jsonSide(&v.New),
		Problems: []JSONProblem{}, Results: []JSONResult{}, Added: all(v.Added), Causes: []JSONCause{}, Notes: all(v.Notes),
	}
	for _, p := range v.Problems {
		j.Problems = append(j.Problems, JSONProblem{string(p.Kind), p.File, p.Line, p.Benchmark, p.Unit, p.Text})
	}
	for i := range v.Results {
		j.Results = append(j.Results, jsonResult(&v.Results[i]))
	}
	for _, c := range v.Causes {
		j.Causes = append(j.Causes, JSONCause{string(c.Class), c.Benchmark, c.Name, c.Unit, number(c.Old), number(c.New), number(c.Share), c.Text})
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(j); err != nil {
		return err
	}
	// Printed into GitHub's log, ##[ begins a command wherever it stands. In JSON it is in strings only.
	_, err := w.Write(bytes.ReplaceAll(text.Bytes(), []byte("##["), []byte(`##\u005b`)))
	return err
}

func jsonResult(r *judge.Result) JSONResult {
	return JSONResult{
		Benchmark: r.Benchmark, Unit: r.Unit, Better: r.Better, Class: string(r.Class), Call: string(r.Call), Why: r.Why,
		SameAs: r.SameAs, Exact: r.Exact, Pairs: r.Pairs, Change: number(r.Change), Low: number(r.Low), High: number(r.High),
		P: number(r.P), Corrected: number(r.Corrected), Detectable: number(r.Detectable),
		Rule: JSONRule{r.Rule.Unit, number(r.Rule.Floor), number(r.Rule.Alpha), number(r.Rule.Detect),
			string(r.Rule.Mode), string(r.Rule.Need), r.Rule.From},
		Baseline: jsonSample(&r.Old), New: jsonSample(&r.New),
	}
}

func jsonSample(s *judge.Sample) JSONSample {
	values := make([]*float64, len(s.Values))
	for i, v := range s.Values {
		values[i] = number(v)
	}
	return JSONSample{s.N(), values, all(s.Seeds), number(s.Center), number(s.Median), number(s.Min), number(s.Max), number(s.Variation)}
}

func jsonSide(s *judge.Side) JSONSide {
	side := JSONSide{s.Label, all(s.Files), []JSONConfig{}}
	for _, c := range s.Config {
		side.Config = append(side.Config, JSONConfig{c.Key, all(c.Values)})
	}
	return side
}

// number is v, and null where JSON has no such number.
func number(v float64) *float64 {
	if !format.Finite(v) {
		return nil
	}
	return &v
}

// all is the list, [] rather than null where it is empty.
func all[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
