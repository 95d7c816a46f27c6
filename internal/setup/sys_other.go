//go:build !linux

package main

import "syscall"

// Here only so that the program compiles everywhere and can say that it needs Linux.

func dieTogether() *syscall.SysProcAttr { return nil }
