package bench

import (
	"testing"
	"time"

	"lorabench/internal/decoder"
	"lorabench/internal/torch"
)

// BenchmarkRate measures what the device can do, for BenchmarkPart's figures to stand beside: rate=product a large
// matrix product of -dtype and -tf32, rate=memory a copy that no cache holds.
func BenchmarkRate(b *testing.B) {
	on, n, bytes := work.device, int64(1024), int64(64<<20)
	if on.CUDA() {
		n, bytes = 8192, 1<<30
	}
	scope := torch.NewScope()
	defer func() { _ = torch.Run(func(*torch.Scope) error { scope.Free(); return nil }) }()
	var x, from, to *torch.Tensor
	err := torch.Run(func(*torch.Scope) error {
		x = scope.Empty(work.Base.DType(), on, n, n)
		torch.NormalIn(x, 0, 1)
		from, to = scope.Zeros(torch.UInt8, on, bytes), scope.Zeros(torch.UInt8, on, bytes)
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range []decoder.Part{
		{Name: "product", FLOPs: 2 * float64(n*n*n), Run: func(s *torch.Scope) { s.MatMul(x, x) }},
		{Name: "memory", Bytes: 2 * float64(bytes), Run: func(*torch.Scope) { torch.Copy(to, from) }},
	} {
		b.Run("rate="+p.Name, func(b *testing.B) {
			reportRates(b, p, timePart(b, p))
		})
	}
}

// BenchmarkPart times the pieces of a step on the first row of the first step, for each rank: where time
// goes. part=matmul is the frozen layers' matrix products alone; its time over part=gradient's is how
// near a step is to this machine's speed of matrix products, and GFLOP/s is that speed; GB/s is of the
// bytes that a part cannot do without. Attention and norm are all layers', forward and backward. The tokenizer has a
// benchmark of its own in package data, an operation's overhead one in internal/torch.
func BenchmarkPart(b *testing.B) {
	s := work.Settings
	s.LRs = s.LRs[:1] // a step takes as long at any rate
	arms := s.Arms()
	for _, arm := range arms {
		if len(arms) == 1 {
			benchmarkParts(b, arm)
			continue
		}
		b.Run(arm.Name, func(b *testing.B) { benchmarkParts(b, arm) })
	}
}

func benchmarkParts(b *testing.B, arm Arm) {
	r, err := work.Start(arm, work.Seed)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	scope := torch.NewScope()
	defer func() { _ = torch.Run(func(*torch.Scope) error { scope.Free(); return nil }) }()
	var parts []decoder.Part
	err = torch.Run(func(*torch.Scope) (err error) { parts, err = r.trainer.Parts(scope, r.steps.Next()); return err })
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range parts {
		b.Run("part="+p.Name, func(b *testing.B) {
			reportRates(b, p, timePart(b, p))
		})
	}
}

// timePart runs a part until the benchmark has enough of it. ns/op is the device's time for it, by events on CUDA: what the
// host needs before and after counts only where the device waits for it.
func timePart(b *testing.B, p decoder.Part) (took time.Duration) {
	if work.device.StandIn() {
		b.Skip("no result: a stand-in device computes nothing")
	}
	err := torch.Run(func(s *torch.Scope) error {
		s.Do(p.Run) // kernels are loaded, caches grown
		err := work.device.Synchronize()
		for b.Loop() {
			if err != nil {
				continue
			}
			var once time.Duration
			once, err = work.device.Elapsed(func() error { s.Do(p.Run); return nil })
			took += once
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return took
}

// reportRates reports a part's time, and how fast it multiplied and moved the bytes that it must.
func reportRates(b *testing.B, p decoder.Part, took time.Duration) {
	b.ReportMetric(float64(took)/float64(b.N), "ns/op")
	for unit, n := range map[string]float64{"GFLOP/s": p.FLOPs, "GB/s": p.Bytes} {
		if n > 0 {
			b.ReportMetric(n*float64(b.N)/took.Seconds()/1e9, unit)
		}
	}
}
