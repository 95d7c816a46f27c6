package data

import (
	"fmt"
	"slices"
	"strings"
)

// field is a named field of a layout.
type field struct {
	name     string
	optional bool                  // may be absent or null
	of       func(*Record) *string // where its text belongs; nil for a list of turns
}

// layout lists the fields that a file's records are read from.
type layout []field

func instruction(r *Record) *string { return &r.Instruction }
func input(r *Record) *string       { return &r.Input }
func output(r *Record) *string      { return &r.Output }
func text(r *Record) *string        { return &r.Text }

// layouts lists the layouts that are read, by the names of Alpaca, Dolly and TRL. A file with the fields of several is read as the first
// of them, since the later ones repeat it: Alpaca's text is its other fields within a template.
var layouts = []layout{
	{{"instruction", false, instruction}, {"input", true, input}, {"output", false, output}},
	{{"instruction", false, instruction}, {"context", true, input}, {"response", false, output}},
	{{"prompt", false, instruction}, {"completion", false, output}},
	{{"messages", false, nil}},
	{{"text", false, text}},
}

// String lists the names of the fields.
func (l layout) String() string {
	names := make([]string, len(l))
	for i, f := range l {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}

func (l layout) has(name string) bool {
	return slices.ContainsFunc(l, func(f field) bool { return f.name == name })
}

// choose returns the first layout whose fields are all among names, the optional ones aside. kind is "fields" or "columns".
func choose(kind string, names []string) (layout, error) {
	var read []string
	for _, l := range layouts {
		if !slices.ContainsFunc(l, func(f field) bool { return !f.optional && !slices.Contains(names, f.name) }) {
			return l, nil
		}
		read = append(read, l.String())
	}
	return nil, fmt.Errorf("the %s %s are not those of a record: give %s (input and context may be absent, and null is absent)",
		kind, quoted(names), strings.Join(read, "; or "))
}

// quoted lists names for a message, cut to a hundred characters.
func quoted(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return fmt.Sprintf("%.100q", strings.Join(names, ", "))
}

// checkRoles refuses anything but one question and its answer: which turns of a longer conversation are trained on, and
// what separates them, is defined by a chat template, and none is applied.
func checkRoles(roles []string) error {
	if slices.Equal(roles, []string{"user", "assistant"}) {
		return nil
	}
	return fmt.Errorf("has the turns %s: one of user and then one of assistant is read, no system prompt and no longer conversation, "+
		"as chat templates are not applied", quoted(roles))
}
