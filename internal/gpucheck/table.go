package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lorabench/bench/format"
	"lorabench/internal/file"
)

// table prints every stage that the folder has results of, those of earlier calls too, and keeps it as table.txt.
func (s *session) table(w io.Writer) error {
	var all strings.Builder
	for _, st := range stages() {
		if err := s.tableOf(&st, &all); err != nil {
			return err
		}
	}
	if err := file.Write(filepath.Join(s.out, "table.txt"), []byte(all.String())); err != nil {
		return err
	}
	_, err := io.WriteString(w, all.String())
	return err
}

// tableOf prints a stage's file, if it has one, and why the stage could not run now.
func (s *session) tableOf(st *stage, w io.Writer) error {
	ended := s.ended[st.n]
	b, err := os.ReadFile(s.resultPath(st))
	var r result
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	switch {
	case err == nil:
		if ended != "" {
			r.Error = ended
		}
		return r.print(w)
	case ended == "" && errors.Is(err, fs.ErrNotExist):
		return nil
	case ended == "":
		ended = err.Error()
	}
	_, err = fmt.Fprintf(w, "\n%d. %s\n   %s\n", st.n, st.title, brief(ended))
	return err
}

// print writes the stage's rows under the columns that any of them has, and its errors.
func (r *result) print(w io.Writer) error {
	fmt.Fprintf(w, "\n%d. %s\n   %s, commit %s\n", r.Stage, r.Title, r.Device, r.Commit)
	heads := []string{"run", ""}
	at := map[string]int{}
	for _, it := range r.Items {
		for _, row := range it.Rows {
			for _, f := range row.Figures {
				if at[f.Column] == 0 {
					at[f.Column] = len(heads)
					heads = append(heads, f.Column)
				}
			}
		}
	}
	t := &format.Table{Head: heads, Words: []string{""}}
	for _, it := range r.Items {
		for _, row := range it.Rows {
			cells := make([]string, len(heads))
			cells[0], cells[1] = it.Name, row.Name
			for _, f := range row.Figures {
				cells[at[f.Column]] = f.String()
			}
			t.Rows = append(t.Rows, cells)
		}
	}
	if len(t.Rows) > 0 {
		if err := t.Text(w); err != nil {
			return err
		}
	}
	r.errors(w)
	if r.Error != "" {
		fmt.Fprintf(w, "   %s\n", brief(r.Error))
	}
	return nil
}

// errors prints each error once, after the names of all runs that have it.
func (r *result) errors(w io.Writer) {
	names := map[string][]string{}
	var order []string
	for _, it := range r.Items {
		if it.Error == "" {
			continue
		}
		if names[it.Error] == nil {
			order = append(order, it.Error)
		}
		names[it.Error] = append(names[it.Error], it.Name)
	}
	for _, e := range order {
		fmt.Fprintf(w, "   %s: %s\n", strings.Join(names[e], ", "), brief(e))
	}
}

// brief returns an error's first line and the last ones of what the program printed; its log has the others.
func brief(e string) string {
	const last = 5
	lines := strings.Split(strings.TrimSpace(e), "\n")
	if len(lines) > last+1 {
		lines = append(lines[:1:1], lines[len(lines)-last:]...)
	}
	return strings.Join(lines, "\n   ")
}

// String shows four digits, and the interval where there is one.
func (f figure) String() string {
	if f.Text != "" {
		return f.Text
	}
	v := format.Number(f.Value, 4)
	if f.Low != nil && f.High != nil {
		v += fmt.Sprintf(" (%s to %s)", format.Number(*f.Low, 4), format.Number(*f.High, 4))
	}
	return v
}
