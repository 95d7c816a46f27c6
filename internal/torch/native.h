// What gotch has nothing for, or binds in a way that cannot be used. Plain C: cgo reads this.
// A tensor is gotch's handle, a pointer to at::Tensor. A function that can fail takes err and
// leaves a malloc'ed message there.
#pragma once
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

void *lb_attention(void *q, void *k, void *v, const int64_t *cum, int sequences, double scale, char **err);
void lb_set_grad(void *t, void *g, char **err);
void lb_adamw(void *p, void *g, void *m, void *v, void *step, void *rate, double beta1, double beta2, double eps,
              double decay, char **err);

void *lb_norm(void **tensors, int n, char **err);

const char *lb_version(void);
void lb_seed(int64_t seed, char **err);
int lb_threads(void);
int lb_flash(int on); // returns what was

// Peaks and present use of one CUDA device's caching allocator, in bytes.
typedef struct {
  int64_t allocated, allocated_peak, reserved, reserved_peak;
} lb_memory;
void lb_cuda_memory(int device, lb_memory *out, char **err);
void lb_cuda_reset_peak(int device, char **err);
void lb_cuda_empty_cache(int device, char **err);
void lb_cuda_synchronize(int device, char **err);
int lb_cuda_devices(char **err);

// Opens the CUDA half of libtorch: the message of what is missing, or NULL.
const char *lb_cuda_open(void);
// The device's name and compute capability (major * 10 + minor), from the CUDA part.
int lb_cuda_device(int device, char *name, int size, int *capability, char **err);

// Gives freed memory back to the system (glibc keeps it in its arenas).
void lb_trim(void);

#ifdef __cplusplus
}
#endif
