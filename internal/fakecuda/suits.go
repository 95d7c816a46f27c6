package fakecuda

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrOtherTorch is the error of a stand-in that was built elsewhere for another libtorch: its libraries have the names and symbols
// that one build of PyTorch looks for.
var ErrOtherTorch = errors.New("the stand-in is built for another build of PyTorch")

// builtElsewhere checks the folder that DirEnv names against the libtorch that is at hand: the one that LIBTORCH names, else that of
// make setup.
func builtElsewhere(dir string) error {
	if libs, err := filepath.Glob(filepath.Join(dir, "libcudart.so*")); err != nil || len(libs) == 0 {
		return fmt.Errorf("%s=%s has no libcudart.so: name the folder of a built stand-in, or leave it unset to build one", DirEnv, dir)
	}
	torch := os.Getenv("LIBTORCH")
	if torch == "" {
		s, err := readSetup()
		if err != nil {
			return fmt.Errorf("which libtorch is the stand-in %s for? Set LIBTORCH: %w", dir, err)
		}
		torch = s.Libtorch.Dir
	}
	if _, err := os.Stat(filepath.Join(torch, "lib", "libtorch_cuda.so")); err != nil {
		return fmt.Errorf("%w: %s", ErrNoCUDA, torch)
	}
	return Suits(dir, torch)
}

// Suits fails if libtorch looks for what the stand-in does not have: the dynamic linker would end the process, or a real CUDA library
// would be loaded beside it.
func Suits(dir, torch string) error {
	libs, err := wanted(filepath.Join(torch, "lib"))
	if err != nil {
		return err
	}
	for _, lib := range libs {
		have, err := defined(filepath.Join(dir, lib.soname))
		if err != nil {
			return fmt.Errorf("%w: %s wants %s (%w): unset %s in a checkout to build one for it", ErrOtherTorch, torch, lib.soname, err, DirEnv)
		}
		for name := range lib.symbols {
			if !have[elf.Symbol{Name: name, Version: lib.version}] {
				return fmt.Errorf("%w: %s wants %s %s of %s: unset %s in a checkout to build one for it", ErrOtherTorch, torch, name,
					lib.version, lib.soname, DirEnv)
			}
		}
	}
	return nil
}

// defined returns the symbols that a library has, by name and version alone.
func defined(path string) (map[elf.Symbol]bool, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	symbols, err := f.DynamicSymbols()
	have := map[elf.Symbol]bool{}
	for _, s := range symbols {
		if s.Section != elf.SHN_UNDEF {
			have[elf.Symbol{Name: s.Name, Version: s.Version}] = true
		}
	}
	return have, err
}
