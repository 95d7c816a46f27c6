// Loops over elements on a CPU. ATen's own would do, but draws a mask on one thread (a twentieth of a
// step at OPT-350m's shape went there) and passes over memory two to four times where one is enough.
#pragma once
#include <ATen/Dispatch.h>
#include <ATen/OpMathType.h>
#include <ATen/Parallel.h>
#include <ATen/CPUGeneratorImpl.h>

#include <mutex>

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
  // from is even. SSE2 has no 64-bit product: vectorized, it would be several times slower.
  __attribute__((optimize("no-tree-vectorize"))) void fill(uint8_t *mask, int64_t from, int64_t to) const {
    const uint64_t s = seed, l = least; // a byte written could be theirs, for all the compiler knows
    int64_t i = from;
    for (; i + 1 < to; i += 2) {
      uint64_t z = pair(s, i >> 1);
      mask[i] = (z & 0xFFFFFFFFull) >= l;
      mask[i + 1] = (z >> 32) >= l;
    }
    if (i < to)
      mask[i] = (pair(s, i >> 1) & 0xFFFFFFFFull) >= l;
  }
};

// each calls f(from, to) for pieces of 0..n, on all threads. Pieces begin at even elements.
template <class F> void each(int64_t n, F f) {
  at::parallel_for(0, (n + 1) / 2, grain / 2, [&](int64_t a, int64_t b) { f(2 * a, std::min(2 * b, n)); });
}

inline uint8_t *bytes(const at::Tensor &mask) { return reinterpret_cast<uint8_t *>(mask.data_ptr<bool>()); }

// What is masked is multiplied by 0 or 1, as PyTorch does it: a branch on a random mask is guessed
// wrong every tenth time, which made these loops ten times slower. Inner loops are functions of their
// own, since the compiler vectorizes none of them inside a lambda.

// y = x * mask * scale.
template <class S> void masked(S *__restrict y, const S *__restrict x, const uint8_t *__restrict mask, at::opmath_type<S> scale, int64_t n) {
  using wide = at::opmath_type<S>;
  for (int64_t i = 0; i < n; i++)
    y[i] = static_cast<S>(static_cast<wide>(x[i]) * (scale * static_cast<wide>(static_cast<int>(mask[i]))));
}

// y = x + (y * mask * scale), rounded before the sum, as two operations would.
template <class S> void added(S *__restrict y, const S *__restrict x, const uint8_t *__restrict mask, at::opmath_type<S> scale, int64_t n) {
  using wide = at::opmath_type<S>;
  for (int64_t i = 0; i < n; i++) {
    auto dropped = static_cast<S>(static_cast<wide>(y[i]) * (scale * static_cast<wide>(static_cast<int>(mask[i]))));
    y[i] = static_cast<S>(static_cast<wide>(x[i]) + static_cast<wide>(dropped));
  }
}

// x = max(x, 0); zero is where that is 0, and not where x is no number, which has to be seen in the loss.
template <class S> void rectified(S *__restrict x, uint8_t *__restrict zero, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    uint8_t z = x[i] <= S(0);
    zero[i] = z;
    x[i] = x[i] * static_cast<S>(static_cast<int>(1 - z));
  }
}

// d = d where zero is not, else 0.
template <class S> void cleared(S *__restrict d, const uint8_t *__restrict zero, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    d[i] = d[i] * static_cast<S>(static_cast<int>(1 - zero[i]));
}

#define FLOATING(type, name, ...) AT_DISPATCH_FLOATING_TYPES_AND(at::kBFloat16, type, name, __VA_ARGS__)
