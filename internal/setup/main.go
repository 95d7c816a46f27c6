// Setup finds or installs libtorch, prepares gotch for it and writes go.work, so that plain go build and go test work. Make
// runs it before everything else; it is plain Go, without cgo, and does nothing once all is done.
//
//	GOWORK=off go run ./internal/setup [-root DIR] [-v]
//
// Libtorch is the one at LIBTORCH, else the torch of the python3 on PATH, else the one in the cache ($XDG_CACHE_HOME/lorabench,
// by default ~/.cache/lorabench), where it is installed with pip if it is not there.
// One that was found is kept while it is whole and LIBTORCH, the cache and the presence of an NVIDIA driver stay the same.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"lorabench/internal/file"
)

func main() {
	runtime.LockOSThread() // children are to die with this program, which the kernel ties to the thread that started them
	here := machine{goos: runtime.GOOS, goarch: runtime.GOARCH, sysroot: "/", freeBytes: file.Free}
	os.Exit(run(os.Args[1:], here, os.Stdout, os.Stderr))
}

// run returns the exit status: 0 when all is ready, 1 when something is missing, 2 for wrong arguments.
func run(args []string, on machine, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("setup", flag.ContinueOnError)
	flags.SetOutput(stderr)
	root := flags.String("root", ".", "the module's root `folder`")
	verbose := flags.Bool("v", false, "print the commands that are run")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "setup: unexpected argument %q: it takes flags only (-root DIR, -v)\n", flags.Arg(0))
		return 2
	}
	dir, err := filepath.Abs(*root)
	if err == nil {
		s := &setup{machine: on, root: dir, stdout: stdout, verbose: *verbose}
		err = s.prepare()
	}
	if err != nil {
		fmt.Fprintf(stderr, "setup: %v\n", err)
		return 1
	}
	return 0
}
