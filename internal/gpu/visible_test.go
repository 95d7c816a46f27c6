package gpu

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestVisible(t *testing.T) {
	all := []card{{uuid: "GPU-8932f937-d72c"}, {uuid: "GPU-8932aaaa-0000"}, {uuid: "GPU-11111111-2222"}}
	for _, c := range []struct {
		list     string
		want     string // places in all, or a MIG's UUID
		byNumber bool
		why      string
	}{
		{"0", "0", true, "one"},
		{"2,1", "2 1", true, "NVIDIA's guide: enumerated in the list's order"},
		{"0,2,-1,1", "0 2", true, "NVIDIA's guide: only those before an invalid index"},
		{"0,3,1", "0", true, "a card that is not there is invalid"},
		{"-1", "", true, "the usual way to hide all"},
		{"", "", true, "NVIDIA's guide: empty hides all"},
		{" 1 , 0", "1 0", true, "blanks do not matter"},
		{"1gpu2,2ampere", "1 2", true, "strtoul stops at the first letter"},
		{"+1", "1", true, "strtoul takes a sign"},
		{"0,,1", "0", true, "an empty entry is invalid"},
		{"GPU-8932f937-d72c,GPU-1", "0 2", false, "UUIDs, or as much of one as no other has"},
		{"GPU-8932", "", false, "two cards begin so"},
		{"GPU-1,GPU-9,GPU-8932f", "2", false, "one that is not there ends the list"},
		{"GPU-1,0", "2", false, "numbers do not mix with UUIDs"},
		{"GPU-1,GPU-11", "", false, "the same card twice empties the list"},
		{"MIG-aa,MIG-bb", "MIG-aa MIG-bb", false, "parts of cards"},
		{"MIG-GPU-8932f937/1/0,GPU-1", "MIG-GPU-8932f937/1/0", false, "the older way to name one; cards do not mix with parts"},
		{"MIG-aa,MIG-aa", "", false, "the same part twice"},
	} {
		got, byNumber, err := visible(c.list, true, all)
		assert.NoError(t, err, c.why)
		assert.Equal(t, c.want, places(got, all), "%q: %s", c.list, c.why)
		assert.Equal(t, c.byNumber, byNumber, "%q: %s", c.list, c.why)
	}
	got, byNumber, err := visible("", false, all)
	assert.NoError(t, err)
	assert.Equal(t, "0 1 2", places(got, all), "all, where the variable is not set")
	assert.True(t, byNumber)

	for _, c := range []struct{ list, why string }{
		{"cuda:0", "a name that CUDA does not know"},
		{"7", "too large"},
		{"1,1", "a number twice empties the list"},
		{"99999999999999999999", "larger than a number can be"},
	} {
		_, _, err := visible(c.list, true, all)
		assert.ErrorContains(t, err, "numbers from 0 to 2", "%q: %s", c.list, c.why)
	}
}

func places(cs, all []card) string {
	var out []string
	for _, c := range cs {
		name := c.uuid
		for i := range all {
			if all[i] == c {
				name = string(rune('0' + i))
			}
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func FuzzVisible(f *testing.F) {
	for _, s := range []string{"", "0,1", "-1", "GPU-1", "MIG-aa/1/0,MIG-b", "0,,", "+", "1gpu", "GPU-,GPU-", strings.Repeat("0,", 50)} {
		f.Add(s)
	}
	all := []card{{uuid: "GPU-8932f937"}, {uuid: "GPU-8932aaaa"}, {uuid: "GPU-1"}}
	f.Fuzz(func(t *testing.T, list string) {
		seen, _, err := visible(list, true, all)
		if err != nil && len(seen) > 0 {
			t.Fatalf("%q: an error and %d cards", list, len(seen))
		}
		once := map[card]bool{}
		for _, c := range seen {
			if once[c] {
				t.Fatalf("%q: %s twice", list, c.uuid)
			}
			once[c] = true
			if !strings.HasPrefix(c.uuid, "MIG-") && places([]card{c}, all) == c.uuid {
				t.Fatalf("%q: %s is no card", list, c.uuid)
			}
		}
	})
}
