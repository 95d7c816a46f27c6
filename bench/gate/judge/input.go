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
	label, paths, problems := files(arg)
	set := results.Read(paths...)
	set.Problems = append(problems, set.Problems...)
	return &Input{Set: set, Label: label}
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

// labelled is an argument with a label: label=file, where the label is no path.
var labelled = regexp.MustCompile(`^([^=/\\,]+)=(.+)$`)

// files finds the files that an argument names. A path that exists is taken as it is, whatever signs are in it: folders of runs
// are called rank=8,seed=1 and the like.
func files(arg string) (label string, paths []string, problems []Problem) {
	refuse := func(file, format string, args ...any) {
		problems = append(problems, Problem{Kind: results.Unreadable, File: file, Text: fmt.Sprintf(format, args...)})
	}
	if m := labelled.FindStringSubmatch(arg); m != nil && !exists(arg) {
		label, arg = m[1], m[2]
	}
	items := []string{arg}
	if !exists(arg) {
		items = strings.Split(arg, ",")
	}
	for _, item := range items {
		found := []string{item}
		if !exists(item) && strings.ContainsAny(item, "*?[") {
			var err error
			if found, err = filepath.Glob(item); err != nil {
				refuse(item, "the pattern cannot be read: %v", err)
			} else if found == nil {
				refuse(item, "no file matches the pattern")
			}
		}
		for _, path := range found {
			bench, parts := filepath.Join(path, "bench.txt"), filepath.Join(path, "parts.txt")
			info, err := os.Stat(path)
			switch {
			case path == "":
				refuse("", "%q has an empty part, which names no result file: want files, folders or quoted patterns", arg)
			case err != nil || !info.IsDir():
				paths = append(paths, path) // one that is not there is told when it is read
			case exists(bench) && exists(parts):
				paths = append(paths, bench, parts)
			case exists(bench):
				paths = append(paths, bench)
			case path == item: // a pattern may match folders of something else
				refuse(item, "the folder has no bench.txt: give a folder of -out, or the files themselves (%s)", filepath.Join(path,
					"*.txt"))
			}
		}
	}
	return label, paths, problems
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
