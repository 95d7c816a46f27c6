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

	"lorabench/bench/results"
)

// field is a key of gate.txt: how its value is read into a rule, and taken from one.
type field struct {
	read func(to *Rule, value string) error
	take func(to, from *Rule)
}

var (
	keys  = []string{"floor", "alpha", "detect", "better", "class", "mode"}
	needs = []Need{Required, Judged, Informal}
)

// fields are by key; need is written without it.
var fields = map[string]field{
	"floor":  {func(r *Rule, v string) (err error) { r.Floor, err = fraction(v); return err }, func(to, r *Rule) { to.Floor = r.Floor }},
	"detect": {func(r *Rule, v string) (err error) { r.Detect, err = fraction(v); return err }, func(to, r *Rule) { to.Detect = r.Detect }},
	"alpha": {func(r *Rule, v string) (err error) {
		if r.Alpha, err = fraction(v); err != nil || r.Alpha <= 0 || r.Alpha >= 0.5 {
			return errors.New("want above 0 and below 0.5, such as 0.01 or 1%")
		}
		return nil
	}, func(to, r *Rule) { to.Alpha = r.Alpha }},
	"better": {func(r *Rule, v string) error { return oneOf(&r.Better, v, []string{"higher", "lower"}) }, func(to, r *Rule) { to.Better = r.Better }},
	"class":  {func(r *Rule, v string) error { return oneOf(&r.Class, v, classes) }, func(to, r *Rule) {}}, // Rules.class takes it
	"mode":   {func(r *Rule, v string) error { return oneOf(&r.Mode, v, []Mode{Auto, Test, Exact}) }, func(to, r *Rule) { to.Mode = r.Mode }},
	"need":   {func(r *Rule, v string) error { return oneOf(&r.Need, v, needs) }, func(to, r *Rule) { to.Need = r.Need }},
}

// ParseRules reads gate.txt's format: lines "UNIT key=value ... [required|judged|informational]" over the defaults, comments
// from # to the end of the line. UNIT is a unit as results have it, class:speed or the like for all units of a class, or * for
// all units without a line of their own. Keys are those of Rule. Later lines win, key by key. All errors are reported together,
// each with name and line.
func ParseRules(r io.Reader, name string) (*Rules, error) {
	rules := &Rules{}
	var errs []error
	n := 1
	s := bufio.NewScanner(r)
	for ; s.Scan(); n++ {
		where := fmt.Sprintf("%s:%d", name, n)
		if err := rules.add(strings.TrimPrefix(s.Text(), "\ufeff"), where); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", where, err))
		}
	}
	if err := s.Err(); err != nil {
		errs = append(errs, fmt.Errorf("%s:%d: %w", name, n, err))
	}
	return rules, errors.Join(errs...)
}

// Override puts one line of gate.txt's format over the rules that there are, as -rule gives it.
func (r *Rules) Override(text string) error {
	n := len(r.lines)
	err := r.add(text, "-rule")
	if err == nil && len(r.lines) == n {
		err = errors.New("it is empty: want a unit and what is said of it, such as samples/sec floor=5%")
	}
	if err != nil {
		return fmt.Errorf("-rule %q: %w", text, err)
	}
	return nil
}

// add reads a line; one that says nothing adds nothing.
func (r *Rules) add(text, where string) error {
	words := strings.Fields(text)
	if i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "#") }); i >= 0 {
		words = words[:i]
	}
	if len(words) == 0 {
		return nil
	}
	l := line{unit: words[0], class: forClass(words[0]), says: map[string]*Rule{}, from: where}
	l.base, _ = results.Tidy(l.unit)
	switch {
	case strings.Contains(l.unit, "="):
		return fmt.Errorf("%q is no unit: a line begins with the unit it is for, such as samples/sec floor=5%%, or with * for all others", l.unit)
	case strings.HasPrefix(l.unit, "class:") && !slices.Contains(classes, l.class):
		return fmt.Errorf("%q: there is no such class, want class:%s", l.unit, enumerated(classes))
	case len(words) == 1:
		return fmt.Errorf("%s: nothing is said of it: want key=value, with the keys %s, or one of %s", l.unit, enumerated(keys), enumerated(needs))
	}
	for _, w := range words[1:] {
		if err := l.say(w); err != nil {
			return fmt.Errorf("%s: %w", l.unit, err)
		}
	}
	r.lines = append(r.lines, l)
	return nil
}

// say reads a word of a line.
func (l *line) say(word string) error {
	key, value, ok := strings.Cut(word, "=")
	switch {
	case !ok && !slices.Contains(needs, Need(word)):
		return fmt.Errorf("%q is neither key=value nor one of %s", word, enumerated(needs))
	case !ok:
		key, value = "need", word
	case !slices.Contains(keys, key):
		return fmt.Errorf("%q: there is no key %q, want one of %s", word, key, enumerated(keys))
	case key == "class" && l.class != "":
		return fmt.Errorf("%q: a line for a class cannot change it: give units their class in lines of their own", word)
	}
	if l.says[key] != nil {
		return fmt.Errorf("%q: %s is given twice on the line", word, key)
	}
	l.says[key] = &Rule{}
	if err := fields[key].read(l.says[key], value); err != nil {
		return fmt.Errorf("%q: %w", word, err)
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

// oneOf reads one of the words that are allowed.
func oneOf[S ~string](to *S, value string, all []S) error {
	if *to = S(value); !slices.Contains(all, *to) {
		return fmt.Errorf("want one of %s", enumerated(all))
	}
	return nil
}

func enumerated[S ~string](all []S) string {
	var names []string
	for _, s := range all {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}
