package judge

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestUnsteadyMachineIsNamed(t *testing.T) {
	side := func(slower float64) string {
		var b strings.Builder
		b.WriteString(lorabench)
		for k := range 10 {
			took := 1e8 * (1 + 0.001*float64(k*7%5))
			if k >= 5 {
				took *= 1 + slower
			}
			fmt.Fprintf(&b, "seed: %d\n", 42+k)
			for i, rank := range []int{8, 64} {
				fmt.Fprintf(&b, "BenchmarkRank/rank=%d 40 %.0f ns/op\n", rank, took*(1+0.1*float64(i)+0.001*float64(k%3)))
			}
		}
		return b.String()
	}
	for _, c := range []struct {
		slower float64
		says   string
		why    string
	}{{0.05, "Unsteady: ", "both sides of the later pairs were slower"}, {0, "", "a steady machine"}} {
		v := judged(t, side(c.slower), side(c.slower), "", Options{})
		notes := strings.Join(v.Notes, "\n")
		if c.says == "" {
			assert.NotContains(t, notes, "Unsteady", c.why)
		} else {
			assert.Contains(t, notes, c.says, c.why)
		}
	}
	said := func(old, new string) string {
		for _, n := range judged(t, old, new, "", Options{}).Notes {
			if strings.HasPrefix(n, "Unsteady") {
				return n
			}
		}
		return ""
	}
	whole, first := side(0.05), "seed: 42\n"
	from := strings.Index(whole, first+"Benchmark")
	without := whole[:from] + whole[strings.Index(whole, "seed: 45\n"):] // as if its first seeds had been resumed
	numbered := regexp.MustCompile(`blocks? \d+`)
	assert.Equal(t, numbered.FindString(said(whole, whole)), numbered.FindString(said(whole, without)), "a side that lacks the first seed has its blocks where they were")
}
