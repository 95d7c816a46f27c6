// Matrix products in float32 on CPUs with AVX2; factors in bfloat16 become float32 as they are packed. With weights that come from memory, six
// of each shape in turn, these 200 lines ran 154 GFLOP/s at a step's shapes where oneDNN had 133 and MKL 110
// (EPYC, Zen 3, 2 threads, shared machine; 190 is what its FMAs do in registers). With one weight that stays in the caches,
// on a quiet machine, they gain up to 14 % in the layers (2 % less in one) and a third in the head: go test -bench=GEMM. Which
// library is fastest on other processors is measured: decoder.MeasureKernels.
//
// The algorithm is Goto and van de Geijn's (2008, doi:10.1145/1356052.1356053), with BLIS's 6 x 16 kernel
// (Van Zee and van de Geijn 2015, doi:10.1145/2764454). Refused, each slower in that measurement: rows of A read where
// they lie instead of packed, B packed once and shared by the threads (it goes through memory twice more), slabs
// of a depth of 256 or 512 (C goes through memory more often); huge pages gained nothing.
#include "gemm.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))

namespace {

constexpr int64_t rows = 6, columns = 16; // of what the kernel keeps in registers: 12 of 16
constexpr int64_t depth = 1024;           // of a slab: columns x depth floats of B stream from the L2 cache
constexpr int64_t wide = 8;               // panels of B a thread packs at a time, for its L2 cache: 0.5 MB

constexpr int64_t ahead = 8;              // rows
constexpr int64_t least = 32;             // below that on any side, packing costs more than it gains

// What is added to a product: C itself, a row for all (step 0), or nothing (nullptr).
struct Plus {
  const float *from;
  int64_t step;
};

// C [m, 16] = alpha A B + plus; a is [k, 6], b [k, 16], k a multiple of 4 and not 0.
template <int m> AVX2 void kernel(int64_t k, const float *a, const float *b, float alpha, Plus plus, float *c, int64_t ldc) {
  // Names rather than an array, which the compiler would keep in memory.
#define ZERO(i) __m256 l##i = _mm256_setzero_ps(), h##i = _mm256_setzero_ps();
  ZERO(0) ZERO(1) ZERO(2) ZERO(3) ZERO(4) ZERO(5)
#define ROW(i)                                                                                                                     \
  if (m > i) {                                                                                                                     \
    __m256 x = _mm256_broadcast_ss(a + at * rows + i);                                                                             \
    l##i = _mm256_fmadd_ps(x, low, l##i);                                                                                          \
    h##i = _mm256_fmadd_ps(x, high, h##i);                                                                                         \
  }
#define STEP(i)                                                                                                                    \
  {                                                                                                                                \
    constexpr int at = i;                                                                                                          \
    __m256 low = _mm256_load_ps(b + at * columns), high = _mm256_load_ps(b + at * columns + 8);                                    \
    ROW(0) ROW(1) ROW(2) ROW(3) ROW(4) ROW(5)                                                                                      \
  }
  for (int i = 0; i < m; i++) {
    _mm_prefetch(reinterpret_cast<const char *>(c + i * ldc), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char *>(c + i * ldc + columns - 1), _MM_HINT_T0);
  }
  int64_t steps = k / 4;
  do {
    STEP(0) STEP(1) STEP(2) STEP(3)
    a += 4 * rows;
    b += 4 * columns;
  } while (--steps);
  __m256 scale = _mm256_set1_ps(alpha);
#define PUT(i)                                                                                                                     \
  if (m > i) {                                                                                                                     \
    auto *to = c + i * ldc;                                                                                                        \
    if (plus.from) {                                                                                                               \
      auto *p = plus.from + i * plus.step;                                                                                         \
      _mm256_storeu_ps(to, _mm256_fmadd_ps(l##i, scale, _mm256_loadu_ps(p)));                                                      \
      _mm256_storeu_ps(to + 8, _mm256_fmadd_ps(h##i, scale, _mm256_loadu_ps(p + 8)));                                              \
    } else {                                                                                                                       \
      _mm256_storeu_ps(to, _mm256_mul_ps(l##i, scale));                                                                            \
      _mm256_storeu_ps(to + 8, _mm256_mul_ps(h##i, scale));                                                                        \
    }                                                                                                                              \
  }
  PUT(0) PUT(1) PUT(2) PUT(3) PUT(4) PUT(5)
#undef PUT
#undef STEP
#undef ROW
#undef ZERO
}

using Kernel = void (*)(int64_t, const float *, const float *, float, Plus, float *, int64_t);
constexpr Kernel kernels[] = {kernel<1>, kernel<2>, kernel<3>, kernel<4>, kernel<5>, kernel<6>};

using half = c10::BFloat16;

AVX2 inline __attribute__((always_inline)) __m256 load(const float *s) { return _mm256_loadu_ps(s); }
AVX2 inline __attribute__((always_inline)) __m256 load(const half *s) {
  auto bits = _mm_loadu_si128(reinterpret_cast<const __m128i *>(s));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

// d[j][i] = s[i][j], 8 x 8, of which rows beyond the n-th are copies of that.
template <class S>
AVX2 inline __attribute__((always_inline)) void transposed(const S *s, int64_t lds, int64_t n, float *d, int64_t ldd) {
  __m256 r[8], t[8];
  for (int64_t i = 0; i < 8; i++)
    r[i] = load(s + std::min(i, n - 1) * lds);
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 2; j++) {
      r[i + 2 * j] = _mm256_shuffle_ps(t[i + j], t[i + j + 2], 0x44);
      r[i + 2 * j + 1] = _mm256_shuffle_ps(t[i + j], t[i + j + 2], 0xee);
    }
  for (int i = 0; i < 4; i++) {
    _mm256_store_ps(d + i * ldd, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    _mm256_store_ps(d + (i + 4) * ldd, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}

// A factor: element (i, k) at from[i * outer + k * inner], one of the steps being 1.
template <class S> struct Factor {
  const S *from;
  int64_t outer, inner;
};

int64_t panels(int64_t n, int64_t width) { return (n + width - 1) / width; }

// Packs n of a factor's rows (or columns, of B) and k of its depth into panels [padded, width], the rest
// of which is 0. What a row beyond the last is does not matter: nothing of its products is stored.
template <int width, class S> AVX2 void pack(Factor<S> f, int64_t n, int64_t k, int64_t padded, float *d) {
  int64_t count = panels(n, width);
  if (f.inner == 1) {
    alignas(32) float tile[64];
    for (int64_t p = 0; p < count; p++, d += padded * width) {
      int64_t whole = k / 8 * 8, here = std::min<int64_t>(width, n - p * width);
      auto *s = f.from + p * width * f.outer;
      // Two tiles, a cache line, of 8 rows before the next 8: rows may all fall into one set of the cache.
      for (int64_t line = 0; line < whole; line += 16)
        for (int64_t i = 0; i < here; i += 8)
          for (int64_t at = line; at < std::min(line + 16, whole); at += 8) {
            if (width % 8 == 0) {
              transposed(s + i * f.outer + at, f.outer, here - i, d + at * width + i, width);
              continue;
            }
            transposed(s + i * f.outer + at, f.outer, here - i, tile, 8);
            for (int j = 0; j < 8; j++)
              memcpy(d + (at + j) * width, tile + j * 8, width * sizeof(float));
          }
      for (int64_t at = whole; at < k; at++)
        for (int64_t i = 0; i < here; i++)
          d[at * width + i] = s[i * f.outer + at];
      std::fill(d + k * width, d + padded * width, 0.0f);
    }
    return;
  }
  int64_t whole = n / width;
  for (int64_t at = 0; at < k; at++) {
    auto *s = f.from + at * f.inner;
    auto *to = d + at * width;
    for (int64_t p = 0; p < whole; p++, s += width, to += padded * width) {
      // Rows lie far apart, so that the processor does not guess the next.
      _mm_prefetch(reinterpret_cast<const char *>(s + ahead * f.inner), _MM_HINT_T0);
      for (int i = 0; i < width; i++)
        to[i] = s[i];
    }
    for (int64_t i = 0; whole < count && i < width; i++)
      to[i] = whole * width + i < n ? static_cast<float>(s[i]) : 0;
  }
  for (int64_t p = 0; p < count; p++)
    std::fill(d + p * padded * width + k * width, d + (p + 1) * padded * width, 0.0f);
}

// f(i, thread) for 0 <= i < n: whoever is free takes the next, since threads of a shared machine are not
// equally fast.
template <class F> void each_of(int64_t n, F f) {
  std::atomic<int64_t> next{0};
  int64_t threads = at::get_num_threads();
  at::parallel_for(0, threads, 1, [&](int64_t, int64_t) {
    for (int64_t i; (i = next.fetch_add(1)) < n;)
      f(i, at::get_thread_num());
  });
}

template <class S> Factor<S> factor(const at::Tensor &x, int outer, int inner) {
  return {x.const_data_ptr<S>(), x.stride(outer), x.stride(inner)};
}

bool fits(const at::Tensor &x) { return x.dim() == 2 && x.is_cpu() && (x.stride(0) == 1 || x.stride(1) == 1); }

// gemm of factors of type S, whose shapes and places were looked at.
template <class S> void multiply(const at::Tensor &c, const at::Tensor &a, const at::Tensor &b, const float *bias, bool add, float alpha) {
  int64_t m = a.size(0), k = a.size(1), n = b.size(1);
  int64_t slabs = panels(k, depth), deep = panels(panels(k, slabs), 4) * 4;
  int64_t threads = at::get_num_threads(), all = n / columns;
  // As many panels of B together as leave each thread four groups or more.
  int64_t together = std::clamp<int64_t>(all / (4 * threads), 1, wide);
  int64_t high = panels(m, rows);
  auto packed_a = at::empty({high * rows * deep}, c.options()), packed_b = at::empty({threads, together * columns * deep}, c.options());
  note_usage();
  auto *pa = packed_a.data_ptr<float>(), *pb = packed_b.data_ptr<float>(), *pc = c.data_ptr<float>();
  auto fa = factor<S>(a, 0, 1), fb = factor<S>(b, 1, 0);
  int64_t ldc = c.stride(0);
  constexpr int64_t some = 8; // panels of A packed at a time
  for (int64_t from = 0; from < k; from += deep) {
    int64_t here = std::min(deep, k - from), padded = panels(here, 4) * 4;
    each_of(panels(high, some), [&](int64_t i, int) {
      auto f = fa;
      f.from += i * some * rows * f.outer + from * f.inner;
      pack<rows>(f, std::min(some * rows, m - i * some * rows), here, padded, pa + i * some * rows * padded);
    });
    each_of(panels(all, together), [&](int64_t g, int thread) {
      int64_t first = g * together, count = std::min(together, all - first);
      auto f = fb;
      f.from += first * columns * f.outer + from * f.inner;
      auto *mine = pb + thread * together * columns * deep;
      pack<columns>(f, count * columns, here, padded, mine);
      for (int64_t i = 0; i < high; i++) {
        auto run = kernels[std::min(rows, m - i * rows) - 1];
        for (int64_t p = 0; p < count; p++) {
          int64_t column = (first + p) * columns;
          auto *to = pc + i * rows * ldc + column;
          Plus plus = from > 0 || add ? Plus{to, ldc} : Plus{bias ? bias + column : nullptr, 0};
          run(padded, pa + i * rows * padded, mine + p * columns * padded, alpha, plus, to, ldc);
        }
      }
    });
  }
}

} // namespace

bool gemm_available() {
  static bool is = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return is;
}

bool gemm(const at::Tensor &c, const at::Tensor &a, const at::Tensor &b, const float *bias, bool add, double alpha) {
  auto type = a.scalar_type();
  if (!gemm_available() || !fits(a) || !fits(b) || !fits(c) || c.stride(1) != 1 || c.scalar_type() != at::kFloat || b.scalar_type() != type ||
      type != at::kFloat && type != at::kBFloat16)
    return false;
  int64_t m = a.size(0), k = a.size(1), n = b.size(1);
  TORCH_CHECK(c.size(0) == m && c.size(1) == n && b.size(0) == k, "shapes differ: ", c.sizes(), " of ", a.sizes(), " and ", b.sizes());
  if (m < least || n < least || k < least || n % columns)
    return false;
  auto run = type == at::kFloat ? multiply<float> : multiply<half>;
  run(c, a, b, bias, add, static_cast<float>(alpha));
  return true;
}

#else

bool gemm(const at::Tensor &, const at::Tensor &, const at::Tensor &, const float *, bool, double) { return false; }
bool gemm_available() { return false; }

#endif
