package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"lorabench/bench/gate/judge"
	"lorabench/bench/gate/show"
	"lorabench/internal/file"
)

// output is where the verdict goes and in which form.
type output struct {
	format          string
	markdown, json  string // files
	github, verbose bool
}

type writer = func(io.Writer, *judge.Verdict) error

func (o *output) writers() map[string]writer {
	text := func(w io.Writer, v *judge.Verdict) error { return show.Text(w, v, o.verbose) }
	return map[string]writer{"text": text, "markdown": show.Markdown, "json": show.JSON, "github": show.Annotations}
}

func (o *output) flags(fs *flag.FlagSet) {
	fs.StringVar(&o.format, "format", "text", "what is printed: text, markdown, json or github (annotations)")
	fs.StringVar(&o.markdown, "markdown", "", "write the Markdown to `file` too")
	fs.StringVar(&o.json, "json", "", "write the JSON to `file` too")
	fs.BoolVar(&o.github, "github", os.Getenv("GITHUB_ACTIONS") == "true",
		"print GitHub annotations too, and append the Markdown to $GITHUB_STEP_SUMMARY; the default where GITHUB_ACTIONS is true")
	fs.BoolVar(&o.verbose, "v", false, "print all results, what is not judged included, and cut no list")
}

func (o *output) check() error {
	switch {
	case o.writers()[o.format] == nil:
		return fmt.Errorf("-format is %q, want one of github, json, markdown, text", o.format)
	case o.markdown != "" && o.markdown == o.json:
		return fmt.Errorf("-markdown and -json are both %s", o.json)
	}
	return nil
}

// write writes all that was asked for, and what else there is although one of them fails.
func (o *output) write(stdout, stderr io.Writer, v *judge.Verdict) error {
	errs := []error{o.writers()[o.format](stdout, v)}
	if o.github && o.format != "github" {
		to := stdout
		if o.format != "text" { // what is printed is for a program; GitHub reads both
			to = stderr
		}
		errs = append(errs, show.Annotations(to, v))
	}
	for _, f := range []struct {
		path  string
		write writer
	}{{o.markdown, show.Markdown}, {o.json, show.JSON}} {
		if f.path != "" {
			errs = append(errs, put(f.path, func(w io.Writer) error { return f.write(w, v) }))
		}
	}
	if summary := os.Getenv("GITHUB_STEP_SUMMARY"); o.github && summary != "" {
		var text strings.Builder
		errs = append(errs, show.Markdown(&text, v), appendTo(summary, "\n"+text.String()))
	}
	return errors.Join(errs...)
}

// put writes a file whole or not at all; what is no file, /dev/stdout or a pipe, is written to and not replaced.
func put(path string, write func(io.Writer) error) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().IsRegular() || info.IsDir() {
		return file.Replace(path, write)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// appendTo adds to a file that other steps of the job write to as well, in one write: whole or not at all, as far as the system
// has it.
func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err == nil {
		_, err = io.WriteString(f, text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("GITHUB_STEP_SUMMARY: %w", err)
	}
	return nil
}
