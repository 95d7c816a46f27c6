// RMSNorm, rotary positions and SwiGLU, each with its gradient: what the Llama family has besides OPT's layers. As in transformers
// (modeling_llama.py), the norm is computed in float32 whatever its input is.
#include "native.h"
#include "native_internal.h"

namespace {

at::Tensor wide(const at::Tensor &x) { return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat); }

// The last dimension in pieces of w's size: one, or the heads that Qwen3 norms one by one.
at::Tensor pieces(const at::Tensor &x, void *w) { return wide(x.unflatten(-1, {-1, T(w).size(0)})); }

} // namespace

extern "C" {

// y = w x / sqrt(mean(x^2) + eps) over the last dimension, in pieces of w's size; out[1] is that root's inverse [.., pieces, 1].
void lb_rms_norm(void *x_, void *w, double eps, void **out, char **err) {
  guard(err, [&] {
    auto x = pieces(T(x_), w);
    auto rstd = x.square().mean(-1, true).add_(eps).rsqrt_();
    out[0] = made((x * rstd).to(T(x_).scalar_type()).mul_(T(w)).flatten(-2));
    out[1] = made(rstd);
  });
}

// With n = x rstd and g = w dy: dx = rstd (g - n mean(g n)), dw = the sum of n dy over rows.
void *lb_rms_norm_backward(void *dy_, void *x, void *rstd, void *w, void *dw, char **err) {
  void *result = nullptr;
  guard(err, [&] {
    auto dy = pieces(T(dy_), w), n = pieces(T(x), w) * T(rstd);
    if (dw)
      T(dw).add_((dy * n).flatten(0, -2).sum(0));
    auto g = dy * T(w);
    auto mean = (g * n).mean(-1, true);
    result = made(g.sub_(n.mul_(mean)).mul_(T(rstd)).flatten(-2).to(T(dy_).scalar_type()));
  });
  return result;
}

// Rotates each head of x [T, heads D] in place: its halves (a, b) become (a cos - b sin, b cos + a sin), cos and sin [T, D/2].
// back rotates the other way, which is the gradient.
void lb_rotate(void *x, void *cos_, void *sin_, int64_t heads, int back, char **err) {
  guard(err, [&] {
    auto halves = T(x).unflatten(1, {heads, 2, -1}); // [T, heads, 2, D/2]
    auto a = halves.select(2, 0), b = halves.select(2, 1);
    auto cos = T(cos_).unsqueeze(1), sin = back ? -T(sin_).unsqueeze(1) : T(sin_).unsqueeze(1);
    auto was = a.clone();
    a.mul_(cos).sub_(b * sin);
    b.mul_(cos).add_(was.mul_(sin));
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

void *lb_swiglu_backward(void *dy, void *gate_up, char **err) {
  void *result = nullptr;
  guard(err, [&] {
    auto halves = T(gate_up).chunk(2, 1);
    auto d = at::empty_like(T(gate_up));
    auto parts = d.chunk(2, 1);
    parts[0].copy_(at::silu_backward(T(dy) * halves[1], halves[0]));
    parts[1].copy_(at::silu(halves[0]).mul_(T(dy)));
    result = made(d);
  });
  return result;
}

} // extern "C"
