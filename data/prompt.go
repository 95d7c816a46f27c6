package data

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Ignore is the label of a token that the loss leaves out (PyTorch's ignore_index).
const Ignore = -100

// Sample is one record as a model sees it.
type Sample struct {
	IDs    []int32 // with what the tokenizer puts around a text, such as BOS
	Labels []int32 // as long as IDs: the same ids, or Ignore where there is no loss

	Cut     bool // the record's text is longer
	NoInput bool // the record has an input that its text leaves out
}

// Prompt makes the text of a record and defines which tokens have a loss.
type Prompt struct {
	Name       string
	Text       func(Record) string
	AnswerOnly bool // loss on the answer only: everything up to the last answerMark is ignored
	NoInput    bool // Text leaves out the input
}

// answerMark ends the question in Assigned's text.
const answerMark = " ### Answer:"

// Reported is the text that the reference run's figures show it used: the loss is on every token.
var Reported = Prompt{Name: "reported", Text: func(r Record) string {
	if r.Text != "" {
		return r.Text
	}
	text := "Instruction: " + r.Instruction
	if r.Input != "" {
		text += "\nInput: " + r.Input
	}
	return text + "\nOutput: " + r.Output
}}

// Assigned is the text of the exercise that the reference run was asked to do: no input, loss on the answer only.
var Assigned = Prompt{Name: "assigned", AnswerOnly: true, NoInput: true, Text: func(r Record) string {
	return "### Question: " + r.Instruction + "\n" + answerMark + " " + r.Output
}}

// Encode turns records into samples, in parallel over the CPUs: the ids of the record's text, with what the
// tokenizer puts around a text (OPT's: BOS before it), cut at maxLength in all.
//
// With AnswerOnly the labels follow TRL's DataCollatorForCompletionOnlyLM: everything up to the end of the last
// occurrence of the ids of " ### Answer:" is Ignore, and the whole sample where the cut has removed them. It is an
// error if no sample at all has them, since every loss would then be 0/0, and if a record is a whole text, which has no
// answer.
func (p Prompt) Encode(tok *Tokenizer, recs []Record, maxLength int) ([]Sample, error) {
	switch {
	case p.Text == nil:
		return nil, fmt.Errorf("prompt %q has no Text", p.Name)
	case p.AnswerOnly && slices.ContainsFunc(recs, func(r Record) bool { return r.Text != "" }):
		return nil, fmt.Errorf("prompt %q takes the loss on answers only, and these records are whole texts (field text), "+
			"in which no answer is marked: use -recipe=reported, whose loss is on every token", p.Name)
	case maxLength < 2:
		return nil, fmt.Errorf("max length is %d: a token and the one that it predicts need 2", maxLength)
	}
	var mark []int32
	if p.AnswerOnly {
		mark = tok.Encode(answerMark)
	}
	var whole, kept atomic.Bool // some text has the mark; some sample still has it after the cut
	samples := make([]Sample, len(recs))
	inParallel(len(recs), func(i int) {
		ids := tok.AddSpecial(tok.Encode(p.Text(recs[i])))
		if p.AnswerOnly && afterLast(ids, mark) > 0 {
			whole.Store(true)
		}
		cut := len(ids) > maxLength
		ids = slices.Clip(tok.Truncate(ids, maxLength))
		labels := slices.Clone(ids)
		if p.AnswerOnly {
			end := afterLast(ids, mark)
			if end > 0 {
				kept.Store(true)
			} else {
				end = len(labels)
			}
			for j := range end {
				labels[j] = Ignore
			}
		}
		samples[i] = Sample{IDs: ids, Labels: labels, Cut: cut, NoInput: p.NoInput && recs[i].Input != ""}
	})
	if !p.AnswerOnly || kept.Load() || len(recs) == 0 {
		return samples, nil
	}
	if whole.Load() {
		return nil, fmt.Errorf("prompt %q: cut at %d tokens, not one of %d records reaches %q, so there is no loss: raise the max length",
			p.Name, maxLength, len(recs), answerMark)
	}
	return nil, fmt.Errorf("prompt %q: no text of %d records has the ids of %q, so there is no loss: the tokenizer gives it other ids within a text",
		p.Name, len(recs), answerMark)
}

// afterLast returns the index after the last occurrence of mark in ids, 0 if there is none.
func afterLast(ids, mark []int32) int {
	for i := len(ids) - len(mark); i >= 0; i-- {
		if slices.Equal(ids[i:i+len(mark)], mark) {
			return i + len(mark)
		}
	}
	return 0
}

// inParallel calls do(0), ..., do(n-1) from as many goroutines as there are CPUs.
func inParallel(n int, do func(i int)) {
	const stride = 64
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+stride-1)/stride) {
		wg.Go(func() {
			for {
				end := int(next.Add(stride))
				start := end - stride
				if start >= n {
					return
				}
				for i := start; i < min(end, n); i++ {
					do(i)
				}
			}
		})
	}
	wg.Wait()
}
