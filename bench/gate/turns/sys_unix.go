//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package turns

import (
	"errors"
	"os"
	"syscall"
)

// apart puts a child in a session of its own: it and what it starts can then be ended together, and it has
// no terminal to draw its own progress on, twelve times over.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// endGroup ends a child and what it started, politely or not.
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

// tryLock takes the lock on f unless another process has it. The kernel gives it back when f is closed or
// the process dies.
func tryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return false, nil
	}
	return err == nil, err
}
