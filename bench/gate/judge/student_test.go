package judge

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestStudent(t *testing.T) {
	for _, c := range []struct{ p, df, t float64 }{ // R's qt(p, df, lower.tail = FALSE)
		{0.025, 5, 2.5705818356}, {0.005, 10, 3.1692726726}, {0.0005, 10, 4.5868938587}, {0.025, 1, 12.7062047362},
		{0.2, 3, 0.9784723124}, {0.025, 30, 2.0422724563},
	} {
		assert.InEpsilon(t, c.t, quantile(c.p, c.df), 1e-6, "%+v", c)
		assert.InEpsilon(t, c.p, above(c.t, c.df), 1e-6, "%+v", c)
		assert.InEpsilon(t, 1-c.p, above(-c.t, c.df), 1e-6, "%+v", c)
	}
	for _, df := range []float64{1, 1.3, 2, 2.7, 3, 4.4, 7, 11.3, 40, 300, 1999} {
		for _, p := range []float64{0.49, 0.2, 0.025, 1e-3, 1e-5, 1e-8} {
			assert.InEpsilon(t, p, above(quantile(p, df), df), 1e-5, "p %v, df %v", p, df)
		}
	}
	assert.Zero(t, quantile(0.5, 7), "so that a power of one half asks for no more")
}
