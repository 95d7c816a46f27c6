// Causal self-attention over a row of several sequences without padding, and its gradient.
//
// qkv is [T, (heads + 2 kv_heads) D], as one GEMM for q, k and v leaves it; so is its gradient, which is one GEMM's input
// in turn. Fewer heads of keys and values than of queries (grouped queries) are repeated for the kernels, which want equal
// numbers. Three kernels: on CUDA the memory-efficient one with cumulative lengths, one call for all
// sequences; on a CPU PyTorch's flash kernel, one call a sequence; and one that writes the attention
// matrix out, exact, to compare the others with.
#include "gemm.h"

#include <ATen/Context.h>

namespace {

constexpr int64_t causal = 1; // sdp::CustomMaskType::CausalFromTopLeft

struct Row {
  const int64_t *cum;
  int sequences;
  int64_t heads, kv_heads;
  double scale;

  int64_t width(const at::Tensor &qkv) const { return qkv.size(1) / (heads + 2 * kv_heads); } // D
  bool grouped() const { return kv_heads != heads; }
};

// [T, (heads + 2 kv_heads) D] to the columns of q, k or v (0, 1, 2), [T, .., D], without a copy.
at::Tensor columns(const at::Tensor &qkv, const Row &r, int which) {
  int64_t d = r.width(qkv), n = which == 0 ? r.heads : r.kv_heads, from = which == 0 ? 0 : r.heads + (which - 1) * r.kv_heads;
  return qkv.narrow(1, from * d, n * d).unflatten(1, {n, d});
}

// Each head of keys or values once for each of the queries' heads that share it.
at::Tensor repeated(const at::Tensor &x, const Row &r, int64_t dim) {
  return r.grouped() && x.size(dim) == r.kv_heads ? x.repeat_interleave(r.heads / r.kv_heads, dim) : x;
}

// The gradient of what was repeated.
at::Tensor summed(const at::Tensor &d, const Row &r, int64_t dim) {
  return r.grouped() ? d.unflatten(dim, {r.kv_heads, r.heads / r.kv_heads}).sum(dim + 1) : d;
}

// q, k or v of sequence i as [1, heads or kv_heads, n, D], without a copy.
at::Tensor part(const at::Tensor &qkv, const Row &r, int which, int i) {
  return columns(qkv, r, which).narrow(0, r.cum[i], r.cum[i + 1] - r.cum[i]).transpose(0, 1).unsqueeze(0);
}

// [T, H] to sequence i as [1, heads, n, D], without a copy.
at::Tensor rows(const at::Tensor &x, const Row &r, int i) {
  return x.narrow(0, r.cum[i], r.cum[i + 1] - r.cum[i]).unflatten(1, {r.heads, -1}).transpose(0, 1).unsqueeze(0);
}

// Softmax of the causal scores of q, scaled already: [1, heads, n, n]. Every operation is the one of
// transformers' eager attention, in its order: gradients of q are differences of nearly equal numbers, and
// AdamW's first step makes a sign of what is left.
at::Tensor weights(const at::Tensor &q, const at::Tensor &k) {
  auto scores = at::matmul(q, k.transpose(-1, -2));
  auto n = q.size(2);
  auto later = at::ones({n, n}, scores.options().dtype(at::kBool)).triu_(1);
  return at::softmax(scores.masked_fill_(later, -INFINITY), -1);
}

bool flash() { return at::globalContext().userEnabledFlashSDP(); }

// [1, T, heads, D] of q, k or v for the kernel with cumulative lengths.
at::Tensor packed(const at::Tensor &qkv, const Row &r, int which) { return repeated(columns(qkv, r, which), r, 1).unsqueeze(0); }

} // namespace

extern "C" {

void lb_attention(void *qkv_, void *cum_, const int64_t *cum, int sequences, int64_t longest, int64_t heads, int64_t kv_heads,
                  double scale, void **out, char **err) {
  guard(err, [&] {
    auto qkv = widened(T(qkv_), chosen().bfloat16_attention);
    Row r{cum, sequences, heads, kv_heads, scale};
    int64_t t = qkv.size(0), h = heads * r.width(qkv);
    if (flash() && qkv.is_cuda()) {
      auto lengths = std::optional<at::Tensor>(T(cum_));
      auto [o, lse, seed, offset, mq, mk] =
          at::_efficient_attention_forward(packed(qkv, r, 0), packed(qkv, r, 1), packed(qkv, r, 2), {}, lengths, lengths, longest,
                                           longest, 0.0, causal, /*compute_log_sumexp=*/true, scale);
      out[0] = made(o.view({t, h}));
      out[1] = made(lse);
      return;
    }
    auto o = at::empty({t, h}, qkv.options());
    auto lse = at::empty({t, heads}, qkv.options().dtype(qkv.scalar_type() == at::kDouble ? at::kDouble : at::kFloat));
    for (int i = 0; i < sequences; i++) {
      if (cum[i] == cum[i + 1])
        continue;
      auto q = part(qkv, r, 0, i), k = repeated(part(qkv, r, 1, i), r, 1), v = repeated(part(qkv, r, 2, i), r, 1);
      if (!flash()) {
        rows(o, r, i).copy_(at::matmul(weights(q * scale, k), v));
        continue;
      }
      auto [y, l] = at::_scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, /*is_causal=*/true, {}, scale);
      rows(o, r, i).copy_(y);
      lse.narrow(0, cum[i], cum[i + 1] - cum[i]).t().copy_(l.squeeze(0));
    }
    out[0] = made(o.to(T(qkv_).scalar_type()));
    out[1] = made(lse);
  });
}

void *lb_attention_backward(void *dy_, void *qkv_, void *out_, void *lse_, void *cum_, const int64_t *cum, int sequences,
                            int64_t longest, int64_t heads, int64_t kv_heads, double scale, char **err) {
  void *result = nullptr;
  guard(err, [&] {
    bool native = chosen().bfloat16_attention;
    auto dy = widened(T(dy_), native), qkv = widened(T(qkv_), native), o = widened(T(out_), native), lse = T(lse_);
    Row r{cum, sequences, heads, kv_heads, scale};
    int64_t t = qkv.size(0), h = heads * r.width(qkv);
    if (flash() && qkv.is_cuda()) {
      auto lengths = std::optional<at::Tensor>(T(cum_));
      auto four = [&](const at::Tensor &x) { return x.unflatten(1, {heads, -1}).unsqueeze(0); };
      // Without dropout the kernel reads neither seed nor offset, but takes them.
      auto unused = at::empty({}, at::TensorOptions(at::kLong));
      auto [dq, dk, dv, db] = at::_efficient_attention_backward(
          four(dy), packed(qkv, r, 0), packed(qkv, r, 1), packed(qkv, r, 2), {}, four(o), lengths, lengths, longest, longest, lse, 0.0,
          unused, unused, causal, /*bias_requires_grad=*/false, scale, {}, {}, /*shared_storage_dqdkdv=*/true);
      // The kernel splits the keys of long sequences and adds up dq by atomics, in no fixed order. Refused: num_splits_key=1, whose
      // gradients are equal bits each time; on an H200 a step took 8 % longer with it in float32, 16 % in bf16, 27 % in TF32.
      // Asked to share storage, the kernel writes one [1, T, 3, heads, D], which is [T, 3H].
      auto base = dq.storage().data_ptr().get();
      int64_t size = dq.element_size();
      bool one = !r.grouped() && dk.storage().data_ptr().get() == base && dv.storage().data_ptr().get() == base && dq.stride(1) == 3 * h &&
                 dk.storage_offset() == dq.storage_offset() + h && dv.storage_offset() == dq.storage_offset() + 2 * h &&
                 static_cast<int64_t>(dq.storage().nbytes()) >= (dq.storage_offset() + t * 3 * h) * size;
      auto flat = [&](const at::Tensor &g) { return g.reshape({t, -1}); };
      result = made(one ? dq.as_strided({t, 3 * h}, {3 * h, 1}) : at::cat({flat(dq), flat(summed(dk, r, 2)), flat(summed(dv, r, 2))}, 1));
      return;
    }
    auto d = at::empty_like(qkv);
    for (int i = 0; i < sequences; i++) {
      if (cum[i] == cum[i + 1])
        continue;
      auto q = part(qkv, r, 0, i), k = repeated(part(qkv, r, 1, i), r, 1), v = repeated(part(qkv, r, 2, i), r, 1);
      auto g = rows(dy, r, i);
      at::Tensor dq, dk, dv;
      if (flash()) {
        auto l = lse.narrow(0, cum[i], cum[i + 1] - cum[i]).t().unsqueeze(0);
        std::tie(dq, dk, dv) =
            at::_scaled_dot_product_flash_attention_for_cpu_backward(g, q, k, v, rows(o, r, i), l, 0.0, /*is_causal=*/true, {}, scale);
      } else {
        auto scaled = q * scale;
        auto p = weights(scaled, k);
        dv = at::matmul(p.transpose(-1, -2), g);
        auto ds = at::_softmax_backward_data(at::matmul(g, v.transpose(-1, -2)), p, -1, p.scalar_type());
        dq = at::matmul(ds, k).mul_(scale);
        dk = at::matmul(ds.transpose(-1, -2), scaled);
      }
      part(d, r, 0, i).copy_(dq);
      part(d, r, 1, i).copy_(summed(dk, r, 1));
      part(d, r, 2, i).copy_(summed(dv, r, 1));
    }
    result = made(d.to(T(qkv_).scalar_type()));
  });
  return result;
}

int lb_flash(int on) {
  auto &context = at::globalContext();
  bool was = context.userEnabledFlashSDP();
  context.setSDPUseFlash(on);
  return was;
}

} // extern "C"
