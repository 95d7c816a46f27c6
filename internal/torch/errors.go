package torch

// #include <stdlib.h>
import "C"

import (
	"fmt"
	"strings"
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// Error is an operation that failed.
type Error struct {
	Op     string    // the operation, by PyTorch's name
	Shapes [][]int64 // its tensor arguments' shapes
	Reason string    // libtorch's message without its C++ stack
}

func (e *Error) Error() string {
	if len(e.Shapes) == 0 {
		return fmt.Sprintf("torch: %s: %s", e.Op, e.Reason)
	}
	return fmt.Sprintf("torch: %s%v: %s", e.Op, e.Shapes, e.Reason)
}

// failure carries an Error from the operation to Run.
type failure struct{ err *Error }

func fail(op, reason string, args ...*Tensor) {
	e := &Error{Op: op, Reason: reason}
	for _, t := range args {
		if t != nil && t.c != nil {
			e.Shapes = append(e.Shapes, t.Shape())
		}
	}
	panic(failure{e})
}

// Fail ends the running Run with an [*Error]: for a model that finds what it was given unusable.
func Fail(op, format string, a ...any) { fail(op, fmt.Sprintf(format, a...)) }

// check fails if libtch left an error.
func check(op string, args ...*Tensor) {
	if msg := takeError(); msg != "" {
		if out[0] != nil {
			lib.AtFree(out[0])
			out[0] = nil
		}
		fail(op, msg, args...)
	}
}

func takeError() string {
	p := unsafe.Pointer(lib.GetAndResetLastErr())
	if p == nil {
		return ""
	}
	defer C.free(p)
	return firstLines(C.GoString((*C.char)(p)))
}

// firstLines drops the C++ stack that libtorch appends to its messages.
func firstLines(msg string) string {
	if i := strings.Index(msg, "\nException raised from"); i >= 0 {
		msg = msg[:i]
	}
	msg = strings.TrimSpace(msg)
	if msg == "" {
		return "failed without a message"
	}
	return msg
}
