// Parts of a decoder layer, forward and backward, each keeping no more than its gradient needs.
#include "gemm.h"
#include "elementwise.h"

namespace {

// y[i] = x[i mod n] * mask[i] * scale, of which mask is drawn first where draw is given.
void dropout(const at::Tensor &x, const at::Tensor &y, const at::Tensor &mask, double scale, const Draw *draw) {
  FLOATING(x.scalar_type(), "dropout", [&] {
    auto *in = x.const_data_ptr<scalar_t>();
    auto *out = y.data_ptr<scalar_t>();
    int64_t n = x.numel();
    each(y.numel(), mask, draw != nullptr, [&](int64_t from, int64_t to, uint8_t *keep) {
      if (draw)
        draw->fill(keep, from, to);
      for (int64_t i = from; i < to;) { // up to the end of a copy at a time
        int64_t m = std::min(to - i, n - i % n);
        masked<scalar_t>(out + i, in + i % n, keep + (i - from), scale, m);
        i += m;
      }
    });
  });
}

// y = beta y + alpha a b by gemm, if it takes them: all of a batch, or none.
bool ours(const at::Tensor &y, const at::Tensor &a, const at::Tensor &b, double beta, double alpha) {
  if (beta != 0 && beta != 1 || !by_own(a))
    return false;
  if (y.dim() == 2)
    return gemm(y, a, b, nullptr, beta == 1, alpha);
  for (int64_t i = 0; i < y.size(0); i++)
    if (!gemm(y.select(0, i), a.select(0, i), b.select(0, i), nullptr, beta == 1, alpha)) {
      TORCH_CHECK(i == 0, "some matrices of a batch were multiplied and others not");
      return false;
    }
  return true;
}

// y = beta y + alpha a b, all matrices or all batches of them, in y's type: a's, or float32 for factors in bfloat16.
void addmm(const at::Tensor &y, const at::Tensor &a, const at::Tensor &b, double beta, double alpha) {
  auto type = a.scalar_type(), sum = y.scalar_type();
  TORCH_CHECK(b.scalar_type() == type && (sum == type || sum == at::kFloat && type == at::kBFloat16), "types differ: ", sum, " of ", type,
              " and ", b.scalar_type());
  if (ours(y, a, b, beta, alpha))
    return;
  bool batch = y.dim() == 3;
  if (sum == type) {
    if (auto wide = widened(y, chosen().bfloat16_products); !wide.is_same(y)) {
      addmm(wide, a, b, beta, alpha);
      y.copy_(wide);
    } else if (batch)
      y.baddbmm_(a, b, beta, alpha);
    else
      y.addmm_(a, b, beta, alpha);
  } else if (!y.is_cpu()) { // cuBLAS adds in float32 and rounds nothing
    auto out = y;
    if (batch)
      at::baddbmm_out(out, out, a, b, sum, beta, alpha);
    else
      at::addmm_out(out, out, a, b, sum, beta, alpha);
  } else if (auto wide = widened(a, chosen().bfloat16_products); !wide.is_same(a)) {
    addmm(y, wide, widened(b, false), beta, alpha);
  } else { // libtorch has no such product on a CPU: it is rounded before it is added, as autocast's is
    auto rounded = at::matmul(a, b);
    if (beta == 0)
      y.zero_();
    else if (beta != 1)
      y.mul_(beta);
    y.add_(rounded, alpha);
  }
}

} // namespace

extern "C" {

// y = dropout of x, as many times as copies says, each with a mask of its own: [copies, ...], or x's
// shape where copies is 0. A mask that is given is applied instead of drawn.
void lb_dropout(void *x_, void *mask_, int64_t copies, double p, void **out, char **err) {
  guard(err, [&] {
    auto x = T(x_).contiguous();
    auto shape = x.sizes().vec();
    if (copies)
      shape.insert(shape.begin(), copies);
    if (!x.is_cpu()) {
      auto wide = x.expand(shape);
      if (mask_) {
        out[0] = made(at::native_dropout_backward(wide, T(mask_), 1 / (1 - p)));
        return;
      }
      auto [y, mask] = at::native_dropout(wide.contiguous(), p, true);
      out[0] = made(y);
      out[1] = made(mask);
      return;
    }
    auto y = at::empty(shape, x.options()); // on a CPU from here on
    if (mask_) {
      TORCH_CHECK(fits(T(mask_), y.numel()), "the mask is of another shape");
      dropout(x, y, T(mask_), 1 / (1 - p), nullptr);
    } else {
      auto mask = no_mask(y.numel());
      Draw draw(p);
      dropout(x, y, mask, 1 / (1 - p), &draw);
      out[1] = made(mask);
    }
    out[0] = made(y);
  });
}

// y becomes x + dropout(y). A mask that is given is applied instead of drawn.
void *lb_residual(void *x_, void *y_, void *mask_, double p, char **err) {
  void *out = nullptr;
  guard(err, [&] {
    auto x = T(x_).contiguous();
    auto &y = T(y_);
    TORCH_CHECK(y.is_contiguous(), "y is not contiguous");
    if (p == 0) {
      y.add_(x);
      return;
    }
    if (!y.is_cpu()) {
      at::Tensor dropped, mask;
      if (mask_)
        dropped = at::native_dropout_backward(y, T(mask_), 1 / (1 - p));
      else
        std::tie(dropped, mask) = at::native_dropout(y, p, true);
      at::add_out(y, dropped, x);
      if (!mask_)
        out = made(mask);
      return;
    }
    auto mask = mask_ ? T(mask_) : no_mask(y.numel());
    TORCH_CHECK(x.sizes() == y.sizes() && fits(mask, y.numel()) && x.scalar_type() == y.scalar_type(), "shapes or types differ");
    std::optional<Draw> draw;
    if (!mask_)
      draw.emplace(p);
    FLOATING(y.scalar_type(), "residual", [&] {
      auto *in = x.const_data_ptr<scalar_t>();
      auto *sum = y.data_ptr<scalar_t>();
      each(y.numel(), mask, draw.has_value(), [&](int64_t from, int64_t to, uint8_t *keep) {
        if (draw)
          draw->fill(keep, from, to);
        added<scalar_t>(sum + from, in + from, keep, 1 / (1 - p), to - from);
      });
    });
    if (!mask_)
      out = made(mask);
  });
  return out;
}

void lb_layer_norm(void *x, void *w, void *b, double eps, void **out, char **err) {
  guard(err, [&] {
    auto [y, mean, rstd] = at::native_layer_norm(T(x), {T(x).size(-1)}, w ? std::optional<at::Tensor>(T(w)) : std::nullopt,
                                                 b ? std::optional<at::Tensor>(T(b)) : std::nullopt, eps);
    out[0] = made(y);
    out[1] = made(mean);
    out[2] = made(rstd);
  });
}

void *lb_layer_norm_backward(void *dy, void *x, void *mean, void *rstd, void *w, void *b, void *dw, void *db, char **err) {
  void *out = nullptr;
  guard(err, [&] {
    auto [dx, gw, gb] = at::native_layer_norm_backward(T(dy), T(x), {T(x).size(-1)}, T(mean), T(rstd),
                                                       w ? std::optional<at::Tensor>(T(w)) : std::nullopt,
                                                       b ? std::optional<at::Tensor>(T(b)) : std::nullopt,
                                                       {true, dw != nullptr, db != nullptr});
    if (dw)
      T(dw).add_(gw);
    if (db)
      T(db).add_(gb);
    out = made(dx);
  });
  return out;
}

// x becomes max(x, 0); the result is where it is 0: bits on a CPU, a byte an element on CUDA.
void *lb_relu(void *x_, int want, char **err) {
  void *out = nullptr;
  guard(err, [&] {
    auto &x = T(x_);
    TORCH_CHECK(x.is_contiguous(), "x is not contiguous");
    if (!want || !x.is_cpu()) {
      x.relu_();
      if (want)
        out = made(x.le(0));
      return;
    }
    auto mask = no_mask(x.numel());
    FLOATING(x.scalar_type(), "relu", [&] {
      auto *v = x.data_ptr<scalar_t>();
      each(x.numel(), mask, true, [&](int64_t from, int64_t to, uint8_t *zero) { rectified<scalar_t>(v + from, zero, to - from); });
    });
    out = made(mask);
  });
  return out;
}

void lb_relu_backward(void *dy_, void *zero_, char **err) {
  guard(err, [&] {
    auto &dy = T(dy_), &zero = T(zero_);
    TORCH_CHECK(dy.is_contiguous(), "dy is not contiguous");
    if (zero.scalar_type() == at::kBool) {
      dy.masked_fill_(zero, 0);
      return;
    }
    TORCH_CHECK(fits(zero, dy.numel()), "the mask is of another shape");
    FLOATING(dy.scalar_type(), "relu_backward", [&] {
      auto *d = dy.data_ptr<scalar_t>();
      each(dy.numel(), zero, false, [&](int64_t from, int64_t to, uint8_t *gone) { cleared<scalar_t>(d + from, gone, to - from); });
    });
  });
}

void *lb_gelu_backward(void *dy, void *x, char **err) {
  void *out = nullptr;
  guard(err, [&] { out = made(at::gelu_backward(T(dy), T(x))); });
  return out;
}

// addmm where the flags transpose a and b.
void lb_addmm(void *y, void *a, void *b, int ta, int tb, double beta, double alpha, char **err) {
  guard(err, [&] { addmm(T(y), ta ? T(a).transpose(-1, -2) : T(a), tb ? T(b).transpose(-1, -2) : T(b), beta, alpha); });
}

void lb_zero_rows(void *t, void *ids, int64_t id, char **err) {
  guard(err, [&] { T(t).masked_fill_(T(ids).eq(id).unsqueeze(1), 0); });
}

// The tensors as one, stacked along their first dimension, without a copy: only where they lie one
// after the other in the same memory, else nothing.
void *lb_stacked(void **tensors, int n, char **err) {
  void *out = nullptr;
  guard(err, [&] {
    auto &first = T(tensors[0]);
    auto shape = first.sizes().vec();
    shape[0] = 0;
    auto next = first.storage_offset();
    for (int i = 0; i < n; i++) {
      auto &t = T(tensors[i]);
      if (!t.is_contiguous() || t.storage().unsafeGetStorageImpl() != first.storage().unsafeGetStorageImpl() || t.storage_offset() != next ||
          t.scalar_type() != first.scalar_type())
        return;
      next += t.numel();
      shape[0] += t.size(0);
    }
    out = made(first.as_strided(shape, first.strides()));
  });
  return out;
}

} // extern "C"
