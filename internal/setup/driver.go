package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
)

// minDriver is the oldest NVIDIA driver that runs CUDA 13.0, for which the wheels of torch 2.11 are built.
const minDriver = 580

const driverVersionPath = "proc/driver/nvidia/version"

// hasDriver reports whether there is an NVIDIA driver, without which no libtorch can use a GPU. The last path is WSL's.
func (s *setup) hasDriver() bool {
	for _, path := range []string{driverVersionPath, "dev/nvidiactl", "dev/nvidia0", "dev/dxg"} {
		if _, err := os.Stat(filepath.Join(s.sysroot, path)); err == nil {
			return true
		}
	}
	return false
}

var driverVersion = regexp.MustCompile(`NVRM version:.*?\s(\d{3,})\.\d+`)

// warnOldDriver warns if the driver is too old for the wheels. Training still runs, on the CPU, so this is no error.
func (s *setup) warnOldDriver() {
	data, err := os.ReadFile(filepath.Join(s.sysroot, driverVersionPath))
	if err != nil {
		return
	}
	m := driverVersion.FindSubmatch(data)
	if m == nil {
		return
	}
	if major, err := strconv.Atoi(string(m[1])); err == nil && major < minDriver {
		s.say("libtorch: the NVIDIA driver is %d, and CUDA 13.0 needs %d or newer: without a newer driver training runs on the CPU", major, minDriver)
	}
}
