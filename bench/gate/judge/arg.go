package judge

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// labelled is an argument with a label: label=file, where the label is no path.
var labelled = regexp.MustCompile(`^([^=/\\,]+)=(.+)$`)

// files are the result files that an argument names. A path that exists is taken as it is, whatever signs
// are in it: folders of runs are called rank=8,seed=1 and the like.
func files(arg string) (label string, paths []string, problems []Problem) {
	refuse := func(file, format string, args ...any) {
		problems = append(problems, Problem{Kind: Unreadable, File: file, Text: fmt.Sprintf(format, args...)})
	}
	if arg == "" {
		refuse("", "no result file given: want a file, a folder with a bench.txt, or a quoted pattern")
		return
	}
	if m := labelled.FindStringSubmatch(arg); m != nil && !exists(arg) {
		label, arg = m[1], m[2]
	}
	items := []string{arg}
	if !exists(arg) {
		items = strings.Split(arg, ",")
	}
	for _, item := range items {
		if item == "" {
			refuse("", "%q has an empty part between commas: remove the comma", arg)
			continue
		}
		info, err := os.Stat(item)
		switch {
		case err == nil && info.IsDir():
			found := inFolder(item)
			if found == nil {
				refuse(item, "the folder has no bench.txt: give a folder that a benchmark wrote with -out, or the files themselves (%s)", filepath.Join(item, "*.txt"))
			}
			paths = append(paths, found...)
		case err == nil:
			paths = append(paths, item)
		case strings.ContainsAny(item, "*?["):
			found, err := filepath.Glob(item)
			switch {
			case err != nil:
				refuse(item, "the pattern cannot be read: %v", err)
			case found == nil:
				refuse(item, "no file matches the pattern")
			}
			for _, f := range found {
				if info, err := os.Stat(f); err == nil && info.IsDir() {
					if in := inFolder(f); in != nil {
						paths = append(paths, in...)
					}
					continue
				}
				paths = append(paths, f)
			}
		default:
			refuse(item, "%v: give the output of go test -bench, or the folder of -out", withoutPath(err))
		}
	}
	return label, paths, problems
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// inFolder are a folder's result files: nil where there is no bench.txt.
func inFolder(dir string) []string {
	bench, parts := filepath.Join(dir, "bench.txt"), filepath.Join(dir, "parts.txt")
	if !exists(bench) {
		return nil
	}
	if !exists(parts) {
		return []string{bench}
	}
	return []string{bench, parts}
}

// withoutPath is an error of the file system without the path that it names: the problem has it already.
func withoutPath(err error) error {
	if e, ok := err.(*os.PathError); ok {
		return e.Err
	}
	return err
}
