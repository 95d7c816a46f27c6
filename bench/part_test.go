package bench

import (
	"testing"

	"lorabench/internal/torch"
	"lorabench/opt"
)

// BenchmarkPart times the pieces of a step on the first row of the first step, for each rank: where time
// goes. part=matmul is the frozen layers' matrix products alone; its time over part=gradient's is how
// near a step is to this machine's speed of matrix products, and GFLOP/s is that speed. Attention and
// norm are all layers', forward and backward. The tokenizer has a
// benchmark of its own in package data, an operation's overhead one in internal/torch.
func BenchmarkPart(b *testing.B) {
	arms := work.Arms()
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
	var parts []opt.Part
	err = torch.Run(func(*torch.Scope) (err error) { parts, err = r.trainer.Parts(scope, r.ahead.Next()); return err })
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range parts {
		b.Run("part="+p.Name, func(b *testing.B) {
			err := torch.Run(func(s *torch.Scope) error {
				s.Do(p.Run) // kernels are loaded, caches grown
				err := work.device.Synchronize()
				for b.Loop() {
					if err != nil {
						continue
					}
					s.Do(p.Run)
					err = work.device.Synchronize()
				}
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
			if p.FLOPs > 0 {
				b.ReportMetric(p.FLOPs*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			}
		})
	}
}
