// libcublas.so: products are checked and counted. The functions are those that libtorch calls for matrix products, as "cuBLAS",
// "Using the cuBLAS API", declares them; enumerations are ints here.
#include "../product.h"

namespace {

struct Handle {
  void *stream = nullptr;
  int math = 0;    // cublasMath_t
  int pointers = 0; // cublasPointerMode_t of alpha, beta and results
};
enum { CUBLAS_TF32_TENSOR_OP_MATH = 3, CUBLAS_POINTER_MODE_HOST = 0, CUBLAS_POINTER_MODE_DEVICE = 1 };

struct Operand {
  const void *at;
  cudaDataType type;
  int64_t ld, stride;
};

// C [m, n] = alpha op(A) [m, k] op(B) [k, n] + beta C, batch times. ta and tb are cublasOperation_t: 0 is not transposed.
int gemm(const char *where, Handle *h, int ta, int tb, int64_t m, int64_t n, int64_t k, const void *alpha, Operand a, Operand b,
         const void *beta, Operand c, int64_t batch) {
  int bad = check(where, {{"A", a.at, a.type, ta ? k : m, ta ? m : k, a.ld, a.stride, batch},
                          {"B", b.at, b.type, tb ? n : k, tb ? k : n, b.ld, b.stride, batch},
                          {"C", c.at, c.type, m, n, c.ld, c.stride, batch}});
  if (bad)
    return bad;
  if (h->pointers == CUBLAS_POINTER_MODE_HOST && (fake_device(alpha) || fake_device(beta)))
    return refuse(where, "alpha or beta on the device");
  bool tf32 = a.type == CUDA_R_32F && h->math == CUBLAS_TF32_TENSOR_OP_MATH;
  std::string name = std::string(where) + " " + type_name(a.type) + (tf32 ? " tf32" : "") + (batch > 1 ? " batched" : "");
  return submit(h->stream, name, 2 * m * n * k * batch, a.at, b.at, c.at);
}

} // namespace

API int cublasCreate_v2(Handle **h) { return *h = new Handle, CUBLAS_STATUS_SUCCESS; }
API int cublasDestroy_v2(Handle *h) { return delete h, CUBLAS_STATUS_SUCCESS; }
API int cublasSetStream_v2(Handle *h, void *s) { return h->stream = s, CUBLAS_STATUS_SUCCESS; }
API int cublasSetWorkspace_v2(Handle *, void *p, size_t n) {
  return !n || fake_inside(p, n) ? CUBLAS_STATUS_SUCCESS : refuse("cublasSetWorkspace", "not inside one allocation of the device");
}
API int cublasSetMathMode(Handle *h, int mode) { return h->math = mode, CUBLAS_STATUS_SUCCESS; }
API int cublasGetMathMode(Handle *h, int *mode) { return *mode = h->math, CUBLAS_STATUS_SUCCESS; }
API int cublasSetPointerMode_v2(Handle *h, int mode) { return h->pointers = mode, CUBLAS_STATUS_SUCCESS; }
API int cublasGetPointerMode_v2(Handle *h, int *mode) { return *mode = h->pointers, CUBLAS_STATUS_SUCCESS; }

#define GEMM(letter, type, code)                                                                                                 \
  API int cublas##letter##gemm_v2(Handle *h, int ta, int tb, int m, int n, int k, const type *alpha, const type *a, int lda,     \
                                  const type *b, int ldb, const type *beta, type *c, int ldc) {                                  \
    return gemm(#letter "gemm", h, ta, tb, m, n, k, alpha, {a, code, lda, 0}, {b, code, ldb, 0}, beta, {c, code, ldc, 0}, 1);    \
  }                                                                                                                              \
  API int cublas##letter##gemmStridedBatched(Handle *h, int ta, int tb, int m, int n, int k, const type *alpha, const type *a,   \
                                             int lda, long long sa, const type *b, int ldb, long long sb, const type *beta,      \
                                             type *c, int ldc, long long sc, int batch) {                                        \
    return gemm(#letter "gemmStridedBatched", h, ta, tb, m, n, k, alpha, {a, code, lda, sa}, {b, code, ldb, sb}, beta,           \
                {c, code, ldc, sc}, batch);                                                                                      \
  }
GEMM(S, float, CUDA_R_32F)
GEMM(D, double, CUDA_R_64F)

API int cublasGemmEx(Handle *h, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, cudaDataType at, int lda,
                     const void *b, cudaDataType bt, int ldb, const void *beta, void *c, cudaDataType ct, int ldc, int, int) {
  return gemm("GemmEx", h, ta, tb, m, n, k, alpha, {a, at, lda, 0}, {b, bt, ldb, 0}, beta, {c, ct, ldc, 0}, 1);
}
API int cublasGemmStridedBatchedEx(Handle *h, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, cudaDataType at,
                                   int lda, long long sa, const void *b, cudaDataType bt, int ldb, long long sb, const void *beta,
                                   void *c, cudaDataType ct, int ldc, long long sc, int batch, int, int) {
  return gemm("GemmStridedBatchedEx", h, ta, tb, m, n, k, alpha, {a, at, lda, sa}, {b, bt, ldb, sb}, beta, {c, ct, ldc, sc}, batch);
}

API int cublasSgemv_v2(Handle *h, int, int m, int n, const float *, const float *a, int lda, const float *x, int, const float *,
                       float *y, int) {
  if (int bad = check("Sgemv", {{"A", a, CUDA_R_32F, m, n, lda, 0, 1}}))
    return bad;
  if (!fake_device(x) || !fake_device(y))
    return refuse("Sgemv", "a vector on the host");
  return submit(h->stream, "Sgemv float32", 2ull * m * n, a, x, y);
}
API int cublasSdot_v2(Handle *h, int n, const float *x, int, const float *y, int, float *result) {
  if (!fake_device(x) || !fake_device(y) || fake_device(result) != (h->pointers == CUBLAS_POINTER_MODE_DEVICE))
    return refuse("Sdot", "a vector on the host, or the result where the pointer mode does not say");
  return submit(h->stream, "Sdot float32", 2ull * n, x, y, y);
}
