package report

import (
	"lorabench/bench/format"
	"lorabench/bench/record"
)

// shown turns a figure into text.
type shown func(float64) string

func digits(n int) shown {
	return func(v float64) string { return format.Number(v, n) }
}

func fixed(decimals int) shown {
	return func(v float64) string { return format.Fixed(v, decimals) }
}

// gib are bytes as GiB.
func gib(v float64) string { return format.Fixed(v/record.GiB, 3) }

// interval is an interval of fractions, a dash where there is none.
func interval(low, high float64) string {
	if s := format.Interval(low, high); s != "" {
		return s
	}
	return format.None
}
