package record

// Unit is a metric's unit and its better direction, as benchmark Unit lines have them; "" is neither.
type Unit struct{ Name, Better string }

// Units lists all metrics of a result line but ns/op.
var Units = []Unit{
	{"loss", "lower"}, {"train-loss", "lower"}, {"eval-loss", "lower"}, {"forget-loss", "lower"}, {"samples/sec", "higher"},
	{"tokens/sec", "higher"}, {"grad-norm", ""}, {"peak-GPU-GB", "lower"}, {"peak-RSS-GB", "lower"}, {"sec-to-loss", "lower"},
}

type Metric struct {
	Unit  string
	Value float64
}

// GiB is what the reference run, and the units in GB here, call a GB.
const GiB = 1 << 30

func gib(bytes *int64) *float64 {
	if bytes == nil {
		return nil
	}
	return new(float64(*bytes) / GiB)
}

// Metrics returns the measured values for the result line: none if the run diverged, else without those that Comparable drops.
func (r *Record) Metrics() (ms []Metric) {
	if r.Diverged > 0 {
		return nil
	}
	c := r.Comparable()
	gpu, rss := gib(c.PeakMemory.GPUAllocated), gib(c.PeakMemory.RSS)
	if gpu != nil {
		rss = nil
	}
	// In the order of Units:
	values := []*float64{&r.Loss, &r.TrainLoss, r.EvalLoss, r.ForgetLoss, nil, nil, &r.GradNorm, gpu, rss, c.SecondsToTarget}
	if r.Resumed == 0 && !r.Scattered {
		ms, values[4], values[5] = []Metric{{"ns/op", r.Runtime * 1e9 / float64(r.GlobalStep)}}, &r.SamplesPerSecond, &r.TokensPerSecond
	}
	for i, v := range values {
		if v != nil {
			ms = append(ms, Metric{Units[i].Name, *v})
		}
	}
	return ms
}
