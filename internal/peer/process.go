package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"lorabench/internal/root"
)

// command runs a program in a process group of its own, so that ending it ends what it started too.
type command struct {
	what string   // for errors
	argv []string // program and arguments
	dir  string
	env  []string   // besides this process's
	log  string     // file for stdout and stderr
	pass []*os.File // descriptors 3 and up of the program; closed here once it has them
}

// run waits for the program and returns the most memory that it ever had, in bytes. An error has the
// end of what it printed. When ctx ends, so does the whole group.
func (c command) run(ctx context.Context) (maxRSS int64, err error) {
	defer c.closePassed() // where it was never started
	log, err := os.Create(c.log)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = c.dir, append(os.Environ(), c.env...), log, log, c.pass
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	if err = cmd.Start(); err == nil {
		c.closePassed()
		err = cmd.Wait()
	}
	if cmd.Process != nil {
		_ = killGroup(cmd.Process.Pid) // what it left running, if anything
	}
	if ctx.Err() != nil {
		return 0, fmt.Errorf("%s: %w", c.what, context.Cause(ctx))
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w%s", c.what, err, tail(c.log))
	}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		maxRSS = u.Maxrss * 1024
	}
	return maxRSS, nil
}

// closePassed leaves a pipe's end to the program alone, so that the pipe ends when the program does.
func (c command) closePassed() {
	for _, f := range c.pass {
		_ = f.Close() // the second time it is closed already
	}
}

func killGroup(pid int) error {
	err := syscall.Kill(-pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
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

// compile builds the benchmark's test binary, so that no run's figures have compiling in them. A bundle brings it.
func compile(ctx context.Context, top, dir string) (string, error) {
	if root.Bundled() {
		return filepath.Join(top, "bench", "bench.test"), nil
	}
	path := filepath.Join(dir, "lorabench.test")
	_, err := command{what: "compiling lorabench", argv: []string{"go", "test", "-c", "-o", path, "./bench"}, dir: top,
		env: []string{"TMPDIR=" + dir}, log: filepath.Join(dir, "compile.log")}.run(ctx)
	return path, err
}

// visible is CUDA_VISIBLE_DEVICES for a peer that is to see the one device named: a Trainer that
// sees several spreads its batches over all of them. now is the variable's value, if it is set.
func visible(device, now string, set bool) (string, error) {
	if device == "cpu" {
		return "", nil
	}
	index := 0
	if _, n, ok := strings.Cut(device, ":"); ok {
		var err error
		if index, err = strconv.Atoi(n); err != nil || index < 0 {
			return "", fmt.Errorf("device %q: want cpu, cuda or cuda:N", device)
		}
	}
	if !set {
		return strconv.Itoa(index), nil
	}
	devices := slices.DeleteFunc(strings.Split(now, ","), func(d string) bool { return strings.TrimSpace(d) == "" })
	if index >= len(devices) {
		return "", fmt.Errorf("CUDA_VISIBLE_DEVICES is %q and has no device %d", now, index)
	}
	return strings.TrimSpace(devices[index]), nil
}
