package train

// Schedule is the learning rate: linear warm-up, then linear decay to 0, as transformers'
// get_linear_schedule_with_warmup.
type Schedule struct {
	LR            float64
	Steps, Warmup int
}

// At returns the rate of step s = 0, 1, ...; 0 after the last.
func (c Schedule) At(s int) float64 {
	switch {
	case s < c.Warmup:
		return c.LR * float64(s) / float64(c.Warmup)
	case s >= c.Steps:
		return 0
	}
	return c.LR * float64(c.Steps-s) / float64(c.Steps-c.Warmup)
}
