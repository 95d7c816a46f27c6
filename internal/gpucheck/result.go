package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"lorabench/internal/file"
)

// result is what a stage has found so far, over all calls: its file in the -out folder.
type result struct {
	Stage  int    `json:"stage"`
	Title  string `json:"title"`
	Commit string `json:"commit"` // of lorabench
	Device string `json:"device"`
	Items  []item `json:"items"`
	Error  string `json:"error,omitempty"` // of a stage that could not run
}

// item is one child process: what it was and what came of it.
type item struct {
	Name    string    `json:"name"`
	Command string    `json:"command"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Error   string    `json:"error,omitempty"` // of one that failed, ended at its limit or was not started
	Rows    []row     `json:"rows,omitempty"`  // also what one that failed left
}

// row is a line of the table.
type row struct {
	Name    string   `json:"name"`
	Figures []figure `json:"figures"`
}

// figure is a number under a column's head. Low and High are its 95 % interval. Text stands in its place where it is no number.
type figure struct {
	Column string   `json:"column"`
	Value  float64  `json:"value"`
	Low    *float64 `json:"low,omitempty"`
	High   *float64 `json:"high,omitempty"`
	Text   string   `json:"text,omitempty"`
}

func (s *session) resultPath(st *stage) string {
	return filepath.Join(s.out, fmt.Sprintf("stage%d-%s.json", st.n, st.name))
}

// load reads a stage's earlier result, if there is one. Figures of two cards or revisions in one table would be compared.
func (s *session) load(st *stage) (*result, error) {
	fresh := &result{Stage: st.n, Title: st.title, Commit: s.commit, Device: s.deviceName}
	b, err := os.ReadFile(s.resultPath(st))
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return nil, err
	}
	var r result
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("%s: %w: remove it, or name another -out", s.resultPath(st), err)
	}
	if len(r.Items) == 0 {
		return fresh, nil
	}
	if r.Commit != s.commit || r.Device != s.deviceName && !st.anywhere {
		return nil, fmt.Errorf("%s is of commit %s on %s, and this is %s on %s: name another -out", s.resultPath(st),
			r.Commit, r.Device, s.commit, s.deviceName)
	}
	return &r, nil
}

// put adds the item, or replaces the one of its name, and writes the file: what has ended is kept whatever happens next.
func (s *session) put(st *stage, r *result, it item) error {
	if i := slices.IndexFunc(r.Items, func(o item) bool { return o.Name == it.Name }); i >= 0 {
		r.Items[i] = it
	} else {
		r.Items = append(r.Items, it)
	}
	return s.write(st, r)
}

// end records why a stage cannot run, or that it can.
func (s *session) end(st *stage, r *result, why string) error {
	r.Error = why
	return s.write(st, r)
}

func (s *session) write(st *stage, r *result) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("stage %d: %w", st.n, err)
	}
	return file.Write(s.resultPath(st), append(b, '\n'))
}

// done reports whether an earlier call did this already.
func (r *result) done(name string) bool {
	return slices.ContainsFunc(r.Items, func(it item) bool { return it.Name == name && it.Error == "" })
}
