// Sweep prints, or submits, a study as an array job of Slurm: a task for each part of the study, and a job that merges what they
// measured and reports on it when they have ended. It is a bundle's `run sweep-slurm`; the cluster's own scheduler does the rest.
//
//	run bench -ranks=8,64 -benchtime=5x -count=1 -out=first
//	run sweep-slurm -measured=first -gpu=24GiB -ranks=8,64 -benchtime=1000x -count=10 -out=study
//
// Flags that are not its own are bench's. A task that is killed, preempted or queued again goes on with its part: whole runs are kept,
// an unfinished one continues from its checkpoint.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"lorabench/internal/process"
	"lorabench/internal/root"
)

func main() {
	ctx, stop := process.Interruptible(context.Background())
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run exits with 0 where it printed or submitted, 1 where it could not, 2 for wrong flags.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "sweep-slurm: %v\n", err)
		return 2
	}
	p, err := o.plan()
	if err == nil && o.runner == "" {
		o.runner, err = bundled()
	}
	if err == nil && o.card > 0 {
		err = o.fit(ctx, &p)
	}
	if err != nil {
		fmt.Fprintf(stderr, "sweep-slurm: %v\n", err)
		return 1
	}
	script := o.script(p)
	if !o.submit {
		fmt.Fprint(stdout, script)
		return 0
	}
	cmd := exec.Command("sh")
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = strings.NewReader(script), stdout, stderr, outside()
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(stderr, "sweep-slurm: submitting: %v\n", err)
		return 1
	}
	return 0
}

// given is the environment's name for LIBTORCH as the user has it.
const given = "LORABENCH_GIVEN_LIBTORCH"

// outside returns the environment as it was before a bundle's run script added libtorch to it: sbatch hands it to the tasks, whose nodes may
// have libtorch elsewhere.
func outside() []string {
	path, added := os.LookupEnv(root.LibraryPathVariable)
	if !added {
		return nil
	}
	return append(os.Environ(), "LD_LIBRARY_PATH="+path, "LIBTORCH="+os.Getenv(given)) // the last of a name counts
}

// bundled returns the bundle's own run script.
func bundled() (string, error) {
	dir, err := root.Dir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "run")
	if !root.Bundled() {
		return "", fmt.Errorf("nodes run a bundle: make one (make bundle), and use its `run sweep-slurm`, or name its script with -run")
	}
	return path, nil
}
