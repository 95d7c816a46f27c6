//go:build !linux

package main

import (
	"errors"
	"syscall"
)

// Here only so that the program compiles everywhere and can say that it needs Linux.

func freeBytes(string) (uint64, error) { return 0, errors.ErrUnsupported }

func dieTogether() *syscall.SysProcAttr { return nil }
