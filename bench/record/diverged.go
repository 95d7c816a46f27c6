package record

import (
	"fmt"
	"slices"
	"strings"
)

// Finite leaves out every arm with a run that diverged: the others of its seeds would be a choice of the lucky ones. left names
// those arms in a sentence, "" where there are none. It is an error if no arm is left.
func Finite(rs []*Record) (finite []*Record, left string, err error) {
	var names []string
	runs := map[string][]string{}
	for _, r := range rs {
		if r.Diverged == 0 {
			continue
		}
		if runs[r.Name] == nil {
			names = append(names, r.Name)
		}
		runs[r.Name] = append(runs[r.Name], fmt.Sprintf("seed %d at step %d", r.Seed, r.Diverged))
	}
	if len(names) == 0 {
		return rs, "", nil
	}
	finite = slices.DeleteFunc(slices.Clone(rs), func(r *Record) bool { return runs[r.Name] != nil })
	for i, name := range names {
		names[i] = name + " (" + strings.Join(runs[name], ", ") + ")"
	}
	left = "Left out, because training diverged: " + strings.Join(names, ", ") + "."
	if len(finite) == 0 {
		return nil, left, fmt.Errorf("no arm is left to compare: %s Give lower -lr or -alpha", left)
	}
	return finite, left, nil
}
