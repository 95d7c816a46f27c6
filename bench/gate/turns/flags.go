package turns

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Which flags of go test go where. A flag in none is the benchmark's.
var (
	buildFlags = strings.Fields("a asan cover linkshared modcacherw msan n race trimpath work x asmflags buildmode buildvcs compiler " +
		"covermode coverpkg gccgoflags gcflags installsuffix ldflags mod modfile overlay p pgo pkgdir tags toolexec vet")
	testFlags = strings.Fields("benchmem failfast short v blockprofile blockprofilerate cpu cpuprofile memprofile memprofilerate " +
		"mutexprofile mutexprofilefraction outputdir parallel timeout trace")
	ours      = strings.Fields("bench benchtime count run out relay seed")
	pathFlags = strings.Fields("model data tokenizer adapter")
)

// split sorts the caller's flags by who takes them. A word that follows a flag is its value.
func split(flags []string) (build, bench []string, err error) {
	for i := 0; i < len(flags); i++ {
		f := flags[i]
		name, value, has := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(f, "-"), "-"), "=")
		if name == "" || f[0] != '-' {
			return nil, nil, fmt.Errorf("%q is no flag: further flags are written -name=value", f)
		}
		if !has && i+1 < len(flags) && !strings.HasPrefix(flags[i+1], "-") {
			i++
			value, has = flags[i], true
		}
		if has {
			value = "=" + value
		}
		switch name = strings.TrimPrefix(name, "test."); {
		case name == "args": // there is only one program that takes what follows
		case slices.Contains(ours, name):
			return nil, nil, fmt.Errorf("%s: the gate itself sets -%s; leave it out (-steps and -seeds go before --)", f, name)
		case slices.Contains(buildFlags, name):
			build = append(build, "-"+name+value)
		case slices.Contains(testFlags, name):
			bench = append(bench, "-test."+name+value)
		default:
			bench = append(bench, "-"+name+value)
		}
	}
	return build, bench, nil
}

// shared makes the paths of files that only the working tree has absolute: the harness takes relative ones from its module's
// root, and in the base's worktree they would not be found.
func shared(flags []string, head, base string) []string {
	out := slices.Clone(flags)
	for i, f := range flags {
		name, value, _ := strings.Cut(strings.TrimPrefix(f, "-"), "=")
		path := strings.TrimPrefix(value, "hash:")
		mine := filepath.Join(head, path)
		if !slices.Contains(pathFlags, name) || path == "" || filepath.IsAbs(path) || !exists(mine) || exists(filepath.Join(base, path)) {
			continue
		}
		out[i] = strings.TrimSuffix(f, path) + mine
	}
	return out
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
