// RMSNorm, rotary positions and SwiGLU, each with its gradient: what the Llama family has besides OPT's layers. As in transformers
// (modeling_llama.py), the norm is computed in float32 whatever its input is. On a CPU each is one pass over memory where ATen's operations
// would be two to eight; what each of those rounds to x's type is rounded here too.
#include "native.h"
#include "native_internal.h"
#include "elementwise.h"

#include <cmath>

namespace {

template <class S> using wide_t = at::opmath_type<S>;

at::Tensor wide(const at::Tensor &x) { return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat); }

// The last dimension in pieces of w's size: one, or the heads that Qwen3 norms one by one.
at::Tensor pieces(const at::Tensor &x, void *w) { return x.unflatten(-1, {-1, T(w).size(0)}); }

// Rows of memory, [n, width], in groups that lie together: columns of a wider matrix.
template <class S> struct Rows {
  S *from;
  int64_t group, stride, width; // rows in a group, between groups, of a row

  S *operator[](int64_t i) const { return from + i / group * stride + i % group * width; }
};

template <class S> Rows<S> rows(const at::Tensor &x) { // [T, pieces, width]
  return {const_cast<S *>(x.const_data_ptr<S>()), x.size(1), x.stride(0), x.size(2)};
}

bool plain(const at::Tensor &x) { return x.is_cpu() && x.dim() == 3 && x.stride(2) == 1 && x.stride(1) == x.size(2); }

// f(i) for each of n rows of a width, on all threads.
template <class F> void each_row(int64_t n, int64_t width, F f) {
  at::parallel_for(0, n, std::max<int64_t>(1, grain / width), [&](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; i++)
      f(i);
  });
}

constexpr int lanes = 16; // partial sums of a row: their order is the same with vectors of any length

template <class S> CLONES wide_t<S> squares(const S *__restrict x, int64_t n) {
  wide_t<S> part[lanes] = {}, sum = 0;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int j = 0; j < lanes; j++)
      part[j] += static_cast<wide_t<S>>(x[i + j]) * static_cast<wide_t<S>>(x[i + j]);
  for (; i < n; i++)
    sum += static_cast<wide_t<S>>(x[i]) * static_cast<wide_t<S>>(x[i]);
  for (auto p : part)
    sum += p;
  return sum;
}

// y = w round(x rstd).
template <class S> CLONES void scaled(S *__restrict y, const S *__restrict x, const S *__restrict w, wide_t<S> rstd, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    y[i] = static_cast<S>(static_cast<wide_t<S>>(static_cast<S>(static_cast<wide_t<S>>(x[i]) * rstd)) * static_cast<wide_t<S>>(w[i]));
}

// The sum of w dy x rstd.
template <class S> CLONES wide_t<S> product(const S *__restrict dy, const S *__restrict x, const S *__restrict w, wide_t<S> rstd, int64_t n) {
  wide_t<S> part[lanes] = {}, sum = 0;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int j = 0; j < lanes; j++)
      part[j] += static_cast<wide_t<S>>(dy[i + j]) * static_cast<wide_t<S>>(w[i + j]) * (static_cast<wide_t<S>>(x[i + j]) * rstd);
  for (; i < n; i++)
    sum += static_cast<wide_t<S>>(dy[i]) * static_cast<wide_t<S>>(w[i]) * (static_cast<wide_t<S>>(x[i]) * rstd);
  for (auto p : part)
    sum += p;
  return sum;
}

// dx = rstd (w dy - x rstd mean).
template <class S>
CLONES void norm_gradient(S *__restrict dx, const S *__restrict dy, const S *__restrict x, const S *__restrict w, wide_t<S> rstd,
                          wide_t<S> mean, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    dx[i] = static_cast<S>((static_cast<wide_t<S>>(dy[i]) * static_cast<wide_t<S>>(w[i]) - static_cast<wide_t<S>>(x[i]) * rstd * mean) * rstd);
}

// a, b = a cos - b sin, b cos + a sin.
template <class S> CLONES void rotated(S *__restrict a, S *__restrict b, const S *__restrict cos, const S *__restrict sin, S sign, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    S s = sign * sin[i], x = a[i], y = b[i];
    S xc = x * cos[i], ys = y * s, yc = y * cos[i], xs = x * s;
    a[i] = xc - ys;
    b[i] = yc + xs;
  }
}

// The gradients of silu(g) u by g and u; s is sigmoid(g).
template <class S>
CLONES void gated(S *__restrict dg, S *__restrict du, const S *__restrict dy, const S *__restrict g, const S *__restrict u,
                  const wide_t<S> *__restrict s, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    wide_t<S> x = static_cast<wide_t<S>>(g[i]), d = static_cast<wide_t<S>>(dy[i]);
    wide_t<S> through = static_cast<wide_t<S>>(static_cast<S>(d * static_cast<wide_t<S>>(u[i])));
    dg[i] = static_cast<S>(through * s[i] * (1 + x * (1 - s[i])));
    du[i] = static_cast<S>(static_cast<wide_t<S>>(static_cast<S>(x * s[i])) * d);
  }
}

} // namespace

extern "C" {

// y = w x / sqrt(mean(x^2) + eps) over the last dimension, in pieces of w's size; out[1] is that root's inverse [.., pieces, 1].
void lb_rms_norm(void *x_, void *w, double eps, void **out, char **err) {
  guard(err, [&] {
    auto x = pieces(T(x_), w);
    TORCH_CHECK(T(w).dim() == 1 && T(w).is_contiguous() && T(w).scalar_type() == x.scalar_type(), "a weight of another type, or not contiguous");
    if (plain(x)) {
      auto y = at::empty(T(x_).sizes(), x.options());
      auto rstd = at::empty({x.size(0), x.size(1), 1}, x.options().dtype(at::toOpMathType(x.scalar_type())));
      FLOATING(x.scalar_type(), "rms_norm", [&] {
        auto in = rows<scalar_t>(x), to = rows<scalar_t>(pieces(y, w));
        auto *weight = T(w).const_data_ptr<scalar_t>();
        auto *inverse = rstd.data_ptr<wide_t<scalar_t>>();
        each_row(x.size(0) * x.size(1), in.width, [&](int64_t i) {
          inverse[i] = 1 / std::sqrt(squares<scalar_t>(in[i], in.width) / in.width + static_cast<wide_t<scalar_t>>(eps));
          scaled<scalar_t>(to[i], in[i], weight, inverse[i], in.width);
        });
      });
      out[0] = made(y);
      out[1] = made(rstd);
      return;
    }
    x = wide(x);
    auto rstd = x.square().mean(-1, true).add_(eps).rsqrt_();
    out[0] = made((x * rstd).to(T(x_).scalar_type()).mul_(T(w)).flatten(-2));
    out[1] = made(rstd);
  });
}

// With n = x rstd and g = w dy: dx = rstd (g - n mean(g n)), dw = the sum of n dy over rows.
void *lb_rms_norm_backward(void *dy_, void *x_, void *rstd, void *w, void *dw, char **err) {
  void *result = nullptr;
  guard(err, [&] {
    auto dy = pieces(T(dy_), w), x = pieces(T(x_), w);
    TORCH_CHECK(dy.sizes() == x.sizes() && dy.scalar_type() == x.scalar_type() && T(w).is_contiguous() && T(w).scalar_type() == x.scalar_type() &&
                    T(rstd).is_contiguous() && T(rstd).numel() == x.size(0) * x.size(1),
                "shapes or types differ");
    if (dw)
      T(dw).add_((wide(dy) * (wide(x) * T(rstd))).flatten(0, -2).sum(0));
    if (plain(dy) && plain(x)) {
      auto dx = at::empty(T(dy_).sizes(), dy.options());
      FLOATING(dy.scalar_type(), "rms_norm_backward", [&] {
        auto in = rows<scalar_t>(x), d = rows<scalar_t>(dy), to = rows<scalar_t>(pieces(dx, w));
        auto *weight = T(w).const_data_ptr<scalar_t>();
        auto *inverse = T(rstd).const_data_ptr<wide_t<scalar_t>>();
        each_row(x.size(0) * x.size(1), in.width, [&](int64_t i) {
          auto mean = product<scalar_t>(d[i], in[i], weight, inverse[i], in.width) / in.width;
          norm_gradient<scalar_t>(to[i], d[i], in[i], weight, inverse[i], mean, in.width);
        });
      });
      result = made(dx);
      return;
    }
    auto n = wide(x) * T(rstd), g = wide(dy) * T(w);
    auto mean = (g * n).mean(-1, true);
    result = made(g.sub_(n.mul_(mean)).mul_(T(rstd)).flatten(-2).to(T(dy_).scalar_type()));
  });
  return result;
}

// Rotates each head of x [T, heads D] in place: its halves (a, b) become (a cos - b sin, b cos + a sin), cos and sin [T, D/2].
// back rotates the other way, which is the gradient.
void lb_rotate(void *x_, void *cos_, void *sin_, int64_t heads, int back, char **err) {
  guard(err, [&] {
    auto &x = T(x_), &cos = T(cos_), &sin = T(sin_);
    int64_t half = x.size(1) / heads / 2;
    TORCH_CHECK(cos.size(0) == x.size(0) && cos.size(1) == half && sin.sizes() == cos.sizes() && cos.scalar_type() == x.scalar_type() &&
                    sin.scalar_type() == x.scalar_type() && cos.is_contiguous() && sin.is_contiguous(),
                "shapes or types differ");
    if (x.is_cpu() && x.stride(1) == 1) {
      FLOATING(x.scalar_type(), "rotate", [&] {
        auto *from = x.data_ptr<scalar_t>();
        auto *c = cos.const_data_ptr<scalar_t>(), *s = sin.const_data_ptr<scalar_t>();
        each_row(x.size(0), x.size(1), [&](int64_t i) {
          for (int64_t h = 0; h < heads; h++) {
            auto *a = from + i * x.stride(0) + h * 2 * half;
            rotated<scalar_t>(a, a + half, c + i * half, s + i * half, static_cast<scalar_t>(back ? -1 : 1), half);
          }
        });
      });
      return;
    }
    auto halves = x.unflatten(1, {heads, 2, -1}); // [T, heads, 2, D/2]
    auto a = halves.select(2, 0), b = halves.select(2, 1);
    auto across = cos.unsqueeze(1), up = back ? -sin.unsqueeze(1) : sin.unsqueeze(1);
    auto was = a.clone();
    a.mul_(across).sub_(b * up);
    b.mul_(across).add_(was.mul_(up));
  });
}

// gate_up is [T, 2F], gate and up side by side: silu(gate) up [T, F].
void *lb_swiglu(void *gate_up, char **err) {
  void *result = nullptr;
  guard(err, [&] {
    auto halves = T(gate_up).chunk(2, 1);
    result = made(at::silu(halves[0]).mul_(halves[1]));
  });
  return result;
}

void *lb_swiglu_backward(void *dy_, void *gate_up_, char **err) {
  void *result = nullptr;
  guard(err, [&] {
    auto &dy = T(dy_), &gate_up = T(gate_up_);
    auto halves = gate_up.chunk(2, 1);
    auto d = at::empty_like(gate_up);
    int64_t n = dy.size(1);
    TORCH_CHECK(gate_up.size(0) == dy.size(0) && gate_up.size(1) == 2 * n, "shapes differ");
    if (dy.is_cpu() && dy.is_contiguous() && gate_up.is_contiguous() && dy.scalar_type() == gate_up.scalar_type()) {
      auto sigmoid = at::sigmoid(wide(halves[0])).contiguous(); // [T, F]
      FLOATING(dy.scalar_type(), "swiglu_backward", [&] {
        auto *to = d.data_ptr<scalar_t>();
        auto *from = gate_up.const_data_ptr<scalar_t>(), *in = dy.const_data_ptr<scalar_t>();
        auto *s = sigmoid.const_data_ptr<wide_t<scalar_t>>();
        each_row(dy.size(0), n, [&](int64_t i) {
          gated<scalar_t>(to + 2 * i * n, to + (2 * i + 1) * n, in + i * n, from + 2 * i * n, from + (2 * i + 1) * n, s + i * n, n);
        });
      });
      result = made(d);
      return;
    }
    auto parts = d.chunk(2, 1);
    parts[0].copy_(at::silu_backward(dy * halves[1], halves[0]));
    parts[1].copy_(at::silu(halves[0]).mul_(dy));
    result = made(d);
  });
  return result;
}

} // extern "C"
