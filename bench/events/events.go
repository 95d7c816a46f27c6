// Package events writes a run's steps in the forms that other tools read: event files for TensorBoard, and the Trainer's
// log_history as JSON lines. Both have the same values under the names that the Trainer of transformers and its
// TensorBoardCallback use.
package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"lorabench/bench/record"
	"lorabench/internal/file"
)

// eventName contains tfevents, by which TensorBoard finds it. It is the same for every run, so that a repeated run
// replaces its file: TensorBoard would draw two files of a folder as one curve.
const eventName = "events.out.tfevents.0.lorabench"

// Save writes both logs of a run: dir/NAME.jsonl and dir/tensorboard/NAME/, NAME being the record's file name, such as
// rank=8,seed=42. TensorBoard takes each folder for one run. Of a record that is refused, nothing is written.
func Save(dir string, r *record.Record) error {
	lines, events, err := logs(r)
	if err != nil {
		return fmt.Errorf("%s, seed %d: %w", r.Name, r.Seed, err)
	}
	if err := file.Write(filepath.Join(dir, r.FileName()+".jsonl"), lines); err != nil {
		return err
	}
	return file.Write(filepath.Join(dir, "tensorboard", r.FileName(), eventName), events)
}

func logs(r *record.Record) (lines, events []byte, err error) {
	entries, err := history(r)
	if err != nil {
		return nil, nil, err
	}
	if lines, err = jsonLines(entries); err != nil {
		return nil, nil, err
	}
	events, err = eventFile(r, entries)
	return lines, events, err
}

// eventFile encodes the version, the settings as text, then one event for each value, as a SummaryWriter does: not every
// reader expects more. An event's time of day is the record's Started plus the training time up to it. Values have single
// precision, as all scalars of a SummaryWriter.
func eventFile(r *record.Record, entries []entry) ([]byte, error) {
	if r.Started.IsZero() {
		return nil, fmt.Errorf(`"started" is not set: events need the time at which the run's clock was started, such as "2026-03-01T12:00:00Z"`)
	}
	args := struct {
		Name string `json:"name"`
		Rank string `json:"rank"`
		Seed int64  `json:"seed"`
		record.Settings
		Scaling float64        `json:"scaling,omitempty"`
		Data    string         `json:"data_sha256,omitempty"`
		Weights string         `json:"model_sha256,omitempty"`
		Machine record.Machine `json:"machine"`
	}{r.Name, r.Rank, r.Seed, r.Settings, r.Scaling, r.Data.SHA256, r.Model.SHA256, r.Machine}
	began := float64(r.Started.Unix()) + float64(r.Started.Nanosecond())/1e9
	b := appendRecord(nil, encode(1, began, 3, "brain.Event:2"))
	for _, text := range []struct {
		tag   string
		value any
	}{{"args", args}, {"model_config", r.Model.Config}} {
		block, err := codeBlock(text.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", text.tag, err)
		}
		b = appendRecord(b, encode(1, began, 5, encode(1, textValue(text.tag, block))))
	}
	for _, e := range entries {
		for _, v := range e.values {
			scalar := encode(1, tag(v.key), 2, float32(v.v))
			b = appendRecord(b, encode(1, began+e.seconds, 2, e.step, 5, encode(1, scalar)))
		}
	}
	return b, nil
}

// tag renames a log's key as TensorBoardCallback does (rewrite_logs in transformers' integrations).
func tag(key string) string {
	if name, ok := strings.CutPrefix(key, "eval_"); ok {
		return "eval/" + name
	}
	return "train/" + key
}

// textValue encodes a Value for TensorBoard's text plugin: a tensor of one string, [1], under the tag that
// torch.utils.tensorboard's add_text gives it.
func textValue(tag, text string) []byte {
	const dtString = 7
	shape := encode(2, encode(1, 1))
	return encode(1, tag+"/text_summary", 8, encode(1, dtString, 2, shape, 8, text), 9, encode(1, encode(1, "text")))
}

// codeBlock returns v as JSON indented by four spaces: Markdown would run the lines of plain JSON, as the callback writes
// it, together. It still parses as JSON.
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
