// Package fakecudatest gives tests the stand-in CUDA runtime.
package fakecudatest

import (
	"os"
	"testing"

	"lorabench/internal/fakecuda"
)

// Require returns the folder of the stand-in's libraries. Where they cannot be built the test is skipped, with the reason, and in
// CI it fails: a test that nobody runs proves nothing.
func Require(t testing.TB) string {
	t.Helper()
	dir, err := fakecuda.Dir()
	if err == nil {
		return dir
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("needs the stand-in CUDA runtime: %v", err)
	}
	t.Skipf("needs the stand-in CUDA runtime: %v", err)
	return ""
}
