package compare

import (
	"fmt"
	"strconv"
	"strings"

	"lorabench/bench/format"
)

// Margin is how much higher than the best a loss may be and still be as good. The zero value is 5 % of the gain.
type Margin struct {
	Part   float64 // a fraction
	OfLoss bool    // of the best loss instead of what training gained: the loss before it less the best after it
}

// String is a margin as -margin takes it: 5%gain.
func (m Margin) String() string {
	of := "gain"
	if m.OfLoss {
		of = "loss"
	}
	return strconv.FormatFloat(100*m.Part, 'g', 6, 64) + "%" + of
}

// Set reads what String writes; a Margin is a flag.Value.
func (m *Margin) Set(s string) error {
	number, of, ok := strings.Cut(strings.ReplaceAll(s, " ", ""), "%")
	part, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(part > 0 && part < 100) || of != "gain" && of != "loss" {
		return fmt.Errorf("want a part of what training gained such as 5%%gain, or of the best loss such as 1%%loss; above 0 and below 100 %%")
	}
	*m = Margin{part / 100, of == "loss"}
	return nil
}

// of returns a margin as a fraction of the best loss, and in words. Where the loss before training is not known (NaN), it is 1 % of the
// loss. It is 0 where training gained nothing.
func (m Margin) of(before, best float64) (limit float64, words string) {
	switch {
	case m.OfLoss:
		return m.Part, format.Level(m.Part) + " of the loss"
	case !format.Finite(before):
		return 0.01, "1 % of the loss, because the loss before training is not known"
	}
	return max(0, m.Part*(before-best)/best), fmt.Sprintf("%s of what training gained (%s before, %s after)",
		format.Level(m.Part), format.Value(evalLoss, before), format.Value(evalLoss, best))
}
