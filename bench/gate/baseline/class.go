// Package baseline keeps results to compare with, one set for each class of machine:
//
//	testdata/baseline/cpu-amd-epyc-7b13-2-threads/bench.txt
//	testdata/baseline/gpu-nvidia-h100-80gb-hbm3/bench.txt
//
// A class is what speed depends on first: the kind of GPU, or the kind of CPU and how many threads compute. Results of
// another class are no baseline at all. Those of the same class are a weak one for speed: the machine was
// another on another day; see docs/gate.md.
package baseline

import (
	"fmt"
	"strconv"
	"strings"

	"lorabench/bench/gate/judge"
)

// Class is the name of the machine class that results are of, fit for a folder. It is an error where their
// configuration lines do not tell it, or tell several.
func Class(in *judge.Input) (string, error) {
	if len(in.Benchmarks) == 0 {
		return "", fmt.Errorf("%s: no result, so no machine", where(in))
	}
	gpu, err := one(in, "gpu")
	if err != nil {
		return "", err
	}
	if gpu != "" {
		return "gpu-" + slug(gpu), nil
	}
	cpu, err := one(in, "cpu")
	if err != nil {
		return "", err
	}
	if slug(cpu) == "" {
		return "", fmt.Errorf("%s: no line says gpu: or cpu:, so the machine class cannot be told: run the benchmark again with this version", where(in))
	}
	threads, err := one(in, "threads")
	if err != nil {
		return "", err
	}
	// Results of go test do not count threads, but the benchmark's name does.
	count := slug(threads) + "-threads"
	if threads == "" {
		count = strconv.Itoa(in.Benchmarks[0].Procs) + "-procs"
	}
	return "cpu-" + slug(cpu) + "-" + count, nil
}

// one is the value that key has for all results, "" where none has it.
func one(in *judge.Input, key string) (string, error) {
	value, first := "", true
	for _, b := range in.Benchmarks {
		for _, r := range b.Runs {
			v := ""
			if r.Config != nil {
				v = r.Config.Get(key)
			}
			if !first && v != value {
				return "", fmt.Errorf("%s:%d: %s: %q here and %q in earlier results: a baseline is of one machine; store them apart", r.File, r.Line, key, v, value)
			}
			value, first = v, false
		}
	}
	return value, nil
}

func where(in *judge.Input) string {
	if len(in.Files) == 0 {
		return "no result file"
	}
	return strings.Join(in.Files, ", ")
}

// slug is a name of hardware in lower-case letters, digits and single dashes, without its trade marks.
func slug(name string) string {
	name = strings.NewReplacer("(r)", " ", "(tm)", " ", "(c)", " ").Replace(strings.ToLower(name))
	words := strings.FieldsFunc(name, func(r rune) bool { return !('a' <= r && r <= 'z' || '0' <= r && r <= '9') })
	return strings.Join(words, "-")
}
