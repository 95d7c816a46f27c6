// The head and the loss, together and in chunks: no [N, V] matrix ever exists.
#include "gemm.h"

extern "C" {

// One chunk at a time: logits = h W^T in W's type, softmax and loss in float32 (float64 for float64), in the
// logits' memory p - onehot, and from that dh = d W and, where W is trained, dW += d^T h. On CUDA, where passes over
// [n, V] take most of the head's time, softmax is one kernel and each row's weight is multiplied into [n, H].
void lb_head(void *h_, void *w_, void *target_, void *scale_, void *loss_, void *dw_, int want_dh, int64_t chunk, void **out,
             char **err) {
  guard(err, [&] {
    auto &h = T(h_), &w = T(w_), &target = T(target_), &loss = T(loss_);
    auto wide = h.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    auto scale = scale_ ? T(scale_) : at::Tensor();
    auto dh = want_dh ? at::empty_like(h) : at::Tensor();
    for (int64_t at = 0; at < h.size(0); at += chunk) {
      int64_t n = std::min(chunk, h.size(0) - at);
      auto x = h.narrow(0, at, n), y = target.narrow(0, at, n).unsqueeze(1);
      auto label = y.ge(0);
      auto index = y.clamp_min(0);
      if (x.is_cuda()) {
        auto z = product(x, w, {}, chosen().head);
        auto log = z.to(wide);
        at::_log_softmax_out(log, log, 1, /*half_to_float=*/false); // in place: each number is read for the last time where it is written
        auto right = log.gather(1, index), factor = label.to(wide);
        if (scale.defined())
          factor.mul_(scale.narrow(0, at, n).unsqueeze(1));
        loss.sub_(right.mul(factor).sum());
        if (!want_dh && !dw_)
          continue;
        at::exp_out(z, log);
        z.scatter_(1, index, right.expm1_().to(z.scalar_type())); // p - 1 has more digits than p rounded and 1 taken off
        note_usage();
        if (want_dh)
          dh.narrow(0, at, n).copy_(product(z, w.t(), {}, chosen().head).mul(factor));
        if (dw_)
          T(dw_).addmm_(z.t(), x.mul(factor).to(x.scalar_type()));
        continue;
      }
      auto z = product(x, w, {}, chosen().head).to(wide);
      z.sub_(z.amax(1, true));
      auto right = z.gather(1, index);
      auto sum = z.exp_().sum(1, true);
      auto factor = label.to(wide);
      if (scale.defined())
        factor.mul_(scale.narrow(0, at, n).unsqueeze(1));
      loss.add_(sum.log().sub_(right).mul_(factor).sum());
      if (!want_dh && !dw_)
        continue;
      z.mul_(factor / sum);
      z.scatter_add_(1, index, factor.neg());
      auto d = z.to(w.scalar_type());
      note_usage();
      if (want_dh) {
        dh.narrow(0, at, n).copy_(product(d, w.t(), {}, chosen().head));
      }
      if (dw_)
        T(dw_).addmm_(d.t(), x);
    }
    out[0] = want_dh ? made(dh) : nullptr;
  });
}

} // extern "C"
