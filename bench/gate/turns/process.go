package turns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// command is a program to run with what it prints in files.
type command struct {
	argv   []string
	dir    string
	env    []string
	log    string     // what it prints is added to this file
	stdout string     // its standard output goes to this file instead; "" is log
	extra  []*os.File // further files for it, from descriptor 3 on; closed here once it has them
}

// grace is how long a program may take to end itself when asked to.
const grace = 10 * time.Second

// run waits for the program. An error has the end of the log. When ctx ends, so do the program and what it started.
func (c command) run(ctx context.Context) error {
	defer closeAll(c.extra) // where it could not even be started
	log, err := os.OpenFile(c.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	cmd.Env = append(c.env, "PWD="+c.dir)
	if c.stdout != "" {
		out, err := os.Create(c.stdout)
		if err != nil {
			return err
		}
		defer out.Close()
		cmd.Stdout = out
	}
	cmd.SysProcAttr, cmd.WaitDelay = apart(), grace
	cmd.Cancel = func() error { return endGroup(cmd.Process.Pid, false) }
	cmd.ExtraFiles = c.extra
	if err = cmd.Start(); err == nil {
		closeAll(c.extra)
		err = cmd.Wait()
	}
	if cmd.Process != nil {
		_ = endGroup(cmd.Process.Pid, true) // what it left running, if anything
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w; its log is %s%s", err, c.log, tail(c.log))
	}
	return nil
}

// tail is the last lines of a log, to stand below an error.
func tail(path string) string {
	const most = 20
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return " and is empty"
	}
	lines := strings.Split(string(b[max(0, len(b)-16<<10):]), "\n")
	return ", which ends:\n    " + strings.Join(lines[max(0, len(lines)-most):], "\n    ")
}

// environment is this process's for children in another checkout: without what ties them to this one. Git
// sets GIT_DIR and the like where the gate is called from a hook; a GOWORK that names this checkout's
// go.work would have the base compiled with the head's packages.
func environment(more ...string) []string {
	var env []string
	for _, e := range os.Environ() {
		name, value, _ := strings.Cut(e, "=")
		switch name {
		case "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY",
			"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "PWD":
			continue
		case "GOWORK":
			if value != "off" {
				continue
			}
		}
		env = append(env, e)
	}
	return append(env, more...)
}

// git runs git in dir and returns what it printed, without the last newline. Hooks are off: they are for
// people's commits and checkouts, and one that fails would fail the gate.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "-c", "core.hooksPath=" + os.DevNull}, args...)...)
	cmd.Env = environment("LC_ALL=C", "GIT_TERMINAL_PROMPT=0")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = apart() // an interrupt at the keyboard is for the gate, which ends its children itself
	cmd.WaitDelay = grace
	err := cmd.Run()
	switch exit := (*exec.ExitError)(nil); {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.As(err, &exit):
		if said := strings.TrimSpace(stderr.String()); said != "" {
			err = fmt.Errorf("git %s: %w: %s", args[0], err, said)
		} else {
			err = fmt.Errorf("git %s: %w", args[0], err)
		}
	}
	return strings.TrimSuffix(stdout.String(), "\n"), err
}

// closeAll closes files, those that are closed already included.
func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
