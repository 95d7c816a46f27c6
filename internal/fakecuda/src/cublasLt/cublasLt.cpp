// libcublasLt.so: as cublas.cpp, for the one product of "cuBLAS", "Using the cuBLASLt API" that libtorch calls.
#include "../product.h"

#include <string.h>

namespace {

struct Layout { // cublasLtMatrixLayout_t
  cudaDataType type;
  uint64_t rows, columns;
  int64_t ld, stride = 0;
  int32_t batch = 1;
};
struct Description { // cublasLtMatmulDesc_t
  int compute;
  int32_t ta = 0, tb = 0;
  const void *bias = nullptr;
};
struct Heuristic { // cublasLtMatmulHeuristicResult_t
  uint64_t algorithm[8];
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};
enum { CUBLAS_COMPUTE_32F_FAST_TF32 = 77 };
enum { CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT = 5, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET = 6 };
enum { CUBLASLT_MATMUL_DESC_TRANSA = 3, CUBLASLT_MATMUL_DESC_TRANSB = 4, CUBLASLT_MATMUL_DESC_BIAS_POINTER = 8 };

template <class T> void set(T &field, const void *value, size_t n) { memcpy(&field, value, std::min(n, sizeof field)); }

Matrix matrix(const char *name, const void *at, const Layout *l) {
  return {name, at, l->type, static_cast<int64_t>(l->rows), static_cast<int64_t>(l->columns), l->ld, l->stride, l->batch};
}

} // namespace

API size_t cublasLtGetVersion() { return 130100; }

API int cublasLtMatrixLayoutCreate(Layout **l, cudaDataType type, uint64_t rows, uint64_t columns, int64_t ld) {
  return *l = new Layout{type, rows, columns, ld}, CUBLAS_STATUS_SUCCESS;
}
API int cublasLtMatrixLayoutDestroy(Layout *l) { return delete l, CUBLAS_STATUS_SUCCESS; }
API int cublasLtMatrixLayoutSetAttribute(Layout *l, int attribute, const void *value, size_t n) {
  if (attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT)
    set(l->batch, value, n);
  else if (attribute == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET)
    set(l->stride, value, n);
  return CUBLAS_STATUS_SUCCESS;
}

API int cublasLtMatmulDescCreate(Description **d, int compute, int) { return *d = new Description{compute}, CUBLAS_STATUS_SUCCESS; }
API int cublasLtMatmulDescDestroy(Description *d) { return delete d, CUBLAS_STATUS_SUCCESS; }
API int cublasLtMatmulDescSetAttribute(Description *d, int attribute, const void *value, size_t n) {
  if (attribute == CUBLASLT_MATMUL_DESC_TRANSA)
    set(d->ta, value, n);
  else if (attribute == CUBLASLT_MATMUL_DESC_TRANSB)
    set(d->tb, value, n);
  else if (attribute == CUBLASLT_MATMUL_DESC_BIAS_POINTER)
    set(d->bias, value, n);
  return CUBLAS_STATUS_SUCCESS;
}

API int cublasLtMatmulPreferenceCreate(char **p) { return *p = new char, CUBLAS_STATUS_SUCCESS; }
API int cublasLtMatmulPreferenceDestroy(char *p) { return delete p, CUBLAS_STATUS_SUCCESS; }
API int cublasLtMatmulPreferenceSetAttribute(char *, int, const void *, size_t) { return CUBLAS_STATUS_SUCCESS; }
API int cublasLtMatmulAlgoGetHeuristic(void *, Description *, Layout *, Layout *, Layout *, Layout *, char *, int, Heuristic *results,
                                       int *n) {
  *results = {};
  results->waves = 1;
  *n = 1;
  return CUBLAS_STATUS_SUCCESS;
}

API int cublasLtMatmul(void *, Description *what, const void *, const void *a, Layout *la, const void *b, Layout *lb, const void *,
                       const void *c, Layout *lc, void *d, Layout *ld, const void *, void *workspace, size_t n, void *stream) {
  const char *where = "cublasLtMatmul";
  if (int bad = check(where, {matrix("A", a, la), matrix("B", b, lb), matrix("C", c, lc), matrix("D", d, ld)}))
    return bad;
  if (n && !fake_inside(workspace, n))
    return refuse(where, "workspace is not inside one allocation of the device");
  if (what->bias && !fake_inside(what->bias, ld->rows * size_of(ld->type)))
    return refuse(where, "bias is not inside one allocation of the device");
  uint64_t rows = what->ta ? la->columns : la->rows, inner = what->ta ? la->rows : la->columns;
  uint64_t other = what->tb ? lb->columns : lb->rows, columns = what->tb ? lb->rows : lb->columns;
  if (rows != ld->rows || columns != ld->columns || inner != other)
    return refuse(where, "shapes that do not match");
  std::string name = std::string("LtMatmul ") + type_name(la->type) + (what->compute == CUBLAS_COMPUTE_32F_FAST_TF32 ? " tf32" : "") +
                     (what->bias ? " bias" : "");
  return submit(stream, name, 2 * rows * columns * inner * la->batch, a, b, d);
}
