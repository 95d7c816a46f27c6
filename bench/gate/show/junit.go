package show

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"lorabench/bench/gate/judge"
)

// WriteJUnit writes JUnit's XML as CI systems read it: a test case per benchmark (its class) and unit
// (its name), and one for each problem. Worse is a failure; what is unusable or cannot be told is an
// error; what is not judged, and a new benchmark, is skipped, and so is every result where the input cannot be used. A status other than Pass has at least one
// failure or error.
func WriteJUnit(w io.Writer, v *judge.Verdict) error {
	s := suite{Name: "gate", Time: "0", Properties: properties(v)}
	names := map[[2]string]int{}
	add := func(c testcase) {
		c.Class, c.Name, c.Time = fit(c.Class), fit(c.Name), "0"
		key := [2]string{c.Class, c.Name}
		if names[key]++; names[key] > 1 { // CI systems tell cases apart by name
			c.Name += fmt.Sprintf(" #%d", names[key])
		}
		s.Tests++
		s.Cases = append(s.Cases, c)
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
	}
	for i := range v.Problems {
		add(problemCase(&v.Problems[i]))
	}
	told := map[int]bool{}
	for i := range v.Results {
		add(resultCase(v, &v.Results[i], told))
	}
	for _, a := range v.Added {
		add(testcase{Class: a, Name: "new benchmark", Skipped: &message{Message: "without a baseline, not judged"}})
	}
	if v.Status != judge.Pass && s.Failures+s.Errors == 0 {
		add(testcase{Class: "gate", Name: "verdict", Error: &message{Message: verdict(v), Type: word(v.Status)}})
	}
	out, err := xml.MarshalIndent(suites{Name: "gate", Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Suites: []suite{s}}, "", "  ")
	if err != nil {
		return fmt.Errorf("JUnit: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, out)
	return err
}

type suites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Suites   []suite  `xml:"testsuite"`
}

type suite struct {
	Name       string     `xml:"name,attr"`
	Tests      int        `xml:"tests,attr"`
	Failures   int        `xml:"failures,attr"`
	Errors     int        `xml:"errors,attr"`
	Skipped    int        `xml:"skipped,attr"`
	Time       string     `xml:"time,attr"`
	Properties []keyValue `xml:"properties>property"`
	Cases      []testcase `xml:"testcase"`
}

type keyValue struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type testcase struct {
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	File    string   `xml:"file,attr,omitempty"`
	Line    int      `xml:"line,attr,omitempty"`
	Time    string   `xml:"time,attr"`
	Failure *message `xml:"failure"`
	Error   *message `xml:"error"`
	Skipped *message `xml:"skipped"`
	Out     string   `xml:"system-out,omitempty"`
}

type message struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// properties are what both sides are.
func properties(v *judge.Verdict) []keyValue {
	ps := []keyValue{{"verdict", verdict(v)}, {"status", word(v.Status)}}
	for _, s := range []struct {
		name string
		side *judge.Side
	}{{"baseline", &v.Baseline}, {"new", &v.New}} {
		if len(s.side.Files) > 0 {
			ps = append(ps, keyValue{s.name + ".files", fit(strings.Join(s.side.Files, ", "))})
		}
		for _, c := range s.side.Config {
			ps = append(ps, keyValue{fit(s.name + "." + c.Key), fit(strings.Join(c.Values, ", "))})
		}
	}
	return ps
}

func problemCase(p *judge.Problem) testcase {
	c := testcase{Class: p.Benchmark, Name: p.Unit, File: fit(p.File), Line: p.Line,
		Error: &message{Message: sentence(p.Text), Type: kind(p), Text: problem(p)}}
	if c.Class == "" {
		c.Class = "gate"
	}
	if at := where(p); c.Name == "" {
		c.Name = strings.TrimSpace(kind(p) + " " + at)
	}
	return c
}

func resultCase(v *judge.Verdict, r *judge.Result, told map[int]bool) testcase {
	c := testcase{Class: r.Benchmark, Name: r.Unit}
	text := finding(r)
	if !decided(v) {
		c.Skipped = &message{Message: "decides nothing, see the errors: " + figures(r)}
		return c
	}
	switch r.Call {
	case judge.CallWorse:
		for _, s := range causes(v, r, told) {
			text += "\n" + s
		}
		c.Failure = &message{Message: figures(r), Type: string(r.Call), Text: text}
	case judge.CallCannotTell:
		c.Error = &message{Message: figures(r), Type: string(r.Call), Text: text}
	case judge.CallShown:
		c.Skipped = &message{Message: "not judged: " + figures(r)}
		if r.SameAs != "" {
			c.Skipped.Message = "the same measurement as " + cell(r.SameAs) + ": " + figures(r)
		}
	default:
		c.Out = text
	}
	return c
}

// fit is a string without what XML cannot hold; package xml itself would put U+FFFD for it.
func fit(s string) string { return clean(s, 4*longSentence) }
