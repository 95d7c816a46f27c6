package checkpoint

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// The unpickler's memo, stack and input. After the first error all of these do
// nothing and return zero values.

func (u *unpickler) put(i uint32) { u.memo[i] = u.top() }

func (u *unpickler) get(i uint32) {
	v, ok := u.memo[i]
	if !ok && u.err == nil {
		u.err = fmt.Errorf("memo %d is not set", i)
	}
	u.push(v)
}

func (u *unpickler) push(v any) { u.stack = append(u.stack, v) }

// floor returns the length of stack below which only a MARK may be popped.
func (u *unpickler) floor() int {
	if n := len(u.marks); n > 0 {
		return u.marks[n-1]
	}
	return 0
}

func (u *unpickler) top() any {
	if u.err != nil || len(u.stack) <= u.floor() {
		u.fail("the stack is empty")
		return nil
	}
	return u.stack[len(u.stack)-1]
}

func (u *unpickler) pop() any {
	if v := u.popN(1); v != nil {
		return v[0]
	}
	return nil
}

// popN removes and returns the last n values, nil on an error.
func (u *unpickler) popN(n int) []any {
	if u.err != nil || len(u.stack)-u.floor() < n {
		u.fail("the stack is empty")
		return nil
	}
	at := len(u.stack) - n
	items := append([]any(nil), u.stack[at:]...)
	u.stack = u.stack[:at]
	return items
}

func (u *unpickler) popMark() []any {
	if u.err != nil || len(u.marks) == 0 {
		u.fail("there is no MARK")
		return nil
	}
	at := u.floor()
	u.marks = u.marks[:len(u.marks)-1]
	return u.popN(len(u.stack) - at)
}

func (u *unpickler) fail(why string) {
	if u.err == nil {
		u.err = errors.New(why)
	}
}

// take returns the next n bytes of the input, nil on an error.
func (u *unpickler) take(n uint64) []byte {
	if u.err != nil || n > uint64(len(u.data)-u.pos) {
		u.fail("the pickle is cut short")
		return nil
	}
	b := u.data[u.pos : u.pos+int(n)]
	u.pos += int(n)
	return b
}

func (u *unpickler) byte() byte { return byte(u.uint(1)) }

// uint reads a little-endian number of n bytes, at most 8.
func (u *unpickler) uint(n uint64) (v uint64) {
	for i, b := range u.take(n) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

// long reads a little-endian two's complement integer of n bytes.
func (u *unpickler) long(n int) int64 {
	if n > 8 {
		u.fail(fmt.Sprintf("an integer of %d bytes; at most 8 are read", n))
		return 0
	}
	if n == 0 {
		return 0
	}
	shift := 64 - 8*n
	return int64(u.uint(uint64(n))<<shift) >> shift
}

func (u *unpickler) text(n uint64) string {
	b := u.take(n)
	if !utf8.Valid(b) {
		u.fail("a string is not UTF-8")
	}
	return string(b)
}

// line reads up to a newline, which ends GLOBAL's names.
func (u *unpickler) line() string {
	for i := u.pos; i < len(u.data); i++ {
		if u.data[i] == '\n' {
			s := u.text(uint64(i - u.pos))
			u.pos = i + 1
			return s
		}
	}
	u.fail("the pickle is cut short")
	return ""
}
