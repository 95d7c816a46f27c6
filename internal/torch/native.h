// What gotch has nothing for, or binds in a way that cannot be used. Plain C: cgo reads this.
// A tensor is gotch's handle, a pointer to at::Tensor. A function that can fail takes err and
// leaves a malloc'ed message there.
#pragma once
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

// out[0] is the result [T, H], out[1] what the gradient needs besides it; see attention.cpp.
void lb_attention(void *qkv, void *cum_on_device, const int64_t *cum, int sequences, int64_t longest, int64_t heads, int64_t kv_heads,
                  double scale, void **out, char **err);
void *lb_attention_backward(void *dy, void *qkv, void *out, void *lse, void *cum_on_device, const int64_t *cum, int sequences,
                            int64_t longest, int64_t heads, int64_t kv_heads, double scale, char **err);
int lb_flash(int on); // returns what was

// See matmul.cpp.
void *lb_linear(void *x, void *w, void *b, char **err);
void *lb_linear_backward(void *dy, void *w, void *dx, char **err);
// What computes on a CPU: of layers' and the head's products 0 gemm.cpp, 1 oneDNN or 2 libtorch's own choice; of products and attention
// in bfloat16 1 its instructions or 0 float32's.
struct lb_kernels {
  int layers, head, bfloat16_products, bfloat16_attention;
};
struct lb_kernels lb_kernels_set(struct lb_kernels k); // returns what was
struct lb_kernels lb_kernels_available(void);          // 1 where there is: gemm.cpp, oneDNN, bfloat16's instructions twice

// See head.cpp. scale [N] and dw may be NULL; out[0] is dh or NULL.
void lb_head(void *h, void *w, void *target, void *scale, void *loss, void *dw, int want_dh, int64_t chunk, void **out, char **err);

// See layers.cpp.
void lb_dropout(void *x, void *mask, int64_t copies, double p, void **out, char **err);
void *lb_residual(void *x, void *y, void *mask, double p, char **err);
void lb_layer_norm(void *x, void *w, void *b, double eps, void **out, char **err);
void *lb_layer_norm_backward(void *dy, void *x, void *mean, void *rstd, void *w, void *b, void *dw, void *db, char **err);
void *lb_relu(void *x, int mask, char **err);
void lb_relu_backward(void *dy, void *zero, char **err);
void *lb_gelu_backward(void *dy, void *x, char **err);
void lb_addmm(void *y, void *a, void *b, int ta, int tb, double beta, double alpha, char **err);
void lb_zero_rows(void *t, void *ids, int64_t id, char **err);
void *lb_stacked(void **tensors, int n, char **err);

// See rotary.cpp.
void lb_rms_norm(void *x, void *w, double eps, void **out, char **err);
void *lb_rms_norm_backward(void *dy, void *x, void *rstd, void *w, void *dw, char **err);
void lb_rotate(void *x, void *cos, void *sin, int64_t heads, int back, char **err);
void *lb_swiglu(void *gate_up, char **err);
void *lb_swiglu_backward(void *dy, void *gate_up, char **err);

void lb_adamw(void *p, void *g, void *m, void *v, void *step, void *rate, double beta1, double beta2, double eps,
              double decay, char **err);

void *lb_norm(void **tensors, int n, char **err);

void lb_thread(void); // once for each thread, before any operation
const char *lb_version(void);
void lb_seed(int64_t seed, char **err);
// The state of the generator of a CUDA device, or with -1 of the CPU: a [bytes] uint8 tensor on the CPU.
void *lb_random_state(int device, char **err);
void lb_set_random_state(int device, void *state, char **err);
int lb_threads(void);
void lb_set_threads(int n, char **err);
// Peaks and present use of one CUDA device's caching allocator, in bytes.
typedef struct {
  int64_t allocated, allocated_peak, reserved, reserved_peak;
} lb_memory;
void lb_cuda_memory(int device, lb_memory *out, char **err);
void lb_cuda_reset_peak(int device, char **err);
void lb_cuda_empty_cache(int device, char **err);
void lb_cuda_synchronize(int device, char **err);
int lb_cuda_devices(char **err);
// What the driver says of the device's memory, in bytes.
void lb_cuda_memory_info(int device, int64_t *free, int64_t *total, char **err);

// An event of the device's current stream, with a time; elapsed waits for the second, frees both and returns the
// milliseconds between them. See event.go.
void *lb_event(int device, char **err);
double lb_elapsed(void *from, void *to, char **err);

// See upload.go. A [bytes] uint8 tensor on the CPU, and a copy that does not wait for the device.
void *lb_host_memory(int64_t bytes, int pinned, char **err);
void lb_copy_async(void *dst, void *src, char **err);

// What the C heap has given out, in bytes: now (-1 where the C library does not tell), and at most since
// the last call while somebody watches. See usage.cpp.
int64_t lb_in_use(void);
void lb_watch(int on);
void lb_note_usage(void);
int64_t lb_take_peak(void);
// For tests: the n-th allocation of a CPU tensor from now on fails, once; 0 is none. Returns how many were left until then.
int64_t lb_fail_allocation(int64_t n);

// Opens the CUDA half of libtorch: the message of what is missing, or NULL.
const char *lb_cuda_open(void);
// The device's name and compute capability (major * 10 + minor), from the CUDA part.
int lb_cuda_device(int device, char *name, int size, int *capability, char **err);

// Gives freed memory back to the system, which glibc keeps, if it is more than over bytes.
void lb_trim(int64_t over);

#ifdef __cplusplus
}
#endif
