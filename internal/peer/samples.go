package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"lorabench/bench"
	"lorabench/data"
	"lorabench/internal/file"
)

// sample is one sequence as the Trainer's data set has it.
type sample struct {
	IDs    []int32 `json:"input_ids"`
	Labels []int32 `json:"labels"`
}

// sequences returns the first n sequences that lorabench trains on with these settings: encoded by its own data package, in the order of
// the seed, which is the Trainer's own (data.NewOrder), and on into the next epochs.
func sequences(ctx context.Context, s bench.Settings, n int) ([]sample, error) {
	tok, err := data.LoadTokenizer(s.Tokenizer)
	if err != nil {
		return nil, fmt.Errorf("-tokenizer: %w", err)
	}
	set, err := data.Load(ctx, s.Data)
	if err != nil {
		return nil, fmt.Errorf("-data: %w", err)
	}
	recs := set.Records
	if s.Limit > 0 {
		recs = recs[:min(s.Limit, len(recs))]
	}
	if len(recs) == 0 {
		return nil, fmt.Errorf("-data %s has no records", s.Data)
	}
	order := data.NewOrder(len(recs), s.Seed, s.Order == "sequential")
	drawn := make([]data.Record, n)
	for i := range drawn {
		drawn[i] = recs[order.Next()]
	}
	encoded, err := s.Prompt().Encode(tok, drawn, s.MaxLength)
	if err != nil {
		return nil, err
	}
	out := make([]sample, n)
	for i, e := range encoded {
		out[i] = sample{e.IDs, e.Labels}
	}
	return out, nil
}

// writeSamples writes samples as a JSON array.
func writeSamples(path string, samples []sample) error {
	return file.Replace(path, func(w io.Writer) error {
		sep := "["
		for _, s := range samples {
			b, err := json.Marshal(s)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w, "%s%s", sep, b); err != nil {
				return err
			}
			sep = ",\n"
		}
		if sep == "[" {
			return fmt.Errorf("no samples")
		}
		_, err := io.WriteString(w, "]\n")
		return err
	})
}

func tokens(samples []sample) (n int64) {
	for _, s := range samples {
		n += int64(len(s.IDs))
	}
	return n
}
