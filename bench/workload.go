package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"lorabench/bench/record"
	"lorabench/data"
	"lorabench/data/hub"
	"lorabench/internal/torch"
	"lorabench/lora"
	"lorabench/opt"
)

// Workload is what every run of a process shares: base weights on the device, token ids, and
// where they came from.
type Workload struct {
	Settings
	Base        *opt.Model
	Train, Held []data.Sample
	Other       []data.Sample // not of the task: what may be forgotten
	ModelInfo   record.ModelInfo
	DataInfo    record.DataInfo

	device       torch.Device
	scope        *torch.Scope
	weightBytes  *int64 // what loading the weights took of the device's allocator; nil where it does not tell
	productBytes int64  // the workspace that matrix products keep on CUDA
}

// LoadWorkload reads model, tokenizer and data, from disk or the Hub, and encodes the records.
func LoadWorkload(ctx context.Context, s Settings, progress func(file string, done, total int64)) (*Workload, error) {
	client, err := hub.FromEnv()
	if err != nil {
		return nil, err
	}
	client.Progress = progress
	w := &Workload{Settings: s, scope: torch.NewScope()}
	if w.device, err = torch.OpenDevice(s.Device); err != nil {
		return nil, err
	}
	torch.AllowTF32(s.TF32)
	tokenizer, err := w.loadModel(ctx, client)
	if err == nil {
		err = w.loadData(ctx, client, tokenizer)
	}
	if err == nil {
		d := &w.DataInfo
		d.EvalLossBase, d.EvalHalvesBase, d.ForgetLossBase, err = w.evaluate(w.Base)
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Close frees the base weights.
func (w *Workload) Close() {
	_ = torch.Run(func(*torch.Scope) error { w.scope.Free(); return nil })
}

// loadModel loads the base model and returns the folder of its tokenizer.
func (w *Workload) loadModel(ctx context.Context, client *hub.Client) (tokenizer string, err error) {
	d, err := w.Torch()
	if err != nil {
		return "", err
	}
	name, dir := shown(w.Model), w.Model
	config, hashed := strings.CutPrefix(w.Model, "hash:")
	if hashed {
		dir, name = filepath.Dir(config), "hash:"+shown(config)
	} else if !filepath.IsAbs(dir) {
		repo, revision, _ := strings.Cut(dir, "@")
		if dir, w.ModelInfo.Revision, err = client.Model(ctx, repo, revision); err != nil {
			return "", fmt.Errorf("-model %s: %w", name, err)
		}
	}
	var src opt.Source
	err = torch.Run(func(*torch.Scope) (err error) {
		before, unknown := w.device.InUse()
		if !hashed {
			w.Base, src, err = opt.Load(w.scope, dir, d, w.device)
		} else {
			var c opt.Config
			if c, err = opt.ReadConfig(config); err == nil {
				w.Base, src, err = opt.Hash(w.scope, c, 1, d, w.device)
			}
		}
		if now, e := w.device.InUse(); unknown == nil && e == nil {
			took := now - before
			w.weightBytes = &took
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("-model %s: %w", name, err)
	}
	if w.Settings.ModelDropout != Unset {
		w.Base.ModelDropout = w.Settings.ModelDropout
	}
	w.Settings.ModelDropout, w.Base.Checkpoint = w.Base.ModelDropout, w.Checkpoint
	w.MaxLength = min(w.MaxLength, int(w.Base.MaxPositionEmbeddings))
	all, _ := w.Base.NumParameters()
	w.ModelInfo.Name, w.ModelInfo.SHA256, w.ModelInfo.Parameters = name, src.SHA256, all
	if w.ModelInfo.Config, err = fields(w.Base.Config); err != nil {
		return "", fmt.Errorf("-model %s: %w", name, err)
	}
	if w.Tokenizer != "" {
		return w.Tokenizer, nil
	}
	return dir, nil
}

func (w *Workload) loadData(ctx context.Context, client *hub.Client, tokenizer string) error {
	tok, err := data.LoadTokenizer(tokenizer)
	if err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	if int64(tok.Size()) > w.Base.VocabSize {
		return fmt.Errorf("the tokenizer in %s has ids up to %d, the model's vocabulary is %d: they do not belong together", tokenizer, tok.Size()-1, w.Base.VocabSize)
	}
	set, err := data.LoadFrom(ctx, client, w.Data)
	if err != nil {
		return fmt.Errorf("-data %s: %w", shown(w.Data), err)
	}
	recs := set.Records
	if w.Limit > 0 && w.Limit < len(recs) {
		recs = recs[:w.Limit]
	}
	if w.Eval == Unset {
		w.Eval = min(256, len(recs)/10)
	}
	train, held, err := data.Split(recs, w.Eval)
	if err != nil {
		return fmt.Errorf("-eval %d: %w", w.Eval, err)
	}
	if w.Train, err = w.Prompt().Encode(tok, train, w.MaxLength); err != nil {
		return err
	}
	if len(held) > 0 {
		if w.Held, err = w.Prompt().Encode(tok, held, w.MaxLength); err != nil {
			return err
		}
	}
	w.DataInfo = record.DataInfo{Name: shown(w.Data), Revision: set.Revision, SHA256: set.SHA256, Skipped: set.Skipped,
		Train: len(train), Held: len(held)}
	return w.loadOther(ctx, client, tok)
}

// others is the number of records of -forget that are used. More would take longer and tell little more.
const others = 256

func (w *Workload) loadOther(ctx context.Context, client *hub.Client, tok *data.Tokenizer) error {
	if w.Forget == "" {
		return nil
	}
	set, err := data.LoadFrom(ctx, client, w.Forget)
	recs := set.Records
	if err == nil && len(recs) > others {
		_, recs, err = data.Split(recs, others)
	}
	if err == nil {
		w.Other, err = w.Prompt().Encode(tok, recs, w.MaxLength)
	}
	if err != nil {
		return fmt.Errorf("-forget %s: %w", shown(w.Forget), err)
	}
	d := &w.DataInfo
	d.Forget, d.ForgetSHA256, d.ForgetRecords = shown(w.Forget), set.SHA256, len(recs)
	return nil
}

// evaluate returns m's loss on the held-out records, on each half of them, and on the other text; nil is what was not asked for.
func (w *Workload) evaluate(m *opt.Model) (held *float64, halves []float64, other *float64, err error) {
	held, halves, err = w.heldOut(m)
	if err == nil && len(w.Other) > 0 {
		var loss float64
		loss, err = lora.Evaluate(m, w.Other, w.Batch)
		other = &loss
	}
	return held, halves, other, err
}

// heldOut returns m's loss on the held-out records, nil where there are none, and on every second of them, from the first and from the
// second. Which record is in which half follows from the records alone, as what is held out does. One record has no halves.
func (w *Workload) heldOut(m *opt.Model) (loss *float64, halves []float64, err error) {
	if len(w.Held) == 0 {
		return nil, nil, nil
	}
	total, labels := 0.0, 0
	for from := range min(2, len(w.Held)) {
		var half []data.Sample
		n := 0
		for i := from; i < len(w.Held); i += 2 {
			half = append(half, w.Held[i])
			n += data.Pack(w.Held, []int{i}).Labels
		}
		mean, err := lora.Evaluate(m, half, w.Batch)
		if err != nil {
			return nil, nil, err
		}
		halves = append(halves, mean)
		total, labels = total+mean*float64(n), labels+n
	}
	if total /= float64(labels); len(halves) < 2 {
		halves = nil
	}
	return &total, halves, nil
}

// fields is what JSON makes of v.
func fields(v any) (m map[string]any, err error) {
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	return m, err
}

// shown is a path as it may appear in results: within the checkout relative to it, elsewhere only
// its last two parts, so that results from two machines are of the same model.
func shown(path string) string {
	if !filepath.IsAbs(path) {
		return path
	}
	if root, err := Root(); err == nil {
		if rel, err := filepath.Rel(root, path); err == nil && !strings.HasPrefix(rel, "..") {
			return filepath.ToSlash(rel)
		}
	}
	return filepath.ToSlash(filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path)))
}

// StandIn says whether the device is internal/fakecuda's, on which nothing becomes a result.
func (w *Workload) StandIn() bool { return w.device.StandIn() }
