package turns

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"lorabench/internal/file"
)

// collect puts a side's turns together: bench.txt and the records.
func (m *measurement) collect(s *side) error {
	var blocks []block
	for k := range m.Seeds {
		blocks = append(blocks, block{path: filepath.Join(s.turnDir(k), "bench.txt"), seed: strconv.Itoa(firstSeed + k)})
		records, err := filepath.Glob(filepath.Join(escape(s.turnDir(k)), "*.json"))
		if err != nil {
			return err
		}
		for _, r := range records {
			if err := link(r, filepath.Join(s.out, filepath.Base(r))); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	return join(filepath.Join(s.out, "bench.txt"), blocks)
}

// block is one turn's result file. seed, where there is one, is said for a harness that does not say it
// itself: lorabench did not always.
type block struct{ path, seed string }

// join writes the blocks into one file, whole or not at all. Each keeps its own configuration lines, which
// in this format hold from there on.
func join(to string, blocks []block) error {
	return file.Replace(to, func(w io.Writer) error {
		for _, b := range blocks {
			text, err := os.ReadFile(b.path)
			if err != nil {
				return err
			}
			if b.seed != "" && !hasLine(text, "seed:") {
				if _, err := fmt.Fprintf(w, "seed: %s\n", b.seed); err != nil {
					return err
				}
			}
			if len(text) > 0 && text[len(text)-1] != '\n' {
				text = append(text, '\n')
			}
			if _, err := w.Write(append(text, '\n')); err != nil {
				return err
			}
		}
		return nil
	})
}

func hasLine(text []byte, start string) bool {
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte(start)) {
			return true
		}
	}
	return false
}

// countResults is the number of result lines in a file.
func countResults(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n := 0
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		// go test prints the bare name first where a benchmark logs something.
		if l := lines.Bytes(); bytes.HasPrefix(l, []byte("Benchmark")) && len(bytes.Fields(l)) >= 4 {
			n++
		}
	}
	return n, lines.Err()
}

// link makes path another name of the file, or a copy where the file system has no such thing.
func link(file, path string) error {
	err := os.Link(file, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return copyFile(file, path)
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return file.Write(to, b)
}
