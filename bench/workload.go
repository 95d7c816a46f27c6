package bench

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lorabench/bench/record"
	"lorabench/data"
	"lorabench/data/hub"
	"lorabench/internal/decoder"
	"lorabench/internal/kernels"
	"lorabench/internal/models"
	"lorabench/internal/smollm2"
	"lorabench/internal/torch"
	"lorabench/internal/train"
)

// Workload holds what all runs of a process share: base weights on the device, token ids, and where they came from.
type Workload struct {
	Settings
	Base               *decoder.Model
	Train, Held, Other []data.Sample // Other is not of the task: it measures forgetting
	ModelInfo          record.ModelInfo
	DataInfo           record.DataInfo
	Left, OtherLeft    data.Left // what training does not use of the data

	device       torch.Device
	scope        *torch.Scope
	tokenizer    *data.Tokenizer
	weightBytes  *int64 // of the weights in the device's allocator; nil where it does not count
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
	if w.StandIn() { // nothing of it is kept
		w.SaveSteps, w.SaveAdapter = 0, false
	}
	if w.Kernels == kernels.Auto && !w.device.CUDA() {
		w.Kernels = w.kernelsBefore()
	}
	torch.AllowTF32(s.TF32)
	for _, part := range []struct {
		flag, value string
		load        func(context.Context, *hub.Client) error
	}{{"-model", s.Model, w.loadModel}, {"-data", s.Data, w.loadData}, {"-forget", s.Forget, w.loadOther}} {
		if err := part.load(ctx, client); err != nil {
			w.Close()
			return nil, fmt.Errorf("%s %s: %w", part.flag, shown(part.value), err)
		}
	}
	d := &w.DataInfo
	if d.EvalLossBase, d.EvalHalvesBase, d.ForgetLossBase, err = w.evaluate(w.Base); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Close frees the base weights.
func (w *Workload) Close() {
	_ = torch.Run(func(*torch.Scope) error { w.scope.Free(); return nil })
}

func (w *Workload) loadModel(ctx context.Context, client *hub.Client) (err error) {
	dir, info := w.Model, &w.ModelInfo
	config, hashed := strings.CutPrefix(w.Model, "hash:")
	switch {
	case hashed:
		dir = filepath.Dir(config)
	case dir == smollm2.Name:
		dir, err = smollm2.Folder()
	case !filepath.IsAbs(dir):
		repo, revision, _ := strings.Cut(dir, "@")
		dir, info.Revision, err = client.Model(ctx, repo, revision)
	}
	if err != nil {
		return err
	}
	err = torch.Run(func(*torch.Scope) (err error) {
		var src decoder.Source
		before, unknown := w.device.InUse()
		if !hashed {
			w.Base, src, err = models.Load(w.scope, dir, dtypes[w.DType], w.device)
		} else if c, bad := models.ReadConfig(config); bad != nil {
			return bad
		} else {
			w.Base, src, err = decoder.Hash(w.scope, c, 1, dtypes[w.DType], w.device)
		}
		if now, err := w.device.InUse(); unknown == nil && err == nil {
			now -= before
			w.weightBytes = &now
		}
		info.SHA256 = src.SHA256
		return err
	})
	if err != nil {
		return err
	}
	if w.Kernels, err = kernels.Set(w.Base, w.Kernels); err != nil {
		return fmt.Errorf("-kernels: %w", err)
	}
	if w.ModelDropout != Unset {
		w.Base.SetDropout(w.ModelDropout)
	}
	if err := w.Base.CheckTraining(); err != nil {
		return err
	}
	w.ModelDropout, w.Base.Checkpoint = w.Base.ModelDropout, w.Checkpoint
	w.MaxLength = min(w.MaxLength, int(w.Base.MaxPositionEmbeddings))
	info.Name = shown(w.Model)
	info.Parameters, _ = decoder.NumParameters(w.Base.Config)
	if info.Config, err = fields(w.Base.Config); err != nil {
		return err
	}
	dir = cmp.Or(w.Tokenizer, dir)
	if w.tokenizer, err = data.LoadTokenizer(dir); err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	if n := w.tokenizer.Vocabulary(); int64(n) > w.Base.VocabSize {
		return fmt.Errorf("the tokenizer in %s has ids up to %d, the model's vocabulary is %d: they do not belong together",
			dir, n-1, w.Base.VocabSize)
	}
	return nil
}

// encode returns recs as token ids. It refuses an id outside of the model's vocabulary, because a record's last id is only ever a label,
// which no batch checks. The tokenizer may know more tokens: some folders add one for padding that no record has.
func (w *Workload) encode(recs []data.Record) ([]data.Sample, error) {
	samples, err := w.Prompt().Encode(w.tokenizer, recs, w.MaxLength)
	if err != nil {
		return nil, err
	}
	for _, s := range samples {
		if i := slices.IndexFunc(s.IDs, func(id int32) bool { return int64(id) >= w.Base.VocabSize }); i >= 0 {
			return nil, fmt.Errorf("the tokenizer in %s gives %q id %d, the model's vocabulary is %d: they do not belong together",
				shown(cmp.Or(w.Tokenizer, w.Model)), w.tokenizer.Decode(s.IDs[i:i+1]), s.IDs[i], w.Base.VocabSize)
		}
	}
	return samples, nil
}

func (w *Workload) loadData(ctx context.Context, client *hub.Client) error {
	set, err := data.LoadFrom(ctx, client, w.Data)
	if err != nil {
		return err
	}
	recs := set.Records
	if w.Limit > 0 {
		recs = recs[:min(w.Limit, len(recs))]
	}
	if fill(&w.Eval, min(256, len(recs)/10)); w.Eval == 0 && w.TargetLoss > 0 {
		return fmt.Errorf("-target-loss is %v, and of %d records none is held out: give more, or -eval", w.TargetLoss, len(recs))
	}
	train, held, err := data.Split(recs, w.Eval)
	if err != nil {
		return fmt.Errorf("-eval %d: %w", w.Eval, err)
	}
	w.DataInfo = record.DataInfo{Name: shown(w.Data), Revision: set.Revision, SHA256: set.SHA256, Skipped: each(set.Skipped, shown),
		Train: len(train), Held: len(held)}
	w.Train, err = w.encode(train)
	if err == nil && len(held) > 0 {
		if w.Held, err = w.encode(held); err != nil {
			err = fmt.Errorf("held-out records: %w", err)
		}
	}
	w.Left = data.Left{Layout: set.Layout, Fields: set.Unused, Train: data.Count(w.Train), Held: data.Count(w.Held),
		BothSides: data.BothSides(train, held)}
	if err == nil {
		w.DataInfo.Left, err = fields(w.Left)
	}
	return err
}

// others is the number of records of -forget that are used: more would take longer and change the loss little.
const others = 256

func (w *Workload) loadOther(ctx context.Context, client *hub.Client) error {
	if w.Forget == "" {
		return nil
	}
	set, err := data.LoadFrom(ctx, client, w.Forget)
	if err != nil {
		return err
	}
	recs := set.Records
	if len(recs) > others {
		_, recs, err = data.Split(recs, others)
	}
	if err == nil {
		w.Other, err = w.encode(recs)
	}
	d := &w.DataInfo
	d.Forget, d.ForgetSHA256, d.ForgetRecords = shown(w.Forget), set.SHA256, len(recs)
	if err == nil {
		w.OtherLeft = data.Left{Layout: set.Layout, Fields: set.Unused, Held: data.Count(w.Other)}
		d.ForgetLeft, err = fields(w.OtherLeft)
	}
	return err
}

// evaluate returns m's loss on the held-out records, on each half of them, and on the other text; nil if not asked for.
func (w *Workload) evaluate(m *decoder.Model) (held *float64, halves []float64, other *float64, err error) {
	held, halves, err = w.heldOut(m)
	if err == nil && len(w.Other) > 0 {
		var loss float64
		loss, err = train.Evaluate(m, w.Other, w.Batch)
		other = &loss
	}
	return held, halves, other, err
}

// heldOut returns m's loss on the held-out records, nil if there are none, and on each half of them: every second record from the first,
// and from the second, so that a record's half follows from the records alone. There are no halves where one has no label.
func (w *Workload) heldOut(m *decoder.Model) (loss *float64, halves []float64, err error) {
	var samples [2][]data.Sample
	var labels [2]float64
	for i, s := range w.Held {
		samples[i%2] = append(samples[i%2], s)
		labels[i%2] += float64(data.Pack(w.Held, []int{i}).Labels)
	}
	total := 0.0
	for i := range samples {
		if labels[i] == 0 { // -max-length may cut every answer of a half
			continue
		}
		mean, err := train.Evaluate(m, samples[i], w.Batch)
		if err != nil {
			return nil, nil, err
		}
		halves = append(halves, mean)
		total += mean * labels[i]
	}
	switch total /= labels[0] + labels[1]; {
	case len(w.Held) == 0:
		return nil, nil, nil
	case len(halves) == 0:
		return nil, nil, fmt.Errorf("none of the %d held-out records has a label: give a larger -eval or -max-length", len(w.Held))
	case len(halves) == 1:
		halves = nil
	}
	return &total, halves, nil
}

// fields returns v as the map that its JSON holds.
func fields(v any) (m map[string]any, err error) {
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	return m, err
}

// inputs returns a digest of what the model's and the data's digests do not cover: the tokenizer's ids, and the adapter's files.
func (w *Workload) inputs() (string, error) {
	h := sha256.New()
	for _, samples := range [][]data.Sample{w.Train, w.Held, w.Other} {
		for _, s := range samples {
			_ = binary.Write(h, binary.LittleEndian, s.IDs) // of memory: no error
		}
	}
	if w.Adapter == "" {
		return fmt.Sprintf("%x", h.Sum(nil)), nil
	}
	files, err := filepath.Glob(filepath.Join(w.Adapter, "adapter_*"))
	for _, name := range files {
		b, unread := os.ReadFile(name)
		h.Write(b)
		err = errors.Join(err, unread)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), err
}

// StandIn reports whether the device is internal/fakecuda's, on which nothing is a result.
func (w *Workload) StandIn() bool { return w.device.StandIn() }
