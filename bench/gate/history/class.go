package history

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/gate/judge"
)

// Setting is a key of the benchmark configuration with its value.
type Setting struct{ Key, Value string }

// passing are the keys that do not make a class: they change from commit to commit or from run to run, or
// are shown by the results' own lines of the trend (pkg). A new libtorch, driver or Go is a cause for a change,
// not another history.
var passing = []string{"commit", "note", "date", "time", "go", "driver", "os", "goos", "pkg", "seed", "torch",
	"author", "branch", "build", "build-id", "host", "hostname", "run", "run-id"}

// classOf is what results must have in common to be in one line of the trend: every key of their
// configuration but passing, and GOMAXPROCS. Where there is a GPU, the CPU beside it and its threads do not
// count, nor which of several GPUs it was.
func classOf(c *judge.Settings, procs int) []Setting {
	var s []Setting
	gpu := c.Get("gpu") != ""
	for i, k := range c.Keys {
		v := c.Values[i]
		switch {
		case slices.Contains(passing, k), gpu && (k == "cpu" || k == "threads"):
			continue
		case k == "device" && strings.HasPrefix(v, "cuda:"):
			v = "cuda"
		}
		s = append(s, Setting{k, v})
	}
	if procs > 1 && !gpu {
		s = append(s, Setting{"GOMAXPROCS", strconv.Itoa(procs)})
	}
	slices.SortFunc(s, func(a, b Setting) int {
		if d := place(a.Key) - place(b.Key); d != 0 {
			return d
		}
		return strings.Compare(a.Key, b.Key)
	})
	return s
}

// places is the order in which people read a configuration.
var places = []string{"gpu", "cpu", "threads", "GOMAXPROCS", "device", "goarch", "dtype", "model", "model-sha256", "data", "data-sha256", "recipe", "settings"}

func place(key string) int {
	if i := slices.Index(places, key); i >= 0 {
		return i
	}
	return len(places)
}

// digest names a class in file names, the same in every history.
func digest(s []Setting) string {
	h := sha256.New()
	for _, c := range s {
		fmt.Fprintf(h, "%s: %s\n", c.Key, c.Value)
	}
	return hex.EncodeToString(h.Sum(nil))[:8]
}

// name is a class in a few words, with what sets it apart from the others.
func name(c *Class, all []*Class) string {
	var words []string
	for _, s := range c.Settings {
		switch s.Key {
		case "gpu", "cpu", "model", "recipe", "dtype":
			words = append(words, s.Value)
		case "threads":
			words = append(words, plural(s.Value, "thread"))
		default:
			if differs(s, all) && (s.Key != "device" || !named(c)) {
				words = append(words, s.Key+" "+s.Value)
			}
		}
	}
	for _, o := range all { // what only others have
		for _, s := range o.Settings {
			missing := "no " + s.Key
			if !slices.ContainsFunc(c.Settings, func(t Setting) bool { return t.Key == s.Key }) && !slices.Contains(words, missing) && !gpuOnly(s.Key) {
				words = append(words, missing)
			}
		}
	}
	if len(words) == 0 {
		return "All results"
	}
	return strings.Join(words, ", ")
}

// gpuOnly keys are where there is the one kind of device and not the other.
func gpuOnly(key string) bool {
	return slices.Contains([]string{"gpu", "cpu", "threads", "GOMAXPROCS"}, key)
}

// named says whether the class says which processor it is.
func named(c *Class) bool {
	return slices.ContainsFunc(c.Settings, func(s Setting) bool { return s.Key == "gpu" || s.Key == "cpu" })
}

func differs(s Setting, all []*Class) bool {
	return slices.ContainsFunc(all, func(c *Class) bool {
		return slices.ContainsFunc(c.Settings, func(o Setting) bool { return o.Key == s.Key && o.Value != s.Value })
	})
}

func plural(n, what string) string {
	if n == "1" {
		return "1 " + what
	}
	return n + " " + what + "s"
}
