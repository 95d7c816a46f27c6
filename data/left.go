package data

import (
	"fmt"
	"slices"
	"strings"
)

// Left describes the data that a run leaves out, for its record and for the notes beside its result.
type Left struct {
	Layout    string   `json:"layout"`                     // Set.Layout
	Fields    []string `json:"fields_not_used,omitempty"`  // Set.Unused
	Train     Counts   `json:"train"`                      // of the records trained on
	Held      Counts   `json:"eval"`                       // of the records held out
	BothSides int      `json:"eval_instructions_in_train"` // see BothSides
}

// Counts counts records that are not used, or only in part.
type Counts struct {
	Records    int `json:"records"`
	Unlabelled int `json:"without_label"`  // no loss depends on them
	Cut        int `json:"cut"`            // longer than the max length
	NoInput    int `json:"input_not_used"` // have an input that the recipe's text leaves out
}

// Count counts what encoding left out.
func Count(samples []Sample) Counts {
	c := Counts{Records: len(samples)}
	for _, s := range samples {
		// Nothing comes before the first token that could predict it.
		c.Unlabelled += one(len(s.Labels) == 0 || !slices.ContainsFunc(s.Labels[1:], func(label int32) bool { return label != Ignore }))
		c.Cut += one(s.Cut)
		c.NoInput += one(s.NoInput)
	}
	return c
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// BothSides counts the held-out records whose instruction is also trained on, with another input or answer: Split keeps
// together only records that are equal throughout.
func BothSides(train, held []Record) (n int) {
	trained := make(map[string]bool, len(train))
	for _, r := range train {
		trained[r.Instruction] = r.Instruction != ""
	}
	for _, r := range held {
		n += one(trained[r.Instruction])
	}
	return n
}

// Notes describes it in sentences without a full stop or line break, first those that change what the results measure.
func (l Left) Notes() (notes []string) {
	say := func(n int, format string, args ...any) {
		if n > 0 {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	t, h := l.Train, l.Held
	if used := t.Records - t.Unlabelled; 10*used < 9*t.Records {
		say(1, "only %d of %d records (%d %%) are trained on: the others have no label; "+
			"where -max-length cuts their answers away, raise it", used, t.Records, 100*used/t.Records)
	} else {
		say(t.Unlabelled, "%d of %d records have no label, so nothing is learned from them", t.Unlabelled, t.Records)
	}
	say(h.Unlabelled, "%d of %d held-out records have no label, so eval-loss is without them", h.Unlabelled, h.Records)
	say(t.Cut+h.Cut, "-max-length cuts %d of %d records", t.Cut+h.Cut, t.Records+h.Records)
	say(l.BothSides, "%d of %d held-out records have an instruction that is trained on too, so eval-loss may be too good",
		l.BothSides, h.Records)
	say(t.NoInput+h.NoInput, "the recipe's text leaves out the input that %d of %d records have",
		t.NoInput+h.NoInput, t.Records+h.Records)
	say(len(l.Fields), "fields of the data with text that is not used: %.200q", strings.Join(l.Fields, ", "))
	if l.Layout == "messages" || l.Layout == "prompt, completion" {
		say(1, "%s are put into the recipe's text; chat templates are not applied", strings.Replace(l.Layout, ",", " and", 1))
	}
	return notes
}

// ForgetNotes returns the Notes of -forget's data, all of which is held out.
func (l Left) ForgetNotes() (notes []string) {
	for _, n := range l.Notes() {
		notes = append(notes, "of -forget, "+strings.NewReplacer("held-out records", "records", "eval-loss", "forget-loss").Replace(n))
	}
	return notes
}
