//go:build unix

package process

import (
	"errors"
	"os"
	"syscall"
)

func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// endGroup ends a child and what it started, with SIGKILL if force is set, else with SIGTERM.
func endGroup(pid int, force bool) error {
	sig := syscall.SIGTERM
	if force {
		sig = syscall.SIGKILL
	}
	err := syscall.Kill(-pid, sig)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// maxRSS returns a program's peak memory in bytes.
func maxRSS(s *os.ProcessState) int64 {
	u, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return int64(u.Maxrss) * 1024
}
