package table

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestFormats(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		why  string
		f    Format
		v    float64
		want string
	}{
		{"four digits", Significant(4), 36.6583, "36.66"},
		{"rounding up keeps four", Significant(4), 9.99961, "10.00"},
		{"below 1 they follow the zeros", Significant(4), 0.0183456, "0.01835"},
		{"thousands are grouped", Significant(4), 7164.007, "7,164"},
		{"a large count is a power", Significant(4), 6.358e15, "6.358e15"},
		{"a small one too", Significant(3), 0.00001234, "1.23e-5"},
		{"nothing is nothing", Significant(4), 0, "0"},
		{"not a number is a dash", Significant(4), nan, Dash},
		{"nor is infinity one", Fixed(2), inf, Dash},
		{"a minus is as wide as a plus", Fixed(1), -1.25, "−1.2"},
		{"no minus before zero", Fixed(1), -0.01, "0.0"},
		{"commas with a sign", Fixed(0), -1234567, "−1,234,567"},
		{"no comma after a sign", Fixed(0), -123, "−123"},
		{"never four digits before the point", Size, 1023, "0.999 KiB"},
		{"few bytes", Size, 12, "12 B"},
		{"mebibytes", Size, 12.6 * (1 << 20), "12.6 MiB"},
		{"fewer bytes", Signed(Size), -960 * 1024, "−960 KiB"},
		{"no bytes known", Size, nan, Dash},
		{"per cent", Percent, 0.0124, "1.2 %"},
		{"small per cent", Percent, 0.000123, "0.012 %"},
		{"many per cent", Percent, 12.5, "1,250 %"},
		{"grown", Signed(Percent), 0.05, "+5.0 %"},
		{"not grown", Signed(Percent), 0, "0.0 %"},
		{"unknown growth has no sign", Signed(Percent), inf, Dash},
		{"p", PValue, 0.0312, "0.031"},
		{"a small p is a bound", PValue, 1e-9, "<0.001"},
		{"no p", PValue, nan, Dash},
		{"a setting", Plain, 2e-4, "0.0002"},
	} {
		assert.Equal(t, c.want, c.f(c.v), c.why)
	}
	assert.Equal(t, "a, b and c", List([]string{"a", "b", "c"}))
}
