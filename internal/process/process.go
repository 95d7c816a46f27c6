// Package process runs child programs so that ending one ends what it started too, and an error has the end of what it printed.
package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Command runs a program in a session of its own: ending it ends what it started too, and it has no terminal, on which its
// progress would be drawn over the caller's.
type Command struct {
	What  string   // for errors
	Argv  []string // program and arguments
	Dir   string
	Env   []string      // besides this process's
	Log   string        // file for stdout and stderr
	Out   string        // file for stdout alone, where something else on stderr would break its lines; "" is Log
	Pass  []*os.File    // descriptors 3 and up of the program; closed here once it has them
	Grace time.Duration // between asking it to end and ending it, where ctx ends; 0 ends it at once
}

// Run waits for the program and returns the most memory that it ever had, in bytes. An error has the
// end of what it printed. When ctx ends, so does the whole group.
func (c Command) Run(ctx context.Context) (peak int64, err error) {
	defer c.closePassed() // where it was never started
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

// closePassed leaves a pipe's end to the program alone, so that the pipe ends when the program does.
func (c Command) closePassed() {
	for _, f := range c.Pass {
		_ = f.Close() // the second time it is closed already
	}
}

// tail is the last lines of a log, to stand below an error.
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
