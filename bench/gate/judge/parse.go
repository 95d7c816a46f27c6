package judge

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ParseRules reads gate.txt's format: lines "UNIT key=value ... [required|judged|informational]" over the
// defaults, comments from # to the end of the line. UNIT is a unit as results have it, class:speed or the
// like for all units of a class, or * for all units without a line of their own. The keys are
//
//	floor=3%      worse only beyond this; a percentage or a fraction below 1
//	alpha=0.01    worse only where the corrected p is below this
//	detect=25%    cannot tell where a worsening by this is neither found nor ruled out; 0 never
//	better=lower  or higher, for units of which neither this package nor a Unit line says it
//	class=loss    or speed, memory, count, other, for units whose name does not say it
//	mode=exact    or test, auto
//
// Later lines win, key by key. All errors are reported together, each with name and line.
func ParseRules(r io.Reader, name string) (*Rules, error) {
	rules := DefaultRules()
	var errs []error
	s := bufio.NewScanner(r)
	n := 0
	for s.Scan() {
		n++
		text := s.Text()
		if n == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		where := fmt.Sprintf("%s:%d", name, n)
		l, err := parseLine(text, where)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", where, err))
		} else if l != nil {
			rules.lines = append(rules.lines, *l)
		}
	}
	if err := s.Err(); err != nil {
		errs = append(errs, fmt.Errorf("%s:%d: %w", name, n+1, err))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return rules, nil
}

// Override puts one line of gate.txt's format over the rules that there are, as -rule gives it.
func (r *Rules) Override(text string) error {
	l, err := parseLine(text, "-rule")
	if err == nil && l == nil {
		err = errors.New("it is empty: want a unit and what is said of it, such as samples/sec floor=5%")
	}
	if err != nil {
		return fmt.Errorf("-rule %q: %w", text, err)
	}
	r.lines = append(r.lines, *l)
	return nil
}

// parseLine reads a line; nil is for one that says nothing.
func parseLine(text, where string) (*line, error) {
	fields := strings.Fields(text)
	if i := slices.IndexFunc(fields, func(f string) bool { return strings.HasPrefix(f, "#") }); i >= 0 {
		fields = fields[:i]
	}
	if len(fields) == 0 {
		return nil, nil
	}
	l := &line{Rule: Rule{Unit: fields[0], From: where}, has: map[string]bool{}}
	if strings.Contains(l.Unit, "=") {
		return nil, fmt.Errorf("%q is no unit: a line begins with the unit it is for, such as samples/sec floor=5%%, or with * for all others", l.Unit)
	}
	if strings.HasPrefix(l.Unit, "class:") && !slices.Contains(classes, l.forClass()) {
		return nil, fmt.Errorf("%q: there is no such class, want class:%s", l.Unit, oneOf(classes))
	}
	if len(fields) == 1 {
		return nil, fmt.Errorf("%s: nothing is said of it: want key=value, with the keys %s, or one of %s", l.Unit, oneOf(keys), oneOf(needs))
	}
	for _, f := range fields[1:] {
		if err := l.set(f); err != nil {
			return nil, fmt.Errorf("%s: %w", l.Unit, err)
		}
	}
	return l, nil
}

var (
	keys  = []string{"floor", "alpha", "detect", "better", "class", "mode"}
	needs = []Need{Required, Judged, Informal}
	modes = []Mode{Auto, Test, Exact}
)

// set reads a field.
func (l *line) set(field string) error {
	key, value, ok := strings.Cut(field, "=")
	if !ok {
		if !slices.Contains(needs, Need(field)) {
			return fmt.Errorf("%q is neither key=value nor one of %s", field, oneOf(needs))
		}
		key, value = "need", field
	} else if !slices.Contains(keys, key) {
		return fmt.Errorf("%q: there is no key %q, want one of %s", field, key, oneOf(keys))
	}
	if l.has[key] {
		return fmt.Errorf("%q: %s is given twice on the line", field, key)
	}
	l.has[key] = true
	var err error
	switch key {
	case "need":
		l.Need = Need(value)
	case "floor":
		l.Floor, err = fraction(value)
	case "detect":
		l.Detect, err = fraction(value)
	case "alpha":
		if l.Alpha, err = fraction(value); err != nil || l.Alpha <= 0 || l.Alpha >= 0.5 {
			err = errors.New("want above 0 and below 0.5, such as 0.01 or 1%")
		}
	case "better":
		if l.Better = value; value != "higher" && value != "lower" {
			err = errors.New("want higher or lower")
		}
	case "class":
		l.Class = Class(value)
		if l.forClass() != "" {
			err = errors.New("a line for a class cannot change it: give units their class in lines of their own")
		} else if !slices.Contains(classes, l.Class) {
			err = fmt.Errorf("want one of %s", oneOf(classes))
		}
	case "mode":
		if l.Mode = Mode(value); !slices.Contains(modes, l.Mode) {
			err = fmt.Errorf("want one of %s", oneOf(modes))
		}
	}
	if err != nil {
		return fmt.Errorf("%q: %w", field, err)
	}
	return nil
}

// fraction reads 3% or 0.03. A bare 3 is refused: it is more often meant as 3 % than as threefold.
func fraction(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(number, 64)
	if percent {
		v /= 100
	}
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 || !percent && v >= 1 {
		return 0, errors.New("want a percentage such as 3% or a fraction from 0 to below 1 such as 0.03")
	}
	return v, nil
}

// oneOf lists what is allowed.
func oneOf[S ~string](all []S) string {
	var names []string
	for _, s := range all {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}
