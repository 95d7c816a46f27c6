package fakecuda

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// library is one of CUDA's that libtorch loads.
type library struct {
	soname  string
	version string          // of its symbols, "" where they have none
	symbols map[string]bool // that libtorch looks for in it
}

// unversioned says which library a symbol without a version belongs to, and which libraries are CUDA's at all.
var unversioned = []struct{ library, symbol *regexp.Regexp }{
	{regexp.MustCompile(`^libcudnn\.so`), regexp.MustCompile(`^cudnn`)},
	{regexp.MustCompile(`^libnccl\.so`), regexp.MustCompile(`^p?nccl`)},
	{regexp.MustCompile(`^libcufile\.so`), regexp.MustCompile(`^cuFile`)},
	{regexp.MustCompile(`^libcusparseLt\.so`), regexp.MustCompile(`^cusparseLt`)},
	{regexp.MustCompile(`^libnvshmem_host\.so`), regexp.MustCompile(`^nvshmem`)},
	{regexp.MustCompile(`^libcuda\.so`), regexp.MustCompile(`^cu[A-Z]`)},
	{regexp.MustCompile(`^lib(cu|nv).*\.so`), regexp.MustCompile(`^$`)}, // cudart, cublas, cufft, nvrtc, ...
}

// wanted reads from libtorch's own files which libraries of CUDA it needs, and what in each.
func wanted(dir string) ([]*library, error) {
	files, err := filepath.Glob(filepath.Join(dir, "lib*.so"))
	if err != nil {
		return nil, err
	}
	libs := map[string]*library{}
	var loose []string // symbols without a version
	for _, file := range files {
		f, err := elf.Open(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		needed, err := f.ImportedLibraries()
		symbols, err2 := f.ImportedSymbols()
		f.Close()
		if err != nil || err2 != nil {
			return nil, fmt.Errorf("%s: no dynamic symbols (%v, %v)", file, err, err2)
		}
		for _, soname := range append(needed, "libcuda.so.1") { // which is opened by name
			if ours(soname) && libs[soname] == nil {
				libs[soname] = &library{soname: soname, symbols: map[string]bool{}}
			}
		}
		for _, s := range symbols {
			if lib := libs[s.Library]; lib != nil {
				lib.version, lib.symbols[s.Name] = s.Version, true
			} else if s.Library == "" {
				loose = append(loose, s.Name)
			}
		}
	}
	for _, name := range loose {
		if lib := owner(name, libs); lib != nil {
			lib.symbols[name] = true
		}
	}
	var all []*library
	for _, lib := range libs {
		all = append(all, lib)
	}
	slices.SortFunc(all, func(a, b *library) int { return strings.Compare(a.soname, b.soname) })
	return all, nil
}

func ours(soname string) bool {
	return slices.ContainsFunc(unversioned, func(u struct{ library, symbol *regexp.Regexp }) bool { return u.library.MatchString(soname) })
}

// owner returns the library that a symbol without a version is looked for in, nil where it is not CUDA's.
func owner(symbol string, libs map[string]*library) *library {
	for _, u := range unversioned {
		if !u.symbol.MatchString(symbol) {
			continue
		}
		for soname, lib := range libs {
			if u.library.MatchString(soname) {
				return lib
			}
		}
	}
	return nil
}

// folder returns the name of the folder of the library's sources: cudart for libcudart.so.13.
func (l *library) folder() string {
	name, _, _ := strings.Cut(strings.TrimPrefix(l.soname, "lib"), ".so")
	return name
}

// link makes the library from its objects and, for what libtorch looks for and no object has, traps: functions that end the
// process with their name.
func (l *library) link(cxx, tmp, to string, objects []string) error {
	have := map[string]bool{}
	for _, object := range objects {
		f, err := elf.Open(object)
		if err != nil {
			return err
		}
		symbols, err := f.Symbols()
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", object, err)
		}
		for _, s := range symbols {
			if s.Section != elf.SHN_UNDEF {
				have[s.Name] = true
			}
		}
	}
	traps := strings.Builder{}
	traps.WriteString("#include \"fake.h\"\n")
	for name := range l.symbols {
		if !have[name] {
			fmt.Fprintf(&traps, "API void %s() { fake_trap(\"%[1]s\"); }\n", name)
		}
	}
	source, script := filepath.Join(tmp, "src", l.soname+".cpp"), filepath.Join(tmp, l.soname+".map")
	if err := os.WriteFile(source, []byte(traps.String()), 0o644); err != nil {
		return err
	}
	// Only CUDA's names are visible: the standard library's templates must not replace those of libtorch.
	exported := l.version + " { global: cu*; __cuda*; fake_*; nccl*; pnccl*; nvrtc*; nvshmem*; local: *; };\n"
	if err := os.WriteFile(script, []byte(exported), 0o644); err != nil {
		return err
	}
	args := []string{"-shared", "-o", filepath.Join(to, l.soname), "-Wl,-soname," + l.soname, "-Wl,--version-script=" + script}
	return run(cxx, slices.Concat(args, flags, []string{source}, objects)...)
}
