package judge

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/results"
)

// Rule says how a unit is judged. The fields are gate.txt's.
type Rule struct {
	Unit   string
	Class  Class
	Better string  // "" is by unit and Unit line
	Floor  float64 // worse only beyond this fraction of the baseline
	Alpha  float64 // worse only where the corrected p is below this
	Detect float64 // cannot tell where a worsening by this fraction is neither found nor ruled out; 0 never
	Mode   string  // auto, test or exact
	Need   string  // required, judged or informational
	From   string  // where the rule was given: "default", "gate.txt:3", "-rule"
}

// Values of Rule.Need and Rule.Mode. Auto is exact for losses if both sides ran on the same kind of CPU with the same libtorch and the
// same seeds, and for counts that do not vary; otherwise it is a test.
const (
	Required      = "required" // its absence on either side makes the input unusable
	Judged        = "judged"   // gone from New is a problem, as for every metric
	Informational = "informational"
	Auto          = "auto"
	Exact         = "exact"
)

// The default rules. A floor is the smallest change that anyone should be stopped for: shared machines drift by up to 3 % from hour to
// hour, while a mean loss is far steadier than speed.
const (
	defaultAlpha  = 0.01
	defaultDetect = 0.25
	defaultFloor  = 0.03
	lossFloor     = 0.005 // of losses and counts that are tested; where they are exact it is 0
)

// Rules says how each unit is judged: by the defaults, and by lines that override them.
type Rules struct{ lines []line }

// line is a line of gate.txt.
type line struct {
	unit  string // as written, "*" for units without a line of their own, class:loss for all of a class
	base  string // the unit that all its spellings share
	where string
	keys  map[string]string // by key; "need" for the words without one
}

// of returns the lines that apply to a unit of a class, in order.
func (r *Rules) of(unit string, class Class) (out []line) {
	base, _ := results.Tidy(unit)
	own := slices.ContainsFunc(r.lines, func(l line) bool { return l.base == base })
	for _, l := range r.lines {
		if l.base == base || l.unit == "class:"+string(class) || l.unit == "*" && !own {
			out = append(out, l)
		}
	}
	return out
}

// For returns the rule of a unit whose name puts it into a class: the defaults, overridden by every line that applies, later lines winning
// key by key. exact means that its values are compared one by one.
func (r *Rules) For(unit string, class Class, exact bool) Rule {
	for _, l := range r.of(unit, "") {
		class = cmp.Or(Class(l.keys["class"]), class)
	}
	out := Rule{Unit: unit, Floor: defaultFloor, Alpha: defaultAlpha, Detect: defaultDetect, Mode: Auto, Need: Judged, From: "default"}
	switch {
	case exact:
		out.Floor = 0
	case class == Loss || class == Count:
		out.Floor = lossFloor
	case unit == "grad-norm":
		out.Need = Informational
	}
	for _, l := range r.of(unit, class) {
		out.From = l.where
		for key, value := range l.keys {
			_ = out.set(key, value) // add has checked it
		}
	}
	out.Class = class
	return out
}

// need returns the last need that the lines for exactly this unit or class give.
func (r *Rules) need(unit string) (need string) {
	for _, l := range r.of(unit, "") {
		if l.unit != "*" {
			need = cmp.Or(l.keys["need"], need)
		}
	}
	return need
}

// Read parses gate.txt's format: lines "UNIT key=value ... [required|judged|informational]", and comments from # to the end of the line.
// UNIT is a unit as results have it, class:speed and so on for all units of a class, or * for all units without a line of their own. Keys
// are Rule's. Later lines, also of later calls, win key by key. All errors are reported together, each with name and line.
func (r *Rules) Read(text, name string) error {
	var errs []error
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		where := fmt.Sprintf("%s:%d", name, i+1)
		if err := r.add(line, where); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", where, err))
		}
	}
	return errors.Join(errs...)
}

var (
	keys  = []string{"floor", "alpha", "detect", "better", "class", "mode"}
	needs = []string{Required, Judged, Informational}

	choices = map[string][]string{"better": {"higher", "lower"}, "class": classes, "mode": {Auto, "test", Exact}, "need": needs}
)

// add parses a line; an empty one or a comment adds nothing.
func (r *Rules) add(text, where string) error {
	words := strings.Fields(text)
	if i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "#") }); i >= 0 {
		words = words[:i]
	}
	if len(words) == 0 {
		return nil
	}
	l := line{unit: words[0], where: where, keys: map[string]string{}}
	l.base, _ = results.Tidy(l.unit)
	class, forClass := strings.CutPrefix(l.unit, "class:")
	switch {
	case strings.Contains(l.unit, "="):
		return fmt.Errorf("%q is no unit: a line begins with one, such as samples/sec floor=5%%, or with * for all others", l.unit)
	case forClass && !slices.Contains(classes, class):
		return fmt.Errorf("%q: there is no such class, want class:%s", l.unit, strings.Join(classes, ", "))
	case len(words) == 1:
		return fmt.Errorf("%s: nothing is said of it: want key=value, with the keys %s, or one of %s", l.unit, strings.Join(keys, ", "),
			strings.Join(needs, ", "))
	}
	for _, w := range words[1:] {
		key, value, ok := strings.Cut(w, "=")
		if !ok {
			key, value = "need", w
		}
		_, twice := l.keys[key]
		err := new(Rule).set(key, value)
		switch {
		case twice:
			err = fmt.Errorf("%s is given twice on the line", key)
		case forClass && key == "class":
			err = errors.New("a line for a class cannot change it: give units their class in lines of their own")
		}
		if err != nil {
			return fmt.Errorf("%s: %q: %w", l.unit, w, err)
		}
		l.keys[key] = value
	}
	r.lines = append(r.lines, l)
	return nil
}

// set sets the field of a key.
func (r *Rule) set(key, value string) (err error) {
	fractions := map[string]*float64{"floor": &r.Floor, "detect": &r.Detect, "alpha": &r.Alpha}
	texts := map[string]*string{"better": &r.Better, "class": (*string)(&r.Class), "mode": &r.Mode, "need": &r.Need}
	switch choices := choices[key]; {
	case fractions[key] != nil:
		if *fractions[key], err = fraction(value); key == "alpha" && (err != nil || r.Alpha <= 0 || r.Alpha >= 0.5) {
			err = errors.New("want above 0 and below 0.5, such as 0.01 or 1%")
		}
		return err
	case choices == nil:
		return fmt.Errorf("there is no key %q, want one of %s", key, strings.Join(keys, ", "))
	case slices.Contains(choices, value):
		*texts[key] = value
		return nil
	case key == "need":
		return fmt.Errorf("is neither key=value nor one of %s", strings.Join(needs, ", "))
	default:
		return fmt.Errorf("want one of %s", strings.Join(choices, ", "))
	}
}

// fraction parses 3% or 0.03. A bare 3 is refused: it more often means 3 % than threefold.
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
