package gpu

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// firstNamespace is the process namespace that the kernel starts with, PROC_PID_INIT_INO in
// linux/proc_ns.h: in any other one, processes outside have other PIDs.
const firstNamespace = "pid:[4026531836]"

// nested reports whether this process is in a PID namespace of its own, as in a container. If that
// cannot be read, it is not.
func nested() bool {
	ns, err := os.Readlink("/proc/self/ns/pid")
	return err == nil && ns != firstNamespace
}

// cudaOpened reports whether this process has loaded CUDA's driver library, without which it holds no
// memory of a GPU.
func cudaOpened() bool {
	maps, err := os.ReadFile("/proc/self/maps")
	return err == nil && bytes.Contains(maps, []byte("/libcuda.so"))
}

// comm returns the process's name as the kernel has it.
func comm(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
