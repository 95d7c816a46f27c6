package data

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPromptTexts(t *testing.T) {
	full := Record{Instruction: "Add.", Input: "1 2", Output: "3"}
	bare := Record{Instruction: "Add.", Output: "3"}
	for _, c := range []struct {
		prompt    Prompt
		rec       Record
		text, why string
	}{
		{Reported, full, "Instruction: Add.\nInput: 1 2\nOutput: 3", "all three"},
		{Reported, bare, "Instruction: Add.\nOutput: 3", "no Input line where there is none"},
		{Assigned, full, "### Question: Add.\n ### Answer: 3", "the exercise leaves the input out"},
		{Assigned, bare, "### Question: Add.\n ### Answer: 3", "the same without"},
	} {
		assert.Equal(t, c.text, c.prompt.Text(c.rec), c.why)
	}
}

func TestEncodeReported(t *testing.T) {
	tok := loadTestTokenizer(t, "bpe")
	recs := testRecords(t)
	samples, err := Reported.Encode(tok, recs, 1000)
	require.NoError(t, err)
	require.Len(t, samples, len(recs))
	for i, s := range samples {
		assert.Equal(t, int32(BOS), s.IDs[0])
		assert.Equal(t, Reported.Text(recs[i]), tok.Decode(s.IDs[1:]), "samples are in the order of the records")
		assert.Equal(t, s.IDs, s.Labels)
	}
	cut, err := Reported.Encode(tok, recs, 7)
	require.NoError(t, err)
	for i, s := range cut {
		assert.Equal(t, samples[i].IDs[:7], s.IDs, "BOS counts towards the length")
		assert.Len(t, s.Labels, 7)
	}
}

func TestEncodeAssigned(t *testing.T) {
	tok := loadTestTokenizer(t, "bpe")
	answer := func(s Sample) string { // what the loss is on; the ignored part must be a beginning
		i := 0
		for i < len(s.Labels) && s.Labels[i] == Ignore {
			i++
		}
		for j := i; j < len(s.Labels); j++ {
			require.Equal(t, s.IDs[j], s.Labels[j])
		}
		return tok.Decode(s.Labels[i:])
	}
	rec := Record{Instruction: "Add.", Output: "3"}
	long, err := Assigned.Encode(tok, []Record{rec}, 1000)
	require.NoError(t, err)
	whole := len(long[0].IDs)
	for _, c := range []struct {
		rec  Record
		cut  int
		want string
		why  string
	}{
		{rec, 1000, " 3", "the answer alone"},
		{Record{Instruction: "Add.", Output: "x ### Answer: y"}, 1000, " y", "the last occurrence counts"},
		{Record{Instruction: "What does ### Answer: mean?", Output: "z"}, 1000, " z", "one in the question does not"},
		{Record{Instruction: "Add."}, 1000, " ", "nothing but the space after the mark"},
		{rec, whole - 1, "", "cut right after the mark"},
		{rec, whole - 2, "", "the mark itself is cut: the whole sample is ignored"},
	} {
		samples, err := Assigned.Encode(tok, []Record{c.rec, rec}, max(c.cut, 2))
		if c.cut < whole-1 {
			require.ErrorContains(t, err, "max length", c.why)
			continue
		}
		require.NoError(t, err, c.why)
		assert.Equal(t, c.want, answer(samples[0]), c.why)
	}
	// Where one sample still has the mark, one without is no error.
	samples, err := Assigned.Encode(tok, []Record{rec, {Instruction: "Add all of these numbers, one by one.", Output: "3"}}, whole)
	require.NoError(t, err)
	assert.Equal(t, " 3", answer(samples[0]))
	assert.Equal(t, "", answer(samples[1]))
}

func TestEncodeRefuses(t *testing.T) {
	tok := loadTestTokenizer(t, "bpe")
	_, err := Reported.Encode(tok, testRecords(t), 1)
	require.ErrorContains(t, err, "max length is 1")
	_, err = Prompt{Name: "p"}.Encode(tok, testRecords(t), 10)
	require.ErrorContains(t, err, `"p" has no Text`)
	other := Prompt{Name: "p", AnswerOnly: true, Text: func(r Record) string { return "# Answer:" + r.Output }}
	_, err = other.Encode(tok, testRecords(t), 1000)
	require.ErrorContains(t, err, `has the ids of " ### Answer:"`)
	samples, err := Assigned.Encode(tok, nil, 10)
	require.NoError(t, err, "nothing held back for evaluation is nothing to encode")
	assert.Empty(t, samples)
}

func testRecords(t testing.TB) []Record {
	t.Helper()
	set, err := Load(context.Background(), "testdata/records.json")
	require.NoError(t, err)
	return set.Records
}
