package table

import (
	"lorabench/bench/format"
	"lorabench/bench/record"
)

// Shown turns a figure into text; what is not finite into a dash.
type Shown func(float64) string

// Digits has at most so many significant digits.
func Digits(n int) Shown {
	return func(v float64) string { return format.Number(v, n) }
}

// Fixed has a fixed number of decimals, so that a column's points stand below each other.
func Fixed(decimals int) Shown {
	return func(v float64) string { return format.Fixed(v, decimals) }
}

// GiB are bytes as GiB.
func GiB(v float64) string { return format.Fixed(v/record.GiB, 3) }
