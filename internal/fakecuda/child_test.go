package fakecuda_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"lorabench/internal/torch"
)

// childVariable makes this test binary a child on the stand-in; its value names one of children.
const childVariable = "LORABENCH_FAKECUDA_CHILD"

func TestMain(m *testing.M) {
	name, ok := os.LookupEnv(childVariable)
	if !ok {
		os.Exit(m.Run())
	}
	if err := child(name); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var children = map[string]func(d torch.Device) error{
	"device": device, "graph": graph, "synchronise in a graph": synchronise, "fill": fill, "norms": norms, "elapsed": elapsed,
}

func child(name string) error {
	d, err := torch.OpenDevice("auto") // which is the CPU where there is no driver
	if err != nil {
		return err
	}
	if !d.StandIn() || torch.CPU.StandIn() {
		return fmt.Errorf("%v is no stand-in, or the CPU is one", d)
	}
	return children[name](d)
}

// elapsed times work by events, which the stand-in gives the host's time.
func elapsed(d torch.Device) error {
	return torch.Run(func(s *torch.Scope) error {
		took, err := d.Elapsed(func() error {
			time.Sleep(20 * time.Millisecond)
			x := s.Zeros(torch.Float32, d, 64, 64)
			s.MatMul(x, x)
			return nil
		})
		fmt.Println(took >= 20*time.Millisecond && took < time.Minute)
		return err
	})
}

// device multiplies and waits, once before and once after the parent says so.
func device(d torch.Device) error {
	name, err := d.Name()
	if err != nil {
		return err
	}
	fmt.Println(name, torch.DriverVersion())
	for range 2 {
		if err := torch.Run(func(s *torch.Scope) error {
			x := s.Zeros(torch.Float32, d, 64, 256)
			s.MatMul(x, s.Zeros(torch.Float32, d, 256, 32))
			return nil
		}); err != nil {
			return err
		}
		if err := d.Synchronize(); err != nil {
			return err
		}
		fmt.Println("done")
		if _, err := fmt.Scanln(); err != nil && err.Error() != "unexpected newline" {
			return err
		}
	}
	return nil
}

// graph captures a product and a kernel and replays them ten times.
func graph(d torch.Device) error { return record(d, 10, func() error { return nil }) }

// synchronise waits for the device in a capture, which CUDA refuses.
func synchronise(d torch.Device) error {
	err := record(d, 0, d.Synchronize)
	if err == nil {
		return errors.New("a capture allowed to wait for the device")
	}
	fmt.Println(err)
	return nil
}

// record captures a product, a kernel and what inside does, and launches the graph as often as replays says.
func record(d torch.Device, replays int, inside func() error) error {
	owner := torch.NewScope()
	var x, w, sum *torch.Tensor
	var failed error
	body := func(s *torch.Scope) {
		torch.AddIn(sum, s.MatMul(x, w))
		failed = errors.Join(failed, inside())
	}
	err := torch.Run(func(s *torch.Scope) error {
		x, w = owner.Zeros(torch.Float32, d, 8, 16), owner.Zeros(torch.Float32, d, 16, 32)
		sum = owner.Zeros(torch.Float32, d, 8, 32)
		torch.AddIn(sum, s.MatMul(x, w)) // cuBLAS's workspace is there from now on
		return nil
	})
	if err != nil {
		return err
	}
	pool, err := torch.NewGraphPool(d)
	if err != nil {
		return err
	}
	g, err := pool.Capture(body)
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	return torch.Run(func(*torch.Scope) error {
		for range replays {
			g.Replay()
		}
		return nil
	})
}

// fill takes memory until there is none left, which must be an ordinary error, after which the device goes on.
func fill(d torch.Device) error {
	n := 0
	err := torch.Run(func(s *torch.Scope) error {
		for ; n < 100; n++ {
			s.Empty(torch.Float32, d, 16<<20) // 64 MiB
		}
		return nil
	})
	if err != nil && !strings.Contains(err.Error(), "out of memory") {
		return err
	}
	fmt.Println(n, "tensors")
	return torch.Run(func(s *torch.Scope) error { s.Empty(torch.Float32, d, 16<<20); return nil })
}

// norms reads zeros of the card.
func norms(d torch.Device) error {
	return torch.Run(func(s *torch.Scope) error {
		fmt.Println(s.Floats(s.Zeros(torch.Float32, d, 3)))
		return nil
	})
}
