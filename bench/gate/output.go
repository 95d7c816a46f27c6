package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"

	"lorabench/bench/gate/judge"
	"lorabench/bench/gate/show"
)

// output is where the verdict goes besides standard output.
type output struct {
	markdown, json  string // files
	github, verbose bool
}

func (o *output) flags(fs *flag.FlagSet) {
	fs.StringVar(&o.markdown, "markdown", "", "write Markdown to `file` too")
	fs.StringVar(&o.json, "json", "", "write JSON to `file` too")
	fs.BoolVar(&o.github, "github", os.Getenv("GITHUB_ACTIONS") == "true",
		"print GitHub annotations too, and append the Markdown to $GITHUB_STEP_SUMMARY; the default where GITHUB_ACTIONS is true")
	fs.BoolVar(&o.verbose, "v", false, "print all results, what is not judged included, and cut no list")
}

// write writes all that was asked for, and what else there is although one of them fails.
func (o *output) write(stdout io.Writer, v *judge.Verdict) error {
	errs := []error{show.Text(stdout, v, o.verbose)}
	summary := ""
	if o.github {
		errs = append(errs, show.Annotations(stdout, v))
		summary = os.Getenv("GITHUB_STEP_SUMMARY")
	}
	return errors.Join(append(errs, put(o.markdown, os.O_TRUNC, "", show.Markdown, v), put(o.json, os.O_TRUNC, "", show.JSON, v),
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
