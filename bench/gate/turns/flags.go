package turns

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Which flags of go test go where; true is a flag that needs no value. A flag in neither is the benchmark's.
var (
	buildFlags = map[string]bool{"a": true, "asan": true, "cover": true, "linkshared": true, "modcacherw": true, "msan": true, "n": true,
		"race": true, "trimpath": true, "work": true, "x": true,
		"asmflags": false, "buildmode": false, "buildvcs": false, "compiler": false, "covermode": false, "coverpkg": false, "gccgoflags": false,
		"gcflags": false, "installsuffix": false, "ldflags": false, "mod": false, "modfile": false, "overlay": false, "p": false,
		"pgo": false, "pkgdir": false, "tags": false, "toolexec": false, "vet": false}
	testFlags = map[string]bool{"benchmem": true, "failfast": true, "short": true, "v": true,
		"blockprofile": false, "blockprofilerate": false, "cpu": false, "cpuprofile": false, "memprofile": false, "memprofilerate": false,
		"mutexprofile": false, "mutexprofilefraction": false, "outputdir": false, "parallel": false, "timeout": false, "trace": false}
	ours      = map[string]string{"bench": "which benchmarks run", "benchtime": "the number of steps", "count": "the number of seeds", "run": "which tests run", "out": "the folder of results", "relay": "who waits for whom", "seed": "the seed of each turn"}
	pathFlags = map[string]bool{"model": true, "data": true, "tokenizer": true, "adapter": true}
)

// split sorts the caller's flags by who takes them.
func split(flags []string) (build, bench []string, err error) {
	for i := 0; i < len(flags); i++ {
		f := flags[i]
		name, has := flagName(f)
		if name == "" {
			return nil, nil, fmt.Errorf("%q is no flag: further flags are written -name=value", f)
		}
		if name == "args" {
			continue // there is only one program that takes what follows
		}
		name = strings.TrimPrefix(name, "test.")
		if what, ok := ours[name]; ok {
			return nil, nil, fmt.Errorf("%s: the gate itself sets %s; leave it out", f, what)
		}
		to, prefix := &bench, ""
		alone, isBuild := buildFlags[name]
		if isBuild {
			to = &build
		} else if a, isTest := testFlags[name]; isTest {
			alone, prefix = a, "test."
		}
		value, hasValue := "", false
		if has {
			_, value, hasValue = strings.Cut(f, "=")
		} else if next := i + 1; !alone && next < len(flags) && !strings.HasPrefix(flags[next], "-") {
			value, hasValue = flags[next], true
			i = next
		}
		f = "-" + prefix + name
		if hasValue {
			f += "=" + value
		}
		*to = append(*to, f)
	}
	return build, bench, nil
}

// flagName is a flag's name and whether its value follows in the same word; "" where s is no flag.
func flagName(s string) (name string, value bool) {
	rest, ok := strings.CutPrefix(s, "-")
	if !ok {
		return "", false
	}
	name, _, value = strings.Cut(strings.TrimPrefix(rest, "-"), "=")
	return name, value
}

// shared makes the paths of files that only the working tree has absolute: the harness takes relative ones
// from its module's root, and in the base's worktree they would not be found.
func shared(flags []string, head, base string) []string {
	var out []string
	for _, f := range flags {
		name, _ := flagName(f)
		start, value, ok := strings.Cut(f, "=")
		if ok && pathFlags[name] {
			hash, path := "", value
			if p, ok := strings.CutPrefix(value, "hash:"); ok {
				hash, path = "hash:", p
			}
			if path != "" && !filepath.IsAbs(path) && exists(filepath.Join(head, path)) && !exists(filepath.Join(base, path)) {
				f = start + "=" + hash + filepath.Join(head, path)
			}
		}
		out = append(out, f)
	}
	return out
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
