package judge

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"lorabench/bench/results"
)

// Input is one side's results as they were read. Problems are put into the verdict.
type Input struct {
	*results.Set
	Label string // of the side; "" is baseline or new
}

// Read reads one side: a file, or a folder's bench.txt and the files parts*.txt beside it.
func Read(path string) *Input {
	paths := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		paths[0] = filepath.Join(path, "bench.txt")
		parts, _ := fs.Glob(os.DirFS(path), "parts*.txt") // the pattern can be read
		for _, name := range parts {
			paths = append(paths, filepath.Join(path, name))
		}
	}
	return &Input{Set: results.Read(paths...)}
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
