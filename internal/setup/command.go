package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// command returns a command that ends with this program; -v shows it.
func (s *setup) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = dieTogether()
	line, rest, more := strings.Cut(strings.Join(cmd.Args, " "), "\n")
	if more {
		line = fmt.Sprintf("%s ... (%d more bytes)", line, len(rest))
	}
	s.note("+ %s", line)
	return cmd
}

// output runs a command in dir and returns its stdout. A failing command's error ends in the last line that it wrote.
func (s *setup) output(dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := s.command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if last := oneLine(stderr.String()); last != "" {
			err = fmt.Errorf("%w: %s", err, last)
		}
	}
	return stdout.Bytes(), err
}

// oneLine returns the last line of a command's output that is not blank.
func oneLine(output string) string {
	last := ""
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
	}
	return last
}
