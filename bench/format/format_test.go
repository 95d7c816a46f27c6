package format

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var nan, inf = math.NaN(), math.Inf(1)

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want, why string }{
		{Number(36.6583, 4), "36.66", "four digits"},
		{Number(9.99961, 4), "10", "rounding up adds none, and zeros say nothing"},
		{Number(0.0183456, 4), "0.01835", "below 1 they follow the zeros"},
		{Number(7164.007, 4), "7164", "four digits need no comma"},
		{Number(123456.7, 4), "123,457", "what is before the point is whole"},
		{Number(-1234567.5, 4), "-1,234,568", "commas with a sign"},
		{Number(6.358e15, 4), "6.358e15", "a power where nobody counts the zeros"},
		{Number(0.00001234, 3), "1.23e-5", "of a small one too"},
		{Number(0, 4), "0", "nothing"},
		{Number(nan, 4), None, "not a number is a dash"},
		{Fixed(inf, 2), None, "nor is infinity one"},
		{Fixed(1.5, 4), "1.5000", "zeros where points stand below each other"},
		{Fixed(-0.01, 1), "0.0", "no minus before zero"},
		{Fixed(-123, 0), "-123", "no comma after a sign"},
		{All(1.7521149377270175), "1.7521149377270175", "all digits"},
		{All(2e-4), "0.0002", "a setting"},
		{Percent(-0.008), "0.8 %", "two digits, without a sign"},
		{Percent(0.1234), "12.3 %", "one decimal from 10 on"},
		{Percent(2.5), "250 %", "none from 100 on"},
		{Percent(12.5), "1250 %", "all before the point"},
		{Percent(nan), None + " %", "callers leave out what is not there"},
		{Level(0.01), "1 %", "chosen"},
		{Level(0.975), "97.5 %", "with the digits that it was chosen with"},
		{Change(-0.0511), "-5.1 %", "its sign"},
		{Change(0.05), "+5 %", "grown"},
		{Change(0), "0 %", "not grown"},
		{Change(0.00012), "+0.012 %", "small"},
		{Change(2.5), "+250 %", "up to tenfold in per cent"},
		{Change(24), "×25", "then in times"},
		{Change(inf), None, "unknown growth has no sign"},
		{Interval(-0.012, 0.03), "-1.2 to +3 %", "an interval"},
		{Interval(-0.5, 24), "-50 % to ×25", "a wide one"},
		{Interval(nan, 1), "", "none"},
		{Higher(0.031), "3.1 % higher", "in words"},
		{Higher(-0.031), "3.1 % lower", "in words"},
		{Higher(0), "no difference", "in words"},
		{P(0.0412), "0.041", "two digits"},
		{P(1e-9), "<0.0001", "a bound"},
		{P(0.9997), "1", "not 1.0"},
		{P(nan), None, "no test"},
		{Plus(960, "960 KiB"), "+960 KiB", "grown"},
		{Plus(1e-9, "0.00"), "0.00", "no plus before a zero"},
		{Count(1, "seed"), "1 seed", "one"},
		{Count(12345, "seed"), "12,345 seeds", "more"},
		{List([]string{"a"}), "a", "one"},
		{List([]string{"a", "b", "c"}), "a, b and c", "three"},
		{Few([]string{"a", "b", "c"}, 3), "a, b and c", "as many as may be"},
		{Few([]string{"a", "b", "c", "d"}, 3), "a, b and 2 more", "more than may be"},
	} {
		assert.Equal(t, c.want, c.got, c.why)
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		unit string
		v    float64
		want string
		why  string
	}{
		{"ns/op", 5.008926674e7, "50.09 ms", "times in the step that suits"},
		{"ns/op", 12, "12 ns", "small"},
		{"sec/op", 1.2e-7, "120 ns", "in base units too"},
		{"sec/op", 90.5, "90.5 s", "long"},
		{"sec-to-loss", 12.3456, "12.35 s", "not a loss"},
		{"p99-ns", 1500, "1.5 µs", "a stranger's unit"},
		{"peak-RSS-GB", 2.7912345, "2.791 GiB", "the harness's GB are GiB"},
		{"heap-GB", 2.5, "2.5 GB", "a stranger's GB are not known to be"},
		{"peak-B", 3 << 30, "3 GiB", "bytes"},
		{"adapter-bytes", 3158016, "3.012 MiB", "bytes too"},
		{"B/op", 0, "0 B", "none"},
		{"trainable-parameters", 12582912, "12,582,912", "whole numbers are not rounded"},
		{"tokens/sec", 13850.272, "13,850", "a rate"},
		{"samples/sec", 36.658, "36.66", "four digits"},
		{"eval-loss", 1.675821, "1.6758", "five for losses"},
		{"x", 1e-9, "1e-9", "small"},
		{"x", nan, None, "never NaN"},
		{"ns/op", math.Inf(-1), None, "nor infinite"},
	} {
		assert.Equal(t, c.want, Value(c.unit, c.v), "%v %s: %s", c.v, c.unit, c.why)
	}
	a, b := Apart("loss", 1.7521149377270175, 1.7521149377270185)
	assert.NotEqual(t, a, b, "a difference in the last digit is seen")
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestTables(t *testing.T) {
	table := &Table{Head: []string{"arm", "loss", "call"}, Words: []string{"call"},
		Rows: [][]string{{"rank=8/targets=q|v", "1.5", "worse"}, {"*_<b>`", "10.25", "as good"}}}
	var b strings.Builder
	require.NoError(t, table.Text(&b))
	assert.Equal(t, ` arm                  loss  call
────────────────────────────────────
 rank=8/targets=q|v    1.5  worse
 *_<b>`+"`"+`              10.25  as good
`, b.String(), "names as they are, figures to the right, nothing at a line's end")
	b.Reset()
	require.NoError(t, table.Markdown(&b))
	assert.Contains(t, b.String(), `| rank=8/targets=q\|v |   1.5 | worse   |`)
	assert.Contains(t, b.String(), "| \\*\\_&lt;b&gt;\\`", "no name becomes markup")
	assert.ErrorContains(t, table.Text(broken{}), "full")
}
