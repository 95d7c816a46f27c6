package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
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
	summary         string // GitHub's file for a job's summary
}

type writer = func(io.Writer, *judge.Verdict) error

var formats = map[string]writer{"text": show.WriteText, "markdown": show.WriteMarkdown, "json": show.WriteJSON,
	"github": show.WriteAnnotations}

func (o *output) flags(fs *flag.FlagSet) {
	fs.StringVar(&o.format, "format", "text", "what is printed: text, markdown, json or github (annotations)")
	fs.StringVar(&o.markdown, "markdown", "", "write the Markdown to `file` too")
	fs.StringVar(&o.json, "json", "", "write the JSON to `file` too")
	fs.BoolVar(&o.github, "github", false, "print GitHub annotations too, and append the Markdown to $GITHUB_STEP_SUMMARY; the default where GITHUB_ACTIONS is true")
	fs.BoolVar(&o.verbose, "v", false, "print all results, what is not judged included, and cut no list")
}

func (o *output) complete(given map[string]bool) error {
	if formats[o.format] == nil {
		return fmt.Errorf("-format is %q, want one of %s", o.format, strings.Join(slices.Sorted(maps.Keys(formats)), ", "))
	}
	seen := map[string]string{}
	for _, f := range []struct{ name, path string }{{"markdown", o.markdown}, {"json", o.json}} {
		if given[f.name] && f.path == "" {
			return fmt.Errorf("-%s is empty, want a file; -format=%s prints it", f.name, f.name)
		}
		if other := seen[f.path]; f.path != "" && other != "" {
			return fmt.Errorf("-%s and -%s are both %s", other, f.name, f.path)
		}
		seen[f.path] = f.name
	}
	if !given["github"] {
		o.github = os.Getenv("GITHUB_ACTIONS") == "true"
	}
	if o.github {
		o.summary = os.Getenv("GITHUB_STEP_SUMMARY")
	}
	return nil
}

// write writes all that was asked for, and what else there is although one of them fails.
func (o *output) write(stdout, stderr io.Writer, v *judge.Verdict) error {
	print := formats[o.format]
	if o.format == "text" && o.verbose {
		print = show.WriteVerbose
	}
	errs := []error{print(stdout, v)}
	if o.github && o.format != "github" {
		to := stdout
		if o.format != "text" { // what is printed is for a program; GitHub reads both
			to = stderr
		}
		errs = append(errs, show.WriteAnnotations(to, v))
	}
	for _, f := range []struct {
		path  string
		write writer
	}{{o.markdown, show.WriteMarkdown}, {o.json, show.WriteJSON}} {
		if f.path != "" {
			errs = append(errs, put(f.path, func(w io.Writer) error { return f.write(w, v) }))
		}
	}
	if o.summary != "" {
		errs = append(errs, appendTo(o.summary, v))
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

// appendTo adds the Markdown to a file that other steps of the job write to as well.
func appendTo(path string, v *judge.Verdict) error {
	var text strings.Builder
	if err := show.WriteMarkdown(&text, v); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return fmt.Errorf("GITHUB_STEP_SUMMARY: %w", err)
	}
	_, err = io.WriteString(f, "\n"+text.String()) // one write: whole or not at all, as far as the system has it
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("GITHUB_STEP_SUMMARY: %w", err)
	}
	return nil
}
