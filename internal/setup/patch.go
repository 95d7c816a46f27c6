package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

const (
	gotchPath    = "github.com/sugarme/gotch"
	gotchVersion = "v0.9.1"

	// libGoSum is the sha256 of libtch/lib.go in gotch v0.9.1. The patch replaces that file whole, so it must be the one
	// the patch was written against.
	libGoSum = "7f3c395c76c5a95fbff6e6d827ee483532b1a240caf68ea14f466b3f8fb9f7f2"

	compatName = "lorabench_compat.h"
)

// compatHeader bridges the three of gotch's generated calls that libtorch changed between 2.1 and 2.11. It is included
// before every C++ file of package libtch. The overloads have the old parameter lists; nothing of lorabench calls them, so
// they only have to compile, and say so should somebody call them after all.
const compatHeader = `// Written by lorabench's internal/setup: gotch v0.9.1 against libtorch 2.11.
#pragma once

#include <tuple>
#include <torch/torch.h>

namespace torch {

inline Tensor _cslt_sparse_mm(const Tensor&, const Tensor&, const Tensor&, bool) {
  TORCH_CHECK(false, "_cslt_sparse_mm has other parameters in libtorch 2.11 than gotch v0.9.1 gives");
}

inline std::tuple<Tensor, Tensor> _scaled_mm(
    const Tensor&, const Tensor&, const Tensor&, std::optional<at::ScalarType>,
    const Tensor&, const Tensor&, const Tensor&) {
  TORCH_CHECK(false, "_scaled_mm has other parameters in libtorch 2.11 than gotch v0.9.1 gives");
}

inline std::tuple<Tensor, Tensor> _scaled_mm_out(
    Tensor&, Tensor&, const Tensor&, const Tensor&, const Tensor&, std::optional<at::ScalarType>,
    const Tensor&, const Tensor&, const Tensor&) {
  TORCH_CHECK(false, "_scaled_mm_out has other parameters in libtorch 2.11 than gotch v0.9.1 gives");
}

}  // namespace torch
`

// patchedLibGo returns libtch/lib.go with flags for the libtorch at torch.
//
// No CUDA library is named: libtorch_cpu alone links on every machine, and the CUDA half is opened at run time. -O1 and
// -g0 because the file is 2,500 thin wrappers: -O3 -g compiles for minutes and runs no faster. The include folders are
// CPPFLAGS so that cgo's C files see them as well; -std and -include are C++ only.
func patchedLibGo(torch string) string {
	return fmt.Sprintf(`package libtch

// Written by lorabench's internal/setup in place of the release's flags.

// #cgo LDFLAGS: %s -ltorch_cpu -lc10 -lstdc++ %s
// #cgo CPPFLAGS: -I${SRCDIR} %s %s
// #cgo CFLAGS: -O1 -g0 -w
// #cgo CXXFLAGS: -O1 -g0 -w -std=c++17 -include ${SRCDIR}/%s
import "C"
`,
		cgoQuote("-L"+torch+"/lib"), cgoQuote("-Wl,-rpath,"+torch+"/lib"),
		cgoQuote("-I"+torch+"/include"), cgoQuote("-I"+torch+"/include/torch/csrc/api/include"),
		compatName)
}

func cgoQuote(arg string) string {
	if strings.Contains(arg, " ") {
		return `"` + arg + `"`
	}
	return arg
}

// checkCgoPath refuses what cgo (go/build's list of safe characters) or the linker's -rpath (the comma, which separates
// its arguments, the colon, which separates folders, and the dollar of $ORIGIN) cannot carry.
func checkCgoPath(what, dir string) error {
	const safe = "+-./0123456789=ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz@%! ~^"
	for _, r := range dir {
		if r < 0x80 && !strings.ContainsRune(safe, r) {
			return fmt.Errorf("%s is at %s, and cgo cannot take a path with the character %q: move it, or give a path without it", what, dir, r)
		}
	}
	return nil
}

// patchKey names a copy of gotch: it changes with the release, the patch, and the libtorch it is compiled against. Go's
// build cache keys on the folder, not on libtorch's headers, so a new libtorch must mean a new folder.
func patchKey(moduleSum, torch, version string) string {
	h := sha256.New()
	for _, part := range []string{moduleSum, patchedLibGo(torch), compatHeader, version} {
		fmt.Fprintf(h, "%d %s\n", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}
