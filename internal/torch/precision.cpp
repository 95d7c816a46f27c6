#include <ATen/Context.h>

// setAllowTF32CuBLAS sets both what was called allow_tf32 and its successor, fp32_precision. Setting
// the latter alone was refused: libtorch throws at the next matrix product when it finds them to
// disagree. setFloat32MatmulPrecision("high") was refused too: it also lets oneDNN round on the CPU.
extern "C" int lb_allow_tf32(int on) {
  auto &context = at::globalContext();
  bool was = context.float32Precision(at::Float32Backend::CUDA, at::Float32Op::MATMUL) == at::Float32Precision::TF32;
  context.setAllowTF32CuBLAS(on);
  return was;
}
