package history

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"

	"lorabench/bench/gate/judge"
	"lorabench/internal/file"
)

// commitName is a commit that can be in a file's name: a hash, with + where the tree had changes, or a tag.
var commitName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._+-]{0,79}$`)

// Append puts a side's results into the folder as one new file, named by when they were made (UTC) and by
// their commit, and returns its path. A file that is there is never touched: of two result sets of one
// second and commit the second is named a second later. The same results again are not added; the path is
// then that of the file which has them.
//
// It is an error, and nothing is written, where a line could not be read, a value is not a finite number, a
// result does not say its commit ("commit: 5471c87f72b3" before it), or the results are of several commits.
func Append(dir string, in *judge.Input, at time.Time) (string, error) {
	commit, text, err := resultSet(in)
	if err != nil {
		return "", fmt.Errorf("history: the results are not appended: %w", err)
	}
	if y := at.UTC().Year(); y < 1 || y > 9999 {
		return "", fmt.Errorf("history: the results are not appended: their time is in the year %d, want 1 to 9999", y)
	}
	if path, err := has(dir, commit, text); path != "" || err != nil {
		return path, err
	}
	for at = at.UTC().Truncate(time.Second); ; at = at.Add(time.Second) {
		path := filepath.Join(dir, at.Format(stamp)+"-"+commit+".txt")
		switch err := create(path, text); {
		case err == nil:
			return path, nil
		case !errors.Is(err, fs.ErrExist):
			return "", fmt.Errorf("history: %w", err)
		}
	}
}

// link is os.Link but in tests of disks without links.
var link = os.Link

// create writes a file that must not be there yet, whole or not at all: beside it first, then linked to its
// name, which fails where there is one. A rename would replace it.
func create(path string, text []byte) (err error) {
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text())
	if err := file.Write(temp, text); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(temp)) }()
	err = link(temp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// File systems without links: the name is taken first, by an empty file, and then filled.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := file.Write(path, text); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// has is the file that has these results of a commit already, "" where none does.
func has(dir, commit string, text []byte) (string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("history: %w", err)
	}
	for _, e := range entries {
		m := fileName.FindStringSubmatch(e.Name())
		if m == nil || m[2] != commit || !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		b, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("history: %w", err)
		}
		if bytes.Equal(b, text) {
			return path, nil
		}
	}
	return "", nil
}

// resultSet is the text of a side's files in one, and the commit that they are of. The files are read again:
// what is kept is what they say, to the last digit, with names and units as they were written.
func resultSet(in *judge.Input) (commit string, text []byte, err error) {
	if in == nil || len(in.Files) == 0 {
		return "", nil, errors.New("no result file was read")
	}
	var errs []error
	for _, p := range in.Problems {
		if errs = append(errs, problem(p)); len(errs) == mostErrors {
			break
		}
	}
	if errs != nil {
		return "", nil, errors.Join(errs...)
	}
	var b bytes.Buffer
	w := benchfmt.NewWriter(&b)
	var r benchfmt.Reader
	for _, path := range in.Files {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", nil, err
		}
		r.Reset(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))), path)
		for r.Scan() {
			rec := r.Result()
			name, line := rec.Pos()
			if res, ok := rec.(*benchfmt.Result); ok {
				if err := usable(res, &commit); err != nil {
					return "", nil, fmt.Errorf("%s:%d: %w", name, line, err)
				}
			}
			// What package judge did not take for a result that cannot be read, the writer leaves out.
			if err := w.Write(rec); err != nil {
				return "", nil, err
			}
		}
		if err := r.Err(); err != nil {
			return "", nil, err
		}
	}
	if commit == "" {
		return "", nil, fmt.Errorf("%s: no result in it", strings.Join(in.Files, ", "))
	}
	return commit, b.Bytes(), nil
}

// usable checks a result; commit is that of the ones before it.
func usable(res *benchfmt.Result, commit *string) error {
	for _, v := range res.Values {
		x := v.Value
		if v.OrigUnit != "" {
			x = v.OrigValue
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("%s: %s is %v, want a finite number: the run diverged or was not measured", res.Name, v.Unit, x)
		}
	}
	switch c := res.GetConfig("commit"); {
	case c == "" || c == "unknown":
		return fmt.Errorf("%s does not say its commit: the history is by commit; write a line such as \"commit: 5471c87f72b3\" before the results", res.Name)
	case !commitName.MatchString(c):
		return fmt.Errorf("%s is of commit %q, which cannot be in a file's name: want a hash or a tag of letters, digits, and any of . _ + -", res.Name, c)
	case *commit != "" && *commit != c:
		return fmt.Errorf("%s is of commit %s, results before it of %s: append them one commit at a time", res.Name, c, *commit)
	default:
		*commit = c
	}
	return nil
}
