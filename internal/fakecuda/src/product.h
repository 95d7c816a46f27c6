// What the stand-ins of cuBLAS and cuBLASLt share: the check of a product's matrices. Both store matrices by columns: "cuBLAS",
// "Data Layout"; an element (i, j) is at j*ld + i.
#pragma once
#include "fake.h"

#include <library_types.h>

#include <algorithm>
#include <initializer_list>
#include <string>

// cublasStatus_t
enum { CUBLAS_STATUS_SUCCESS = 0, CUBLAS_STATUS_INVALID_VALUE = 7, CUBLAS_STATUS_EXECUTION_FAILED = 13 };

struct Matrix {
  const char *name;
  const void *at;
  cudaDataType type;
  int64_t rows, columns, ld, stride, batch;
};

inline int64_t size_of(cudaDataType t) {
  switch (t) {
  case CUDA_R_8I: case CUDA_R_8U: case CUDA_R_8F_E4M3: case CUDA_R_8F_E5M2: return 1;
  case CUDA_R_16F: case CUDA_R_16BF: return 2;
  case CUDA_R_32F: case CUDA_R_32I: return 4;
  case CUDA_R_64F: case CUDA_C_32F: return 8;
  case CUDA_C_64F: return 16;
  default: fake_trap("products of another type");
  }
}

inline const char *type_name(cudaDataType t) {
  return t == CUDA_R_32F ? "float32" : t == CUDA_R_16BF ? "bfloat16" : t == CUDA_R_64F ? "float64" : t == CUDA_R_16F ? "float16" : "other";
}

// Counts and refuses a call whose argument is wrong.
inline int refuse(const std::string &where, const std::string &why) {
  fake_refused((where + ": CUBLAS_STATUS_INVALID_VALUE (" + why + ")").c_str());
  return CUBLAS_STATUS_INVALID_VALUE;
}

// Checks what cuBLAS checks itself (dimensions), and what on a card is an illegal access: every element must be inside one allocation.
inline int check(const std::string &where, std::initializer_list<Matrix> matrices) {
  for (auto &m : matrices) {
    if (m.rows < 0 || m.columns < 0 || m.batch < 0)
      return refuse(where, std::string(m.name) + " has a negative dimension");
    if (m.ld < std::max<int64_t>(1, m.rows))
      return refuse(where, std::string(m.name) + " has a leading dimension below its rows");
    int64_t n = (m.columns - 1) * m.ld + m.rows + (m.batch - 1) * m.stride;
    if (m.rows && m.columns && m.batch && !fake_inside(m.at, n * size_of(m.type)))
      return refuse(where, std::string(m.name) + " is not inside one allocation of the device");
  }
  return CUBLAS_STATUS_SUCCESS;
}

inline int submit(void *stream, const std::string &name, uint64_t flops, const void *a, const void *b, const void *c) {
  return fake_product(stream, ("product " + name).c_str(), flops, a, b, c) ? CUBLAS_STATUS_EXECUTION_FAILED : CUBLAS_STATUS_SUCCESS;
}
