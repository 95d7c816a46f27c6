// Pretrain makes testdata/small's model: an OPT trained from nothing by this project's own full
// training, so that what the benchmark adapts has really learnt something.
//
//	go run ./internal/pretrain -dir testdata/small
//
// The folder holds the tokenizer's files and pretrain.jsonl.gz; config.json and model.safetensors
// (float16) are written beside them. The same seed gives the same model on the same kind of
// machine with the same number of threads.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"lorabench/data"
	"lorabench/internal/decoder"
	"lorabench/internal/torch"
	"lorabench/internal/train"
	"lorabench/opt"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// shape is that of a small opt-350m: layer norm after each sum, embeddings narrower than the model.
const shape = `{"model_type": "opt", "vocab_size": 1024, "hidden_size": 256, "num_hidden_layers": 2, "ffn_dim": 512,
	"num_attention_heads": 8, "max_position_embeddings": 256, "word_embed_proj_dim": 128, "do_layer_norm_before": false,
	"dropout": 0.1, "init_std": 0.02}`

type settings struct {
	dir                         string
	steps, warmup, batch, accum int
	lr, assigned                float64
	seed                        int64
}

func run(args []string, stdout, stderr io.Writer) int {
	var c settings
	fs := flag.NewFlagSet("pretrain", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&c.dir, "dir", "testdata/small", "`folder` with the tokenizer and pretrain.jsonl.gz; the model is written there")
	fs.IntVar(&c.steps, "steps", 1500, "optimizer steps")
	fs.IntVar(&c.warmup, "warmup", 150, "of them with a rising rate")
	fs.IntVar(&c.batch, "batch", 16, "records in a micro-batch")
	fs.IntVar(&c.accum, "accum", 2, "micro-batches in a step")
	fs.Float64Var(&c.lr, "lr", 1e-3, "highest learning rate")
	fs.Float64Var(&c.assigned, "assigned", 0.2, "share of the records in the assigned recipe's text, the rest in the reported one's")
	fs.Int64Var(&c.seed, "seed", 1, "seed of weights, order and dropout")
	if err := fs.Parse(args); err != nil {
		return 2
	}
	if err := pretrain(c, stdout); err != nil {
		fmt.Fprintf(stderr, "pretrain: %v\n", err)
		return 1
	}
	return 0
}

func pretrain(c settings, stdout io.Writer) error {
	config, err := opt.ParseConfig([]byte(shape))
	if err != nil {
		return err
	}
	samples, err := encode(c, int(config.MaxPositionEmbeddings))
	if err != nil {
		return err
	}
	held := samples[:len(samples)/50]
	samples = samples[len(held):]

	scope := torch.NewScope()
	defer func() { _ = torch.Run(func(*torch.Scope) error { scope.Free(); return nil }) }()
	var base *decoder.Model
	if err := torch.Run(func(*torch.Scope) (err error) {
		base, err = opt.Init(scope, config, c.seed, torch.CPU)
		return err
	}); err != nil {
		return err
	}
	m, params, err := train.Full(base)
	if err != nil {
		return err
	}
	defer params.Close()
	tr, err := train.NewTrainer(m, params, train.DefaultOptions(train.Schedule{LR: c.lr, Steps: c.steps, Warmup: c.warmup}))
	if err != nil {
		return err
	}
	defer tr.Close()
	loader, err := data.NewLoader(samples, data.NewOrder(len(samples), c.seed, false), c.batch)
	if err != nil {
		return err
	}
	if err := torch.Seed(c.seed); err != nil {
		return err
	}
	began := time.Now()
	for i := 1; i <= c.steps; i++ {
		micros := make([]data.MicroBatch, c.accum)
		for j := range micros {
			micros[j] = loader.Next()
		}
		if err := tr.Step(micros); err != nil {
			return err
		}
		if i%200 == 0 || i == c.steps {
			loss, err := train.Evaluate(m, held, 32)
			if err != nil {
				return err
			}
			fmt.Fprintf(stdout, "step %d of %d: held-out loss %.4f, %.0f s\n", i, c.steps, loss, time.Since(began).Seconds())
		}
	}
	return m.Save(c.dir, torch.Float16)
}

// encode spreads the assigned recipe's text evenly over the records, loss on every token in both.
func encode(c settings, maxLength int) ([]data.Sample, error) {
	tok, err := data.LoadTokenizer(c.dir)
	if err != nil {
		return nil, err
	}
	set, err := data.Load(context.Background(), filepath.Join(c.dir, "pretrain.jsonl.gz"))
	if err != nil {
		return nil, err
	}
	assigned := data.Assigned
	assigned.AnswerOnly = false
	var samples []data.Sample
	due := 0.0
	for _, r := range set.Records {
		p := data.Reported
		if due += c.assigned; due >= 1 {
			p, due = assigned, due-1
		}
		s, err := p.Encode(tok, []data.Record{r}, maxLength)
		if err != nil {
			return nil, err
		}
		samples = append(samples, s...)
	}
	return samples, nil
}
