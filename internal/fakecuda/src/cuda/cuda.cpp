// libcuda.so.1: the driver, as far as libtorch calls it by itself. Results are CUresult; 0 is CUDA_SUCCESS.
#include "../fake.h"

API int cuInit(unsigned) { return 0; }
API int cuDeviceGet(int *device, int n) { return *device = n, 0; }
API int cuDevicePrimaryCtxGetState(int, unsigned *flags, int *active) { return *flags = 0, *active = 1, 0; }
API int cuCtxGetCurrent(void **context) { return *context = reinterpret_cast<void *>(1), 0; }
