// Package kernels chooses the kernels that compute on a CPU, and keeps the choice in the user's cache, so that all processes of a
// machine train to the same digits.
package kernels

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"lorabench/internal/cache"
	"lorabench/internal/decoder"
	"lorabench/internal/file"
	"lorabench/internal/torch"
)

// Auto selects the kernels by measuring, as "" does.
const Auto = "auto"

// Folder is the environment's name for where choices are kept instead of the user's cache: tests measure on a machine that is busy.
const Folder = "LORABENCH_KERNELS"

// generation changes when our own kernels become faster or slower, or others are compared, so that the kernels are measured anew.
const generation = 2

// defaults are what is in use where nothing was chosen: a choice must not depend on what the process computed with before.
var defaults = torch.CurrentKernels()

// Choice is a file in the cache: the kernels that were fastest on a machine for the shapes of a model.
type Choice struct {
	CPU        string `json:"cpu"`
	Threads    int    `json:"threads"`
	Torch      string `json:"torch"`
	Generation int    `json:"generation"`
	DType      string `json:"dtype"`
	Shapes     string `json:"shapes"` // digest of the model's weights' names and shapes
	Kernels    string `json:"kernels,omitempty"`
}

// Set selects the kernels that text names, or with [Auto] the fastest ones for m, which are measured if the user's cache does not have
// them. It returns their names, "" on CUDA, where none are chosen. A text that names what this processor does not have is an error.
func Set(m *decoder.Model, text string) (string, error) {
	var on torch.Device
	if err := torch.Run(func(*torch.Scope) error { on = m.Device(); return nil }); err != nil {
		return "", err
	}
	switch text = cmp.Or(text, Auto); {
	case on.CUDA() && text != Auto:
		return "", fmt.Errorf("%q: kernels are chosen on a CPU, the device is %s: leave it out", text, on)
	case on.CUDA():
		return "", nil
	case text != Auto:
		k, err := torch.ParseKernels(text, torch.CurrentKernels())
		if err != nil {
			return "", err
		}
		torch.SetKernels(k)
		return k.String(), nil
	}
	k, err := fastest(m)
	if err != nil {
		return "", fmt.Errorf("measuring kernels: %w", err)
	}
	torch.SetKernels(k)
	return k.String(), nil
}

// fastest returns the cache's choice, or measures one and keeps it. Without a cache that can be written nothing is kept.
func fastest(m *decoder.Model) (torch.Kernels, error) {
	c := Choice{CPU: Processor(), Threads: torch.Threads(), Torch: torch.Version(), Generation: generation, Shapes: shapes(m)}
	if err := torch.Run(func(*torch.Scope) error { c.DType = m.DType().String(); return nil }); err != nil {
		return torch.Kernels{}, err
	}
	path := c.path()
	if path != "" {
		if unlock, err := cache.Lock(filepath.Dir(path), waiting); err == nil {
			defer unlock() // another process may be measuring
		}
		if k, err := c.read(path); err == nil {
			return k, nil
		}
	}
	torch.SetKernels(defaults)
	k, err := m.MeasureKernels()
	if err != nil || path == "" {
		return k, err
	}
	c.Kernels = k.String()
	if b, err := json.MarshalIndent(c, "", " "); err == nil {
		_ = file.Write(path, append(b, '\n')) // a cache that cannot be written only costs the measurement again
	}
	return k, nil
}

// waiting says why nothing happens: a process that was stopped while it measured holds the lock.
func waiting(holder string) {
	fmt.Fprintf(os.Stderr, "lorabench: waiting for another process, which measures kernels (%s)\n", holder)
}

// path returns the file of a choice, "" if there is no cache.
func (c Choice) path() string {
	dir := os.Getenv(Folder)
	if dir == "" {
		all, err := cache.Dir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(all, "kernels")
	}
	if os.MkdirAll(dir, 0o777) != nil {
		return ""
	}
	return filepath.Join(dir, fmt.Sprintf("%.8x.json", sha256.Sum256(fmt.Append(nil, c))))
}

// read returns the kernels in a file that agrees with c in everything else and names kernels that this processor has.
func (c Choice) read(path string) (torch.Kernels, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return torch.Kernels{}, err
	}
	var was Choice
	if err := json.Unmarshal(b, &was); err != nil {
		return torch.Kernels{}, err
	}
	if c.Kernels = was.Kernels; was != c {
		return torch.Kernels{}, fmt.Errorf("%s is another machine's or model's", path)
	}
	return torch.ParseKernels(was.Kernels, torch.CurrentKernels())
}

func shapes(m *decoder.Model) string {
	return fmt.Sprintf("%.8x", sha256.Sum256(fmt.Append(nil, m.Params())))
}

var (
	modelName  = regexp.MustCompile(`(?m)^model name\s*:(.*)$`)
	flags      = regexp.MustCompile(`(?m)^(?:flags|Features)\s*:(.*)$`)
	arithmetic = regexp.MustCompile(`^(avx|amx|fma|sse|asimd|sve|sme|fphp|bf16|i8mm)`)
)

// CPU returns the processor's name, or its architecture if the system does not report it.
func CPU() string { return cmp.Or(reported(modelName), runtime.GOARCH) }

// Processor returns CPU with the instructions that kernels are made of: on virtual machines many processors have one name.
func Processor() string {
	words := strings.Fields(reported(flags))
	return strings.Join(append([]string{CPU()}, slices.DeleteFunc(words, func(w string) bool { return !arithmetic.MatchString(w) })...), " ")
}

// reported returns what the system says of the first processor, "" where it says nothing.
func reported(line *regexp.Regexp) string {
	b, _ := os.ReadFile("/proc/cpuinfo") // not on every system
	if m := line.FindSubmatch(b); m != nil {
		return strings.TrimSpace(string(m[1]))
	}
	return ""
}
