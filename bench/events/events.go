// Package events writes what a run's record says step by step in the forms that other tools read:
// event files for TensorBoard, and the Trainer's log_history as JSON lines. Both say the same under
// the same names, which are those that the Trainer of transformers and its TensorBoardCallback use.
package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"lorabench/bench/record"
	"lorabench/internal/file"
)

// Save writes both logs of a run: dir/NAME.jsonl and the event file's folder dir/tensorboard/NAME/,
// NAME being the record's file name, such as rank=8,seed=42. Of a record that either refuses, nothing
// is written.
func Save(dir string, r *record.Record) error {
	content, err := eventFile(r)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, r.FileName()+".jsonl")
	if err := file.Replace(path, func(w io.Writer) error { return WriteHistory(w, r) }); err != nil {
		return err
	}
	return put(filepath.Join(dir, "tensorboard"), r, content)
}

// An event file's name must contain tfevents to be found. The place of the host is the program's: the
// same record then gives the same file everywhere, and the files written here can be told from others.
const (
	namePrefix = "events.out.tfevents."
	nameSuffix = ".lorabench"
)

// Write puts the run's event file into dir/NAME/: TensorBoard takes each folder for one run. An event
// file that was written there before for the same name and seed goes, since TensorBoard would draw
// both as one curve. The events' time of day is the record's Started with the training time up to them;
// a record without it is an error. Values are single precision, as in every scalar of a SummaryWriter;
// exact ones are in the record and in the history.
func Write(dir string, r *record.Record) error {
	content, err := eventFile(r)
	if err != nil {
		return err
	}
	return put(dir, r, content)
}

// put writes the event file of r, content, in place of an earlier one.
func put(dir string, r *record.Record, content []byte) error {
	folder := filepath.Join(dir, r.FileName())
	name := fmt.Sprintf("%s%d%s", namePrefix, r.Started.Unix(), nameSuffix)
	if err := file.Write(filepath.Join(folder, name), content); err != nil {
		return err
	}
	return removeOthers(folder, name)
}

// removeOthers removes the event files of this package in folder besides name.
func removeOthers(folder, name string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("event files of an earlier run: %w", err)
	}
	for _, e := range entries {
		n := e.Name()
		if n == name || !strings.HasPrefix(n, namePrefix) || !strings.HasSuffix(n, nameSuffix) {
			continue
		}
		if gone := os.Remove(filepath.Join(folder, n)); gone != nil {
			err = errors.Join(err, fmt.Errorf("event file of an earlier run, which TensorBoard would mix with the new one: %w", gone))
		}
	}
	return err
}

// eventFile is the whole file: its version, the settings as text, then one event for each value.
func eventFile(r *record.Record) ([]byte, error) {
	if r.Started.IsZero() {
		return nil, fmt.Errorf(`%s, seed %d: "started" is not set: events need the time when the run's clock was started, such as "2026-03-01T12:00:00Z"`, r.Name, r.Seed)
	}
	entries, err := history(r)
	if err != nil {
		return nil, err
	}
	texts, err := summaries(r)
	if err != nil {
		return nil, err
	}
	began := float64(r.Started.Unix()) + float64(r.Started.Nanosecond())/1e9
	b := appendRecord(nil, versionEvent(began))
	for _, t := range texts {
		b = appendRecord(b, summaryEvent(began, 0, textValue(t.tag, t.text)))
	}
	for _, e := range entries {
		for _, v := range e.values {
			// One value an event, as a SummaryWriter writes them: not every reader expects more.
			b = appendRecord(b, summaryEvent(began+e.seconds, int64(e.step), scalarValue(tag(v.key), v.v)))
		}
	}
	return b, nil
}

// tag is a log's key as TensorBoardCallback renames it (rewrite_logs in transformers' integrations).
func tag(key string) string {
	if name, ok := strings.CutPrefix(key, "eval_"); ok {
		return "eval/" + name
	}
	return "train/" + key
}

// text is Markdown for TensorBoard's text plugin.
type text struct{ tag, text string }

// summaries are what the callback writes when a training begins: every setting, and the model's
// configuration.
func summaries(r *record.Record) ([]text, error) {
	args, err := codeBlock(struct {
		Name string `json:"name"`
		Rank string `json:"rank"`
		Seed int64  `json:"seed"`
		record.Settings
		Scaling float64        `json:"scaling,omitempty"`
		Data    string         `json:"data_sha256,omitempty"`
		Weights string         `json:"model_sha256,omitempty"`
		Machine record.Machine `json:"machine"`
	}{r.Name, r.Rank, r.Seed, r.Settings, r.Scaling, r.Data.SHA256, r.Model.SHA256, r.Machine})
	if err != nil {
		return nil, fmt.Errorf("%s, seed %d: settings: %w", r.Name, r.Seed, err)
	}
	texts := []text{{"args", args}}
	if r.Model.Config == nil {
		return texts, nil
	}
	config, err := codeBlock(r.Model.Config)
	if err != nil {
		return nil, fmt.Errorf("%s, seed %d: model's configuration: %w", r.Name, r.Seed, err)
	}
	return append(texts, text{"model_config", config}), nil
}

// codeBlock is v as JSON, set off by four spaces: plain JSON, as the callback writes it, is one
// paragraph to Markdown, its lines run together. It is still JSON to whoever parses it.
func codeBlock(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("    ", "  ")
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return "    " + strings.TrimSuffix(b.String(), "\n"), nil
}
