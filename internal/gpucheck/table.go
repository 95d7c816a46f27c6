package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"

	"lorabench/internal/file"
)

// table prints every stage that the folder has results of, those of earlier calls too, and keeps it as table.txt.
func (s *session) table(w io.Writer) error {
	var all strings.Builder
	for _, st := range stages() {
		b, err := os.ReadFile(s.resultPath(&st))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		var r result
		if err := json.Unmarshal(b, &r); err != nil {
			return fmt.Errorf("%s: %w", s.resultPath(&st), err)
		}
		if err := r.print(&all); err != nil {
			return err
		}
	}
	if err := file.Write(filepath.Join(s.out, "table.txt"), []byte(all.String())); err != nil {
		return err
	}
	_, err := io.WriteString(w, all.String())
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
	t := tablewriter.NewTable(w, tablewriter.WithHeaderAutoFormat(tw.Off))
	t.Header(heads)
	lines := 0
	for _, it := range r.Items {
		for _, row := range it.Rows {
			cells := make([]string, len(heads))
			cells[0], cells[1] = it.Name, row.Name
			for _, f := range row.Figures {
				cells[at[f.Column]] = f.String()
			}
			if err := t.Append(cells); err != nil {
				return err
			}
			lines++
		}
	}
	if lines > 0 {
		if err := t.Render(); err != nil {
			return err
		}
	}
	r.errors(w)
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
		fmt.Fprintf(w, "   %s: %s\n", strings.Join(names[e], ", "), strings.TrimSpace(e))
	}
}

// String shows four digits, and the interval where there is one.
func (f figure) String() string {
	if f.Text != "" {
		return f.Text
	}
	v := digits(f.Value)
	if f.Low != nil && f.High != nil {
		v += fmt.Sprintf(" (%s to %s)", digits(*f.Low), digits(*f.High))
	}
	return v
}

func digits(v float64) string {
	if v == float64(int64(v)) && v < 1e6 && v > -1e6 {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
