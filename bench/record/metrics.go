package record

// Unit is a metric's unit and which direction of it is better, as benchmark Unit lines have it; "" is
// neither.
type Unit struct{ Name, Better string }

// Units are all metrics of a result line, besides ns/op.
var Units = []Unit{
	{"loss", "lower"}, {"train-loss", "lower"}, {"eval-loss", "lower"}, {"forget-loss", "lower"},
	{"samples/sec", "higher"}, {"tokens/sec", "higher"}, {"grad-norm", ""}, {"peak-GPU-GB", "lower"}, {"peak-RSS-GB", "lower"}, {"sec-to-loss", "lower"},
}

// Metric is a value for the result line.
type Metric struct {
	Unit  string
	Value float64
}

// GiB is what the reference run, and the units in GB here, call a GB.
const GiB = 1 << 30

// Metrics are the record's values for the result line: only what was measured. A run that diverged has none.
func (r *Record) Metrics() []Metric {
	if r.Diverged > 0 {
		return nil
	}
	ms := []Metric{
		{"ns/op", r.Runtime * 1e9 / float64(r.GlobalStep)},
		{"loss", r.Loss}, {"train-loss", r.TrainLoss},
	}
	if r.EvalLoss != nil {
		ms = append(ms, Metric{"eval-loss", *r.EvalLoss})
	}
	if r.ForgetLoss != nil {
		ms = append(ms, Metric{"forget-loss", *r.ForgetLoss})
	}
	ms = append(ms, Metric{"samples/sec", r.SamplesPerSecond}, Metric{"tokens/sec", r.TokensPerSecond}, Metric{"grad-norm", r.GradNorm})
	if b := r.PeakMemory.GPUAllocated; b != nil {
		ms = append(ms, Metric{"peak-GPU-GB", float64(*b) / GiB})
	} else if b := r.PeakMemory.RSS; b != nil {
		ms = append(ms, Metric{"peak-RSS-GB", float64(*b) / GiB})
	}
	if r.SecondsToTarget != nil {
		ms = append(ms, Metric{"sec-to-loss", *r.SecondsToTarget})
	}
	return ms
}
