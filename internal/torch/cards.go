package torch

// #include "native.h"
import "C"

// Cards counts the CUDA devices that libtorch sees, which it opens CUDA for. Where there is none, the error says why.
func Cards() (int, error) {
	if err := openCUDA(); err != nil {
		return 0, err
	}
	var n C.int
	err := nativeError("device_count", func(e **C.char) { n = C.lb_cuda_devices(e) })
	return int(n), err
}
