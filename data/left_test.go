package data

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Of records of which three quarters are longer than the length that is trained on, a quarter has a label.
func TestAnswersCutAway(t *testing.T) {
	tok := loadTestTokenizer(t, "bpe")
	var recs []Record
	for i := range 64 {
		r := Record{Instruction: "Say hi", Input: "now", Output: "hi"}
		if i%4 != 0 {
			r.Instruction += strings.Repeat(" and do all that is said here", 20)
		}
		recs = append(recs, r)
	}
	samples, err := Assigned.Encode(tok, recs, 64)
	require.NoError(t, err)
	c := Count(samples)
	assert.Equal(t, Counts{Records: 64, Unlabelled: 48, Cut: 48, NoInput: 64}, c)
	notes := Left{Layout: "instruction, input, output", Train: c}.Notes()
	require.Len(t, notes, 3)
	assert.Equal(t, "only 16 of 64 records (25 %) are trained on: the others have no label; "+
		"where -max-length cuts their answers away, raise it", notes[0])
	assert.Equal(t, "-max-length cuts 48 of 64 records", notes[1])
	assert.Equal(t, "the recipe's text leaves out the input that 64 of 64 records have", notes[2])

	samples, err = Reported.Encode(tok, recs, 64)
	require.NoError(t, err)
	assert.Equal(t, Counts{Records: 64, Cut: 48}, Count(samples), "with loss on every token what is left has labels")
	samples, err = Reported.Encode(tok, recs, 10000)
	require.NoError(t, err)
	assert.Empty(t, Left{Train: Count(samples)}.Notes(), "nothing is left out")
}

// Whatever the length, what Count counts is what Pack and the whole text say.
func TestCountIsWhatPackSays(t *testing.T) {
	tok := loadTestTokenizer(t, "bpe")
	recs := testRecords(t)
	rng := rand.New(rand.NewPCG(5, 6))
	for range 30 {
		n := 16 + rng.IntN(100)
		for _, p := range []Prompt{Reported, Assigned} {
			samples, err := p.Encode(tok, recs, n)
			if err != nil {
				require.ErrorContains(t, err, "raise the max length")
				continue
			}
			want := Counts{Records: len(recs)}
			for i, r := range recs {
				m := Pack(samples, []int{i})
				want.Unlabelled += one(m.Labels == 0)
				want.Cut += one(1+len(tok.Encode(p.Text(r))) > n)
				want.NoInput += one(r.Input != "" && p.Text(r) == p.Text(Record{Instruction: r.Instruction, Output: r.Output}))
			}
			require.Equal(t, want, Count(samples), "%s at %d", p.Name, n)
		}
	}
	one := Sample{IDs: []int32{2}, Labels: []int32{2}}
	assert.Equal(t, Counts{Records: 2, Unlabelled: 2}, Count([]Sample{one, {}}), "the first token is predicted by none")
}

func TestBothSides(t *testing.T) {
	train := []Record{{Instruction: "a", Output: "1"}, {Instruction: "a", Output: "2"}, {Text: "t"}}
	held := []Record{{Instruction: "a", Output: "3"}, {Instruction: "a", Input: "x", Output: "4"}, {Instruction: "b", Output: "1"}, {Text: "u"}}
	assert.Equal(t, 2, BothSides(train, held))
	assert.Equal(t, 0, BothSides(train, nil))
}

func TestNotes(t *testing.T) {
	for _, c := range []struct {
		left Left
		want string // a part of each note
		why  string
	}{
		{Left{Train: Counts{Records: 10, Unlabelled: 1}}, "1 of 10 records have no label", "nine tenths are enough"},
		{Left{Train: Counts{Records: 100, Unlabelled: 11}}, "only 89 of 100 records (89 %) are trained on", "less is said otherwise"},
		{Left{Train: Counts{Records: 8, Cut: 1}, Held: Counts{Records: 4, Unlabelled: 2, Cut: 2}},
			"2 of 4 held-out records have no label|cuts 3 of 12", "held-out records"},
		{Left{Held: Counts{Records: 4}, BothSides: 3}, "3 of 4 held-out records have an instruction that is trained on too", "both sides"},
		{Left{Fields: []string{"a\nb", "text"}}, `not used: "a\nb, text"`, "names are quoted"},
		{Left{Layout: "messages"}, "messages are put into the recipe's text; chat templates are not applied", "messages"},
		{Left{Layout: "prompt, completion"}, "prompt and completion are put into the recipe's text", "prompts"},
		{Left{Train: Counts{Records: 9, Unlabelled: 9, Cut: 9}}, "only 0 of 9 records (0 %)|cuts 9 of 9", "the strongest first"},
	} {
		notes := c.left.Notes()
		parts := strings.Split(c.want, "|")
		require.Len(t, notes, len(parts), c.why)
		for i, note := range notes {
			assert.Contains(t, note, parts[i], c.why)
			assert.NotContains(t, note, "\n", c.why)
		}
	}
	assert.Equal(t, []string{"of -forget, 1 of 4 records have no label, so forget-loss is without them", "of -forget, -max-length cuts 2 of 4 records"},
		Left{Held: Counts{Records: 4, Unlabelled: 1, Cut: 2}}.ForgetNotes())
	b, err := json.Marshal(Left{Layout: "text", Train: Counts{Records: 2, Cut: 1}})
	require.NoError(t, err)
	assert.JSONEq(t, `{"layout":"text","train":{"records":2,"without_label":0,"cut":1,"input_not_used":0},
		"eval":{"records":0,"without_label":0,"cut":0,"input_not_used":0},"eval_instructions_in_train":0}`, string(b))
}

// A whole text is trained on as it is, and has no answer that the exercise's recipe could train on.
func TestWholeTexts(t *testing.T) {
	tok := loadTestTokenizer(t, "bpe")
	recs := []Record{{Text: "a whole text"}, {Text: "Instruction: x"}}
	samples, err := Reported.Encode(tok, recs, 100)
	require.NoError(t, err)
	for i, s := range samples {
		assert.Equal(t, recs[i].Text, tok.Decode(s.IDs[1:]))
		assert.Equal(t, s.IDs, s.Labels)
	}
	_, err = Assigned.Encode(tok, append(slices.Clone(twoRecords), recs...), 100)
	require.ErrorContains(t, err, "these records are whole texts (field text), in which no answer is marked: use -recipe=reported")
	train, held, err := Split(append(recs, recs[0], Record{Output: recs[1].Text}), 2)
	require.NoError(t, err)
	assert.Len(t, train, 2)
	assert.Len(t, held, 2)
	assert.NotEqual(t, recs[1].hash(), Record{Output: recs[1].Text}.hash())
}
