package history

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"lorabench/bench/gate/judge"
)

// stamp is the time in a result file's name.
const stamp = "20060102T150405Z"

// fileName is what Append calls a result set.
var fileName = regexp.MustCompile(`^(\d{8}T\d{6}Z)-(.+)\.txt$`)

// mostErrors is how many errors of unreadable files are told one by one.
const mostErrors = 20

// Load reads the result sets of a folder: every .txt in it, but hidden ones. The error is about all files that
// cannot be used, each line with file and line; no history is made of the others alone.
func Load(dir string) (*History, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("history: %w: give the folder that results were appended to", err)
	}
	h := &History{}
	var ins []*judge.Input
	var errs []error
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || !strings.HasSuffix(e.Name(), ".txt") {
			continue
		}
		f, in, err := load(filepath.Join(dir, e.Name()))
		if err != nil {
			errs = append(errs, err...)
			continue
		}
		h.Files = append(h.Files, f)
		ins = append(ins, in)
	}
	if n := len(errs); n > mostErrors {
		errs = append(errs[:mostErrors], fmt.Errorf("and %d more", n-mostErrors))
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("history %s: %w", dir, errors.Join(errs...))
	}
	if len(h.Files) == 0 {
		return nil, fmt.Errorf("history %s: the folder has no result file (20261123T201500Z-5471c87f72b3.txt or the like): append results first", dir)
	}
	// By time, then by name, which ReadDir's order is.
	order := make([]int, len(h.Files))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return h.Files[a].Time.Compare(h.Files[b].Time) })
	g := newGatherer()
	files := h.Files
	h.Files = nil
	for _, i := range order {
		h.Files = append(h.Files, files[i])
		if err := g.add(files[i], ins[i]); err != nil {
			return nil, fmt.Errorf("history %s: %w", dir, err)
		}
	}
	h.Classes = g.classes()
	return h, nil
}

// load reads one result set.
func load(path string) (File, *judge.Input, []error) {
	m := fileName.FindStringSubmatch(filepath.Base(path))
	if m == nil {
		return File{}, nil, []error{fmt.Errorf("%s: the name does not say when and of which commit the results are: want 20261123T201500Z-5471c87f72b3.txt; append the file, or move it elsewhere", path)}
	}
	at, err := time.Parse(stamp, m[1])
	if err != nil {
		return File{}, nil, []error{fmt.Errorf("%s: the name's time %s is none: want year, month, day, T, hour, minute, second, Z, as in 20261123T201500Z", path, m[1])}
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return File{}, nil, []error{fmt.Errorf("%s: %w: want a plain file", path, fs.ErrInvalid)}
	}
	in, problems := judge.Read(path)
	var errs []error
	for _, p := range problems {
		errs = append(errs, problem(p))
	}
	for _, b := range in.Benchmarks {
		for _, r := range b.Runs {
			if c := commitOf(r.Config); c != m[2] && len(errs) < mostErrors {
				errs = append(errs, fmt.Errorf("%s:%d: %s is of commit %q, the file's name says %s: correct one of them", path, r.Line, b.Name, c, m[2]))
			}
		}
	}
	if errs != nil {
		return File{}, nil, errs
	}
	return File{path, at, m[2]}, in, nil
}

// problem is a problem as an error.
func problem(p judge.Problem) error {
	at := p.File
	if at != "" && p.Line > 0 {
		at += ":" + strconv.Itoa(p.Line)
	}
	if at != "" {
		at += ": "
	}
	what := strings.TrimSpace(p.Benchmark + " " + p.Unit)
	if what != "" && !strings.Contains(p.Text, what) {
		at += what + ": "
	}
	return errors.New(at + p.Text)
}

// commitOf is the commit that a result says it is of, "" where it says none or unknown.
func commitOf(c *judge.Settings) string {
	if c == nil {
		return ""
	}
	if v := c.Get("commit"); v != "unknown" {
		return v
	}
	return ""
}
