package judge

import (
	"strings"

	"lorabench/bench/results"
)

// Rule is how a unit is judged. The fields are gate.txt's.
type Rule struct {
	Unit   string  // as written, or "*" for units without a rule of their own
	Class  Class   // "" is by unit
	Better string  // "" is by unit and Unit line
	Floor  float64 // worse only beyond this fraction of the baseline
	Alpha  float64 // worse only where the corrected p is below this
	Detect float64 // cannot tell where a worsening by this fraction is neither found nor ruled out; 0 never
	Mode   Mode
	Need   Need
	From   string // where the rule was given: "default", "gate.txt:3", "-rule"
}

// Mode is how values are compared.
type Mode string

// The modes. Auto is Exact for losses where both sides ran on the same kind of CPU with the same libtorch
// and the same seeds, and for counts that do not vary; it is Test elsewhere.
const (
	Auto  Mode = "auto"
	Test  Mode = "test"
	Exact Mode = "exact"
)

// Need is whether a unit decides.
type Need string

// The needs.
const (
	Required Need = "required"      // judged, and its absence on either side makes the input unusable
	Judged   Need = "judged"        // judged where it is; gone from New is a problem, as for every metric
	Informal Need = "informational" // shown
)

// The default rules. A floor is the smallest change that anyone should be stopped for: below 3 % shared
// machines differ from hour to hour by themselves, while a mean loss is far steadier than speed.
const (
	defaultAlpha  = 0.01
	defaultDetect = 0.25
	defaultFloor  = 0.03
	lossFloor     = 0.005 // of losses and counts that are tested; where they are exact it is 0
)

// Rules say how each unit is judged: the defaults, and what was given over them.
type Rules struct {
	lines []line
}

// line is a line of gate.txt: what it says of the units that it is for.
type line struct {
	Rule
	has map[string]bool // the keys that it gives, and "need"
}

// DefaultRules are the rules where nothing else is said.
func DefaultRules() *Rules { return &Rules{} }

// forClass is the class that a line is for, "" where it is for a unit or all units.
func (l *line) forClass() Class {
	c, ok := strings.CutPrefix(l.Unit, "class:")
	if !ok {
		return ""
	}
	return Class(c)
}

// own says whether the unit, in its tidied spelling, has a line of its own.
func (r *Rules) own(tidied string) bool {
	for i := range r.lines {
		if u, _ := results.Tidy(r.lines[i].Unit); u == tidied {
			return true
		}
	}
	return false
}

// class is a unit's class where rules give it another than its name does.
func (r *Rules) class(unit string, class Class) Class {
	tidied, _ := results.Tidy(unit)
	own := r.own(tidied)
	for i := range r.lines {
		l := &r.lines[i]
		if u, _ := results.Tidy(l.Unit); l.has["class"] && (u == tidied || l.Unit == "*" && !own) {
			class = l.Class
		}
	}
	return class
}

// For is the rule of a unit of a class: the defaults and every line that is for it, later lines winning key
// by key. exact is that its values are compared one by one.
func (r *Rules) For(unit string, class Class, exact bool) Rule {
	out := Rule{Unit: unit, Class: class, Floor: defaultFloor, Alpha: defaultAlpha, Detect: defaultDetect, Mode: Auto, Need: Judged, From: "default"}
	switch {
	case exact:
		out.Floor = 0
	case class == Loss || class == Count:
		out.Floor = lossFloor
	}
	if unit == "grad-norm" {
		out.Need = Informal
	}
	if r == nil {
		return out
	}
	tidied, _ := results.Tidy(unit)
	own := r.own(tidied)
	for i := range r.lines {
		l := &r.lines[i]
		u, _ := results.Tidy(l.Unit)
		if u != tidied && l.forClass() != class && (l.Unit != "*" || own) {
			continue
		}
		l.over(&out)
	}
	return out
}

// over puts what the line gives into a rule.
func (l *line) over(to *Rule) {
	if l.has["floor"] {
		to.Floor = l.Floor
	}
	if l.has["alpha"] {
		to.Alpha = l.Alpha
	}
	if l.has["detect"] {
		to.Detect = l.Detect
	}
	if l.has["better"] {
		to.Better = l.Better
	}
	if l.has["mode"] {
		to.Mode = l.Mode
	}
	if l.has["need"] {
		to.Need = l.Need
	}
	to.From = l.From
}

// required are the units and classes that must be there.
func (r *Rules) required() []string {
	need := map[string]Need{}
	var units []string
	for i := range r.lines {
		if l := &r.lines[i]; l.has["need"] && l.Unit != "*" {
			if _, ok := need[l.Unit]; !ok {
				units = append(units, l.Unit)
			}
			need[l.Unit] = l.Need
		}
	}
	var out []string
	for _, u := range units {
		if need[u] == Required {
			out = append(out, u)
		}
	}
	return out
}

// asked says whether a unit's own lines ask for it to be judged.
func (r *Rules) asked(tidied string) bool {
	asked := false
	for i := range r.lines {
		if u, _ := results.Tidy(r.lines[i].Unit); u == tidied && r.lines[i].has["need"] {
			asked = r.lines[i].Need != Informal
		}
	}
	return asked
}

// contradiction is a unit's own line that gives it the other direction, nil where there is none.
func (r *Rules) contradiction(tidied, better string) *line {
	for i := range r.lines {
		l := &r.lines[i]
		if u, _ := results.Tidy(l.Unit); u == tidied && l.has["better"] && l.Better != better {
			return l
		}
	}
	return nil
}
