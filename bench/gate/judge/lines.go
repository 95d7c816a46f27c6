package judge

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// field cuts off the first word of a line, and the white space after it.
func field(text []byte) (word, rest []byte) {
	end := 0
	for end < len(text) {
		if c := text[end]; c > ' ' && c < utf8.RuneSelf {
			end++ // nearly always
		} else if space(text[end:]) > 0 {
			break
		} else {
			_, n := utf8.DecodeRune(text[end:])
			end += n
		}
	}
	word, rest = text[:end], text[end:]
	for len(rest) > 0 && (rest[0] <= ' ' || rest[0] >= utf8.RuneSelf) {
		n := space(rest)
		if n == 0 {
			break
		}
		rest = rest[n:]
	}
	return word, rest
}

// space is the number of bytes of the white space that text begins with, 0 where it does not.
func space(text []byte) int {
	switch {
	case len(text) == 0:
		return 0
	case text[0] == ' ' || '\t' <= text[0] && text[0] <= '\r':
		return 1
	case text[0] < utf8.RuneSelf:
		return 0
	}
	if r, n := utf8.DecodeRune(text); unicode.IsSpace(r) {
		return n
	}
	return 0
}

// keyValue reads a line "key: value" of the configuration. A key begins with a lower-case letter and has
// neither white space nor upper case; no value is a key that ends.
func keyValue(text []byte) (key, value []byte, ok bool) {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if i == 0 && !unicode.IsLower(r) || unicode.IsSpace(r) || unicode.IsUpper(r) {
			return nil, nil, false
		}
		if i > 0 && r == ':' {
			value = bytes.TrimLeft(text[i+1:], " \t")
			return text[:i], value, len(text) == i+1 || len(value) < len(text)-i-1
		}
		i += n
	}
	return nil, nil, false
}

// isResult says whether a line that begins with Benchmark means to be a result: no benchmark's name goes on
// in lower case, but programs print "Benchmarking ...".
func isResult(text []byte) bool {
	r, _ := utf8.DecodeRune(text[len("Benchmark"):])
	return !unicode.IsLower(r)
}

// quoted shows the beginning of a line.
func quoted(text []byte) string {
	text = bytes.TrimSpace(text)
	if len(text) > 100 {
		return strconv.Quote(string(text[:100])) + "..."
	}
	return strconv.Quote(string(text))
}

// unit takes what a Unit line says after the word, and refuses what would turn a comparison around.
func (r *reader) unit(text []byte) {
	word, rest := field(text)
	if len(word) == 0 {
		r.problem(Problem{Kind: Unreadable, Text: "Unit names no unit: want Unit loss better=lower or the like"})
		return
	}
	unit := string(word)
	tidied, _ := tidy(unit)
	for word, rest = field(rest); len(word) > 0; word, rest = field(rest) {
		k, v, ok := bytes.Cut(word, []byte("="))
		if !ok || len(k) == 0 {
			r.problem(Problem{Kind: Unreadable, Unit: unit, Text: fmt.Sprintf("Unit %s: %s is not key=value: want better=lower or the like", unit, quoted(word))})
			continue
		}
		key, value := string(k), string(v)
		switch have, given := r.units[[2]string{tidied, key}]; {
		case given && have != value:
			kind := Unreadable
			if key == "better" {
				kind = BadDirection
			}
			r.problem(Problem{Kind: kind, Unit: unit, Text: fmt.Sprintf("Unit %s %s=%s: before (%s) it was %s=%s; correct one of the lines", unit, key, value, r.in.units[tidied].where, key, have)})
			continue
		case given:
			continue
		}
		r.units[[2]string{tidied, key}] = value
		m := r.in.units[tidied]
		if m.where == "" {
			m.where = fmt.Sprintf("%s:%d", r.file, r.line)
		}
		own := builtIn(unit)
		switch {
		case key == "assume":
			m.exact = value == "exact"
		case key != "better":
		case value != "higher" && value != "lower":
			r.problem(Problem{Kind: BadDirection, Unit: unit, Text: fmt.Sprintf("Unit %s better=%s: want higher or lower", unit, value)})
		case own != "" && own != value:
			r.problem(Problem{Kind: BadDirection, Unit: unit, Text: fmt.Sprintf("Unit %s better=%s: %s is better of it; correct the line or rename the unit", unit, value, own)})
		default:
			m.better = value
		}
		r.in.units[tidied] = m
	}
}

var errDiverged = errors.New("the run diverged or this was not measured; find the reason and run it again")

// usual is how many results a benchmark has at least, mostly.
const usual = 10

// add puts a value of run i to its metric, or says what is wrong with it.
func (b *Benchmark) add(unit []byte, x float64, i int, seed int64) (Kind, error) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return NotFinite, fmt.Errorf("%s is %v: %w", unit, x, errDiverged)
	}
	m := (*Metric)(nil)
	for k := range b.Metrics {
		if b.Metrics[k].Unit == string(unit) {
			m = &b.Metrics[k]
			break
		}
	}
	if m == nil {
		tidied, factor := tidy(string(unit))
		if m = b.metric(tidied); m == nil {
			b.Metrics = append(b.Metrics, Metric{Unit: string(unit), tidied: tidied, factor: factor,
				Values: make([]float64, 0, usual), Seeds: make([]int64, 0, usual), Runs: make([]int, 0, usual)})
			m = &b.Metrics[len(b.Metrics)-1]
		} else if x = x * factor / m.factor; math.IsInf(x, 0) {
			return NotFinite, fmt.Errorf("%s is too large to be given in %s", unit, m.Unit)
		}
	}
	if n := len(m.Runs); n > 0 && m.Runs[n-1] == i {
		return Unreadable, fmt.Errorf("%s is twice on the line: remove one", unit)
	}
	m.Values, m.Seeds, m.Runs = append(m.Values, x), append(m.Seeds, seed), append(m.Runs, i)
	return "", nil
}
