// Check reports what a machine has of what lorabench needs, and what is missing. A bundle's `run --check` runs it.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"lorabench/internal/root"
	"lorabench/internal/torch"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout)) }

// run returns 0 if training works, on a GPU or on the CPU, and 1 if it does not.
func run(args []string, stdout io.Writer) int {
	fs := flag.NewFlagSet("check", flag.ContinueOnError)
	fs.SetOutput(stdout)
	device := fs.String("device", "cuda", "the card to look at: cuda or cuda:N")
	if err := fs.Parse(args); err != nil {
		return 2
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(stdout, "check takes flags only, and got %q\n", fs.Arg(0))
		return 2
	}
	c := &check{w: stdout}
	c.bundle()
	c.libtorch(os.Getenv("LIBTORCH"))
	c.device(*device)
	for _, m := range c.missing {
		c.say("missing", "%s", m)
	}
	if len(c.missing) > 0 {
		return 1
	}
	c.say("missing", "nothing")
	return 0
}

type check struct {
	w       io.Writer
	missing []string
}

func (c *check) say(what, format string, args ...any) {
	fmt.Fprintf(c.w, "%-10s%s\n", what, fmt.Sprintf(format, args...))
}

func (c *check) lacks(format string, args ...any) {
	c.missing = append(c.missing, fmt.Sprintf(format, args...))
}

// bundle verifies the files: an archive that was cut off gives errors far from their cause.
func (c *check) bundle() {
	dir, err := root.Dir()
	if err != nil {
		c.lacks("a bundle or checkout: %v", err)
		return
	}
	if !root.Bundled() {
		c.say("checkout", "commit %s", root.Commit())
		return
	}
	m, err := root.Read(dir)
	if err != nil {
		c.lacks("a manifest: %v", err)
		return
	}
	for _, f := range m.Files {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Path)))
		sum := sha256.Sum256(b)
		if err != nil || hex.EncodeToString(sum[:]) != f.SHA256 {
			c.lacks("%s as it was packed: unpack the bundle again", f.Path)
		}
	}
	c.say("bundle", "commit %s, %s, built against torch %s, %d files", m.Commit, m.Go, m.Torch, len(m.Files))
}

var (
	versionLine = regexp.MustCompile(`(?m)^__version__ *= *['"]([^'"]+)['"]`)
	cudaLine    = regexp.MustCompile(`(?m)^cuda\b[^=]*= *['"]([^'"]+)['"]`)
)

// libtorch reports which build it is, which its own version number does not say.
func (c *check) libtorch(dir string) {
	version, cuda := torch.Version(), ""
	if b, err := os.ReadFile(filepath.Join(dir, "version.py")); err == nil {
		if m := versionLine.FindSubmatch(b); m != nil {
			version = string(m[1])
		}
		if m := cudaLine.FindSubmatch(b); m != nil {
			cuda = string(m[1])
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "lib", "libtorch_cuda.so")); err != nil {
		cuda = "none: this libtorch trains on the CPU only"
	} else if cuda == "" {
		cuda = "a version that its files do not say"
	}
	c.say("libtorch", "%s in %s, %d threads", version, dir, torch.Threads())
	c.say("CUDA", "%s", strings.TrimSpace(cuda))
}

func (c *check) device(name string) {
	if !torch.DriverPresent() {
		c.say("driver", "none: training runs on the CPU")
		return
	}
	c.say("driver", "%s", torch.DriverVersion())
	d, err := torch.OpenDevice(name)
	if err != nil {
		c.lacks("a CUDA device that works: %v", err)
		return
	}
	model, err := d.Name()
	if err != nil {
		c.lacks("a device that can be asked for its name: %v", err)
		return
	}
	c.say("device", "%s, %s", d, model)
	free, total, err := d.Free()
	if err != nil {
		c.lacks("a device that tells its memory: %v", err)
		return
	}
	c.say("memory", "%.1f GiB, %.1f free", float64(total)/(1<<30), float64(free)/(1<<30))
}
