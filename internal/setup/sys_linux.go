package main

import "syscall"

// dieTogether has the kernel end a child (pip, a compiler) when this program is killed, which could not end it itself.
func dieTogether() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
