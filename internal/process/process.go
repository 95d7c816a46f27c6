// Package process runs child programs so that ending one also ends what it started, and an error includes the end of its output.
package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Command runs a program in a session of its own: ending it also ends what it started, and it has no terminal, on which
// its progress would be drawn over the caller's.
type Command struct {
	What  string   // for errors
	Argv  []string // program and arguments
	Dir   string
	Env   []string      // besides this process's
	Log   string        // file for stdout and stderr
	Out   string        // file for stdout alone, where something else on stderr would break its lines; "" is Log
	Pass  []*os.File    // descriptors 3 and up of the program; closed here once it has them
	Grace time.Duration // between asking it to end and killing it, when ctx ends; 0 kills it at once
}

// Run runs the program and returns its peak memory in bytes. An error includes the end of its output.
// When ctx ends, so does the whole group.
func (c Command) Run(ctx context.Context) (peak int64, err error) {
	defer c.closePassed() // if it was never started
	log, err := os.Create(c.Log)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = c.Dir, append(os.Environ(), c.Env...), log, log, c.Pass
	cmd.SysProcAttr = apart()
	if c.Out != "" {
		out, err := os.Create(c.Out)
		if err != nil {
			return 0, err
		}
		defer out.Close()
		cmd.Stdout = out
	}
	cmd.WaitDelay = c.Grace
	cmd.Cancel = func() error {
		if c.Grace > 0 {
			return endGroup(cmd.Process.Pid, false)
		}
		return endGroup(cmd.Process.Pid, true)
	}
	if err = cmd.Start(); err == nil {
		c.closePassed()
		err = cmd.Wait()
	}
	if cmd.Process != nil {
		_ = endGroup(cmd.Process.Pid, true) // what it left running, if anything
	}
	if ctx.Err() != nil {
		return 0, fmt.Errorf("%s: %w", c.What, context.Cause(ctx))
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w%s", c.What, err, tail(c.Log))
	}
	return maxRSS(cmd.ProcessState), nil
}

// closePassed closes this process's ends of the pipes passed, so that a pipe ends when the program does.
func (c Command) closePassed() {
	for _, f := range c.Pass {
		_ = f.Close() // the second time it is closed already
	}
}

// tail returns the last lines of a log, to print below an error.
func tail(path string) string {
	const most = 25
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	lines = lines[max(0, len(lines)-most):]
	if len(lines) == 1 && lines[0] == "" {
		return "; it printed nothing"
	}
	return "; the end of what it printed:\n    " + strings.Join(lines, "\n    ") + "\n"
}
