package bench

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"lorabench/bench/record"
	"lorabench/internal/root"
	"lorabench/internal/torch"
)

// ThisMachine describes the machine and the device in use.
func ThisMachine(d torch.Device) record.Machine {
	m := record.Machine{Device: d.String(), CPU: cpuName(), Threads: torch.Threads(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), Torch: torch.Version(), Commit: root.Commit()}
	if d.CUDA() {
		name, err := d.Name()
		if err != nil {
			name = fmt.Sprintf("unknown (%v)", err)
		}
		m.GPU, m.Driver = name, torch.DriverVersion()
	}
	return m
}

// ConfigLines are the file configuration of the result lines, key and value: everything that results
// may depend on, so that comparing those of different runs can be refused.
func (w *Workload) ConfigLines() [][2]string {
	m := ThisMachine(w.device)
	lines := [][2]string{{"model", w.ModelInfo.Name}, {"model-sha256", digest(w.ModelInfo.SHA256)}, {"data", w.DataInfo.Name}, {"data-sha256", digest(w.DataInfo.SHA256)},
		{"recipe", w.Recipe}, {"settings", w.line()}, {"device", m.Device}}
	if w.Forget != "" {
		lines = append(lines, [2]string{"forget-sha256", digest(w.DataInfo.ForgetSHA256)})
	}
	if m.GPU != "" {
		lines = append(lines, [2]string{"gpu", m.GPU}, [2]string{"driver", m.Driver})
	}
	return append(lines, [2]string{"cpu", m.CPU}, [2]string{"threads", strconv.Itoa(m.Threads)}, [2]string{"torch", m.Torch}, [2]string{"dtype", w.dtype()},
		[2]string{"seed", strconv.FormatInt(w.Seed, 10)}, [2]string{"commit", m.Commit})
}

// digest is enough of a digest to tell files apart.
func digest(sha256 string) string { return sha256[:min(12, len(sha256))] }

// dtype is the element type and what changes how it is computed with.
func (w *Workload) dtype() string {
	if w.TF32 {
		return w.DType + ", tf32"
	}
	return w.DType
}

func cpuName() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range bytes.Lines(b) {
		if k, v, ok := strings.Cut(string(line), ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return runtime.GOARCH
}
