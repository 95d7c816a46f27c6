// The CUDA part of internal/torch: built by internal/setup into liblorabench_cuda.so, also on a
// machine without CUDA, and opened at run time. Opening it brings in libtorch_cuda, so that one
// binary serves machines with and without a GPU.
//
// ATen/cuda/CUDAContext.h is left out on purpose: it wants cuBLAS's headers.
#include <cuda_runtime_api.h>
#include <string.h>

extern "C" {

// The device's name and compute capability (major * 10 + minor). Returns CUDA's error code.
int lorabench_cuda_device(int device, char *name, int size, int *capability) {
  cudaDeviceProp prop;
  cudaError_t e = cudaGetDeviceProperties(&prop, device);
  if (e != cudaSuccess)
    return e;
  strncpy(name, prop.name, size - 1);
  name[size - 1] = 0;
  *capability = prop.major * 10 + prop.minor;
  return 0;
}

} // extern "C"
