package judge

import (
	"strings"

	"lorabench/bench/results"
)

// Rule is how a unit is judged. The fields are gate.txt's.
type Rule struct {
	Unit   string
	Class  Class
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

// The modes. Auto is Exact for losses where both sides ran on the same kind of CPU with the same libtorch and the same seeds,
// and for counts that do not vary; it is Test elsewhere.
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

// The default rules. A floor is the smallest change that anyone should be stopped for: below 3 % shared machines differ from
// hour to hour by themselves, while a mean loss is far steadier than speed.
const (
	defaultAlpha  = 0.01
	defaultDetect = 0.25
	defaultFloor  = 0.03
	lossFloor     = 0.005 // of losses and counts that are tested; where they are exact it is 0
)

// Rules say how each unit is judged: the defaults, and what was given over them. nil is the defaults alone.
type Rules struct{ lines []line }

// line is a line of gate.txt: what it says of the units that it is for.
type line struct {
	unit  string           // as written, "*" for units without a line of their own
	base  string           // what all spellings of the unit have
	class Class            // that it is for: class:loss; "" for a unit or all
	says  map[string]*Rule // by key, a rule with that field: what is not there is not said
	from  string
}

// of calls f with every line for a unit of a class, in order.
func (r *Rules) of(base string, class Class, f func(*line)) {
	own := false
	for i := range r.lines {
		own = own || r.lines[i].base == base
	}
	for i := range r.lines {
		if l := &r.lines[i]; l.base == base || l.class != "" && l.class == class || l.unit == "*" && !own {
			f(l)
		}
	}
}

// class is a unit's class where rules give it another than its name does.
func (r *Rules) class(unit string, class Class) Class {
	base, _ := results.Tidy(unit)
	r.of(base, "", func(l *line) {
		if said := l.says["class"]; said != nil {
			class = said.Class
		}
	})
	return class
}

// For is the rule of a unit of a class: the defaults and every line that is for it, later lines winning key by key. exact is
// that its values are compared one by one.
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
	if len(r.lines) == 0 {
		return out
	}
	base, _ := results.Tidy(unit)
	r.of(base, class, func(l *line) {
		for key, said := range l.says {
			fields[key].take(&out, said)
		}
		out.From = l.from
	})
	return out
}

// required are the units and classes that must be there.
func (r *Rules) required() (out []string) {
	last := map[string]Need{}
	for _, l := range r.lines {
		if said := l.says["need"]; said != nil && l.unit != "*" {
			if last[l.unit] == "" {
				out = append(out, l.unit)
			}
			last[l.unit] = said.Need
		}
	}
	n := 0
	for _, u := range out {
		if last[u] == Required {
			out[n] = u
			n++
		}
	}
	return out[:n]
}

// asked reports whether a unit's own lines ask for it to be judged.
func (r *Rules) asked(base string) (asked bool) {
	for _, l := range r.lines {
		if said := l.says["need"]; said != nil && l.base == base {
			asked = said.Need != Informal
		}
	}
	return asked
}

// contradiction returns where a unit's own line gives it the other direction, "" where none does.
func (r *Rules) contradiction(base, better string) string {
	for _, l := range r.lines {
		if said := l.says["better"]; said != nil && l.base == base && said.Better != better {
			return l.from
		}
	}
	return ""
}

// forClass is the class that a line's unit names, "" where it names none.
func forClass(unit string) Class {
	class, ok := strings.CutPrefix(unit, "class:")
	if !ok {
		return ""
	}
	return Class(class)
}
