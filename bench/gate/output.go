package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"

	"lorabench/bench/gate/judge"
	"lorabench/bench/gate/show"
)

// write writes all that was asked for, and what else there is although one of them fails.
func (c *command) write(v *judge.Verdict) error {
	errs := []error{show.Text(c.stdout, v, c.verbose)}
	summary := ""
	if c.github {
		errs = append(errs, show.Annotations(c.stdout, v))
		summary = os.Getenv("GITHUB_STEP_SUMMARY")
	}
	return errors.Join(append(errs, put(c.markdown, os.O_TRUNC, "", show.Markdown, v), put(c.json, os.O_TRUNC, "", show.JSON, v),
		put(summary, os.O_APPEND, "\n", show.Markdown, v))...)
}

// put writes the verdict in one write to a file, which may be /dev/stdout or a pipe, or what other steps of the job write to as
// well, from which a line sets it apart. "" is no file.
func put(path string, how int, before string, show func(io.Writer, *judge.Verdict) error, v *judge.Verdict) error {
	if path == "" {
		return nil
	}
	text := bytes.NewBufferString(before)
	if err := errors.Join(show(text, v), os.MkdirAll(filepath.Dir(path), 0o777)); err != nil {
		return err
	}
	f, err := os.OpenFile(path, how|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(text.Bytes())
	return errors.Join(err, f.Close())
}
