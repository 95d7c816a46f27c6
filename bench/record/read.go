package record

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Read reads one record's file. An unknown field is an error: it is of another version, and its figure would be silently lost. So is a
// wrong checksum; records from before there were checksums, and those made by hand, have none.
func Read(path string) (*Record, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var head struct {
		Schema   int
		Checksum *string
	}
	r, d := &Record{}, json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	bad, unknown := json.Unmarshal(b, &head), d.Decode(r)
	switch {
	case head.Schema > Schema:
		return nil, fmt.Errorf(`%s: "schema" is %d, this lorabench reads up to %d: use the one that wrote it`, path, head.Schema, Schema)
	case head.Checksum != nil && *head.Checksum != checksum(b, *head.Checksum):
		return nil, fmt.Errorf("%s: its checksum is not the one written in it: the file is damaged or was edited", path)
	case bad != nil || unknown != nil:
		return nil, fmt.Errorf("%s: %w: it is no run record of this version of lorabench; run the benchmark again with -out", path,
			cmp.Or(bad, unknown))
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.Checksum = ""
	return r, nil
}

func (r *Record) check() error {
	switch {
	case r.Schema < 0:
		return fmt.Errorf(`"schema" is %d, want at least 0`, r.Schema)
	case r.Block < 0 || r.Position < 0:
		return fmt.Errorf(`"block" is %d and "position" %d, want at least 0`, r.Block, r.Position)
	case r.Name == "":
		return fmt.Errorf(`"name" is missing: want the sub-benchmark's, such as rank=8`)
	case r.Rank == "":
		return fmt.Errorf(`"rank" is missing`)
	case IsStandIn(r.Machine.GPU):
		return fmt.Errorf(`"machine.gpu" is %q: a stand-in device, whose kernels compute nothing: its figures are no results`, r.Machine.GPU)
	case r.GlobalStep < 1:
		return fmt.Errorf(`"global_step" is %d, want at least 1`, r.GlobalStep)
	case len(r.Steps) > r.GlobalStep:
		return fmt.Errorf(`"log_history" has %d steps, "global_step" is %d`, len(r.Steps), r.GlobalStep)
	case r.Diverged < 0 || r.Diverged > r.GlobalStep:
		return fmt.Errorf(`"diverged_at_step" is %d, "global_step" is %d`, r.Diverged, r.GlobalStep)
	case r.Resumed < 0 || r.Resumed >= r.GlobalStep:
		return fmt.Errorf(`"resumed_after_step" is %d, "global_step" is %d`, r.Resumed, r.GlobalStep)
	case !(r.Runtime > 0):
		return fmt.Errorf(`"train_runtime" is %v, want more than 0`, r.Runtime)
	}
	return nil
}

// ReadDir reads the records in a folder, its files NAME,seed=N.json, in the order of Compare and then of seeds.
func ReadDir(dir string) ([]*Record, error) {
	rs, unread := Readable(dir)
	switch {
	case len(unread) > 0:
		return nil, unread[0]
	case len(rs) == 0:
		return nil, fmt.Errorf("%s has no run record (rank=R,seed=S.json): run the benchmark with -out=%s", dir, dir)
	}
	return rs, nil
}

// names returns those of dir's records.
func names(dir string) []string {
	found, _ := fs.Glob(os.DirFS(dir), "*seed=*.json") // it fails only on an invalid pattern
	return found
}

// In reports whether dir has records, without reading them.
func In(dir string) bool { return len(names(dir)) > 0 }

// Readable returns the records that can be read, and the errors of the others.
func Readable(dir string) (rs []*Record, unread []error) {
	for _, name := range names(dir) {
		if r, err := Read(filepath.Join(dir, name)); err != nil {
			unread = append(unread, err)
		} else {
			rs = append(rs, r)
		}
	}
	slices.SortFunc(rs, func(a, b *Record) int { return cmp.Or(Compare(a.Name, b.Name), cmp.Compare(a.Seed, b.Seed)) })
	return rs, unread
}

// Compare orders names of sub-benchmarks key by key, numbers by value and before words such as rank=full.
func Compare(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "/"), strings.Split(b, "/"), func(a, b string) int {
		ka, va, _ := strings.Cut(a, "=")
		kb, vb, _ := strings.Cut(b, "=")
		return cmp.Or(cmp.Compare(ka, kb), cmp.Compare(number(va), number(vb)), cmp.Compare(va, vb))
	})
}

// number parses a number; a word is infinite.
func number(s string) float64 {
	if v, err := strconv.ParseFloat(s, 64); err == nil {
		return v
	}
	return math.Inf(1)
}

// Finite drops every arm with a run that diverged: its other seeds would be a selection of the lucky ones. left names those arms in a
// sentence, "" if there are none. It is an error if no arm is left.
func Finite(rs []*Record) (finite []*Record, left string, err error) {
	runs := map[string][]string{}
	for _, r := range rs {
		if r.Diverged > 0 {
			runs[r.Name] = append(runs[r.Name], fmt.Sprintf("seed %d at step %d", r.Seed, r.Diverged))
		}
	}
	if len(runs) == 0 {
		return rs, "", nil
	}
	finite = slices.DeleteFunc(slices.Clone(rs), func(r *Record) bool { return runs[r.Name] != nil })
	names := slices.SortedFunc(maps.Keys(runs), Compare)
	for i, name := range names {
		names[i] += " (" + strings.Join(runs[name], ", ") + ")"
	}
	left = "Left out, because training diverged: " + strings.Join(names, ", ") + "."
	if len(finite) == 0 {
		return nil, left, fmt.Errorf("no arm is left to compare: %s Give lower -lr or -alpha", left)
	}
	return finite, left, nil
}
