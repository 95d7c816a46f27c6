package judge

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"lorabench/bench/results"
)

// Input is one side's results as they were read. Problems are put into the verdict.
type Input struct {
	*results.Set
	Label string // of label=file, else ""
}

// Read reads one side: a file, a quoted glob, a folder (its bench.txt, and parts.txt where there is one), several of them with
// commas between, or any of these with "label=" before it. Input is never nil.
func Read(arg string) *Input {
	a := argument{}
	a.read(arg)
	set := results.Read(a.files...)
	set.Problems = append(a.problems, set.Problems...)
	return &Input{Set: set, Label: a.label}
}

// ReadBoth reads both sides at a time, and the run records beside their files. Records beside the files of both sides are left
// aside: whose they are is not known.
func ReadBoth(old, new string) (a, b *Input) {
	var reading sync.WaitGroup
	reading.Go(func() { a = Read(old) })
	b = Read(new)
	reading.Wait()
	for _, f := range a.Files {
		if slices.ContainsFunc(b.Files, func(g string) bool { return filepath.Dir(f) == filepath.Dir(g) }) {
			return a, b
		}
	}
	a.ReadRecords()
	b.ReadRecords()
	return a, b
}

// argument is a side as the command line names it.
type argument struct {
	label    string
	files    []string
	problems []Problem
}

// labelled is an argument with a label: label=file, where the label is no path.
var labelled = regexp.MustCompile(`^([^=/\\,]+)=(.+)$`)

// read finds the files. A path that exists is taken as it is, whatever signs are in it: folders of runs are called
// rank=8,seed=1 and the like.
func (a *argument) read(arg string) {
	if m := labelled.FindStringSubmatch(arg); m != nil && !exists(arg) {
		a.label, arg = m[1], m[2]
	}
	items := []string{arg}
	if !exists(arg) {
		items = strings.Split(arg, ",")
	}
	for _, item := range items {
		if item == "" {
			a.refuse("", "%q has an empty part, which names no result file: want files, folders with a bench.txt, or quoted patterns", arg)
			continue
		}
		paths := []string{item}
		if !exists(item) && strings.ContainsAny(item, "*?[") {
			var err error
			if paths, err = filepath.Glob(item); err != nil {
				a.refuse(item, "the pattern cannot be read: %v", err)
			} else if paths == nil {
				a.refuse(item, "no file matches the pattern")
			}
		}
		for _, p := range paths {
			a.add(p, p != item)
		}
	}
}

// add adds a file, or those of a folder; one that a pattern matches may be of something else.
func (a *argument) add(path string, matched bool) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		a.files = append(a.files, path) // one that is not there is told when it is read
		return
	}
	bench, parts := filepath.Join(path, "bench.txt"), filepath.Join(path, "parts.txt")
	switch {
	case exists(bench) && exists(parts):
		a.files = append(a.files, bench, parts)
	case exists(bench):
		a.files = append(a.files, bench)
	case !matched:
		a.refuse(path, "the folder has no bench.txt: give a folder that a benchmark wrote with -out, or the files themselves (%s)", filepath.Join(path, "*.txt"))
	}
}

func (a *argument) refuse(file, format string, args ...any) {
	a.problems = append(a.problems, Problem{Kind: results.Unreadable, File: file, Text: fmt.Sprintf(format, args...)})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
