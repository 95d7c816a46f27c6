package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

// settingsTable is everything that a run depends on, as the records have it: a setting that is added
// to them later is in the table without a change here.
func settingsTable(arms []*table.Arm) (*table.Table, error) {
	t := &table.Table{ID: "settings", Caption: "What the runs were made of and with. A value that differs names its arms.",
		Head: []table.Column{{Name: "setting"}, {Name: "value"}}}
	t.Rows = append(t.Rows, table.Row{Group: "Runs"})
	var names []string
	seeds := map[string]bool{}
	var all []string
	for _, a := range arms {
		names = append(names, a.Name)
		for _, r := range a.Runs {
			if s := fmt.Sprint(r.Seed); !seeds[s] {
				seeds[s] = true
				all = append(all, s)
			}
		}
	}
	t.Add("sub-benchmarks", table.Cell{Text: strings.Join(names, "; "), Words: true})
	t.Add("seeds", table.Cell{Text: strings.Join(all, ", "), Words: true})
	for _, part := range []struct {
		name string
		of   func(*record.Record) any
	}{
		{"Settings", func(r *record.Record) any { return r.Settings }},
		{"Model", func(r *record.Record) any { return r.Model }},
		{"Data", func(r *record.Record) any { return r.Data }},
		{"Machine and versions", func(r *record.Record) any { return r.Machine }},
		{"CUDA graphs", func(r *record.Record) any {
			return struct {
				Graphs int    `json:"cuda_graphs,omitempty"`
				Bytes  int64  `json:"cuda_graphs_bytes_outside_allocator,omitempty"`
				Failed string `json:"cuda_graphs_failed,omitempty"`
			}{r.Graphs, r.GraphsBytes, r.GraphsFailed}
		}},
	} {
		rows, err := settingRows(arms, part.of)
		if err != nil {
			return nil, fmt.Errorf("settings of %s: %w", part.name, err)
		}
		if len(rows) > 0 {
			t.Rows = append(append(t.Rows, table.Row{Group: part.name}), rows...)
		}
	}
	return t, nil
}

// settingRows are a part's settings, with what each arm has where they differ.
func settingRows(arms []*table.Arm, of func(*record.Record) any) ([]table.Row, error) {
	var keys []string
	values := map[string][]string{}    // of a key, as first seen
	having := map[[2]string][]string{} // the arms that have a key's value
	seen := func(key, value, arm string) {
		if _, ok := values[key]; !ok {
			keys = append(keys, key)
		}
		if !slices.Contains(values[key], value) {
			values[key] = append(values[key], value)
		}
		k := [2]string{key, value}
		if !slices.Contains(having[k], arm) {
			having[k] = append(having[k], arm)
		}
	}
	for _, a := range arms {
		for _, r := range a.Runs {
			ps, err := flatten(of(r))
			if err != nil {
				return nil, err
			}
			for _, p := range ps {
				seen(p[0], p[1], a.Name)
			}
		}
	}
	var rows []table.Row
	for _, k := range keys {
		// What every arm has, such as the seeds, is one list.
		everywhere := true
		for _, v := range values[k] {
			everywhere = everywhere && len(having[[2]string{k, v}]) == len(arms)
		}
		text := strings.Join(values[k], ", ")
		if !everywhere {
			var parts []string
			for _, v := range values[k] {
				parts = append(parts, v+" ("+strings.Join(having[[2]string{k, v}], "; ")+")")
			}
			text = strings.Join(parts, ", ")
		}
		rows = append(rows, table.Row{Label: k, Cells: []table.Cell{{Text: text, Words: true}}})
	}
	return rows, nil
}

// flatten is a struct's JSON fields in their order, those of objects inside with their path, lists
// with commas.
func flatten(v any) ([][2]string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var out [][2]string
	if err := walk(d, "", &out); err != nil && err != io.EOF {
		return nil, err
	}
	return out, nil
}

func walk(d *json.Decoder, path string, out *[][2]string) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('{'):
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return err
			}
			if err := walk(d, strings.TrimPrefix(path+"."+fmt.Sprint(key), "."), out); err != nil {
				return err
			}
		}
		_, err = d.Token()
	case json.Delim('['):
		var parts [][2]string
		for d.More() {
			if err := walk(d, "", &parts); err != nil {
				return err
			}
		}
		var words []string
		for _, p := range parts {
			words = append(words, p[1])
		}
		*out = append(*out, [2]string{table.Clean(path), strings.Join(words, ", ")})
		_, err = d.Token()
	default:
		text := "none"
		if t != nil {
			text = table.Clean(fmt.Sprint(t))
		}
		if text == "" {
			text = format.None
		}
		*out = append(*out, [2]string{table.Clean(path), text})
	}
	return err
}
