// Loops over elements on a CPU. ATen's own would do, but draws a mask on one thread (a twentieth of a
// step at OPT-350m's shape went there) and passes over memory two to four times where one is enough.
#pragma once
#include <ATen/Dispatch.h>
#include <ATen/OpMathType.h>
#include <ATen/Parallel.h>
#include <ATen/CPUGeneratorImpl.h>

#include <mutex>

// Compiles a loop for several processors, of which the program's start chooses: byte masks are widened to floats in two thirds of
// the time with AVX2 (go test -bench=ReLUBackward). Vectors change no digit of a loop over elements, but AVX-512 has multiply-adds.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

constexpr int64_t grain = 1 << 14; // elements a thread takes at least

// Each element's random number comes from its index and a seed that the default generator gives, by
// splitmix64 (Steele et al. 2014, doi:10.1145/2660193.2660195): the same on any number of threads.
struct Draw {
  uint64_t seed, least; // what is kept is at least this, of 2^32

  explicit Draw(double p) : least(static_cast<uint64_t>(p * 4294967296.0)) {
    auto g = at::get_generator_or_default<at::CPUGeneratorImpl>(std::nullopt, at::detail::getDefaultCPUGenerator());
    std::lock_guard<std::mutex> lock(g->mutex_);
    seed = g->random64();
  }
  // One mixing gives two elements' numbers.
  static uint64_t pair(uint64_t seed, uint64_t i) {
    uint64_t z = seed + (i + 1) * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  // One byte an element, 0 or 1. from is even. SSE2 has no 64-bit product: vectorized, it would be
  // several times slower.
  __attribute__((optimize("no-tree-vectorize"))) void fill(uint8_t *mask, int64_t from, int64_t to) const {
    const uint64_t s = seed, l = least; // a byte written could be theirs, for all the compiler knows
    for (int64_t i = from; i < to; i += 2, mask += 2) {
      uint64_t z = pair(s, i >> 1);
      mask[0] = (z & 0xFFFFFFFFull) >= l;
      mask[1] = (z >> 32) >= l; // beyond to, it may be: a block has room
    }
  }
};

// A mask is kept as bits, an eighth of PyTorch's: what a layer keeps of masks would else be a fifth of
// all it keeps. Loops work on blocks of bytes, which the compiler can vectorize.
constexpr int64_t block = 1024;

inline at::Tensor no_mask(int64_t n) { return at::empty({(n + 7) / 8}, at::TensorOptions(at::kByte)); }
inline bool fits(const at::Tensor &mask, int64_t n) { return mask.is_cpu() && mask.scalar_type() == at::kByte && mask.numel() == (n + 7) / 8; }

// n bytes of 0 or 1 to bits; bytes has room up to a multiple of 8.
inline void pack(uint8_t *bits, uint8_t *bytes, int64_t n) {
  for (int64_t i = n; i % 8; i++)
    bytes[i] = 0;
  for (int64_t i = 0; i < n; i += 8) {
    uint64_t v;
    memcpy(&v, bytes + i, 8);
    bits[i / 8] = static_cast<uint8_t>((v * 0x0102040810204080ull) >> 56);
  }
}

inline void unpack(uint8_t *bytes, const uint8_t *bits, int64_t n) {
  for (int64_t i = 0; i < n; i += 8) {
    uint64_t v = bits[i / 8] * 0x0101010101010101ull & 0x8040201008040201ull; // bit j in byte j
    v = (v + 0x7F7F7F7F7F7F7F7Full) >> 7 & 0x0101010101010101ull;
    memcpy(bytes + i, &v, 8);
  }
}

// each calls f(from, to, bytes) for blocks of 0..n, on all threads. bytes has room for the block's mask;
// it is unpacked from bits before, and packed into them afterwards where packing is asked for.
template <class F> void each(int64_t n, const at::Tensor &mask, bool packing, F f) {
  auto *bits = mask.data_ptr<uint8_t>();
  at::parallel_for(0, (n + block - 1) / block, grain / block, [&](int64_t a, int64_t b) {
    alignas(64) uint8_t bytes[block + 8];
    for (int64_t i = a; i < b; i++) {
      int64_t from = i * block, to = std::min(from + block, n);
      if (!packing)
        unpack(bytes, bits + from / 8, to - from);
      f(from, to, bytes);
      if (packing)
        pack(bits + from / 8, bytes, to - from);
    }
  });
}

// What is masked is multiplied by 0 or 1, as PyTorch does it: a branch on a random mask is guessed
// wrong every tenth time, which made these loops ten times slower. Inner loops are functions of their
// own, since the compiler vectorizes none of them inside a lambda.

// y = x * mask * scale.
template <class S> CLONES void masked(S *__restrict y, const S *__restrict x, const uint8_t *__restrict mask, at::opmath_type<S> scale, int64_t n) {
  using wide = at::opmath_type<S>;
  for (int64_t i = 0; i < n; i++)
    y[i] = static_cast<S>(static_cast<wide>(x[i]) * (scale * static_cast<wide>(static_cast<int>(mask[i]))));
}

// y = x + (y * mask * scale), rounded before the sum, as two operations would.
template <class S> CLONES void added(S *__restrict y, const S *__restrict x, const uint8_t *__restrict mask, at::opmath_type<S> scale, int64_t n) {
  using wide = at::opmath_type<S>;
  for (int64_t i = 0; i < n; i++) {
    auto dropped = static_cast<S>(static_cast<wide>(y[i]) * (scale * static_cast<wide>(static_cast<int>(mask[i]))));
    y[i] = static_cast<S>(static_cast<wide>(x[i]) + static_cast<wide>(dropped));
  }
}

// x = max(x, 0); zero is where that is 0, and not where x is no number, which has to be seen in the loss.
template <class S> CLONES void rectified(S *__restrict x, uint8_t *__restrict zero, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    uint8_t z = x[i] <= S(0);
    zero[i] = z;
    x[i] = x[i] * static_cast<S>(static_cast<int>(1 - z));
  }
}

// d = d where zero is not, else 0.
template <class S> CLONES void cleared(S *__restrict d, const uint8_t *__restrict zero, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    d[i] = d[i] * static_cast<S>(static_cast<int>(1 - zero[i]));
}

#define FLOATING(type, name, ...) AT_DISPATCH_FLOATING_TYPES_AND(at::kBFloat16, type, name, __VA_ARGS__)
