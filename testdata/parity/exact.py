"""Makes a float64 model compute in float64 where transformers rounds to float32 whatever the model's type."""

import torch


def norm(module, x):
    """RMSNorm."""
    return module.weight * x * (x.square().mean(-1, keepdim=True) + module.variance_epsilon).rsqrt()


def rotary(module, x, position_ids):
    """Cosine and sine of rotary positions. The frequencies stay the float32 values that the library computes."""
    angle = position_ids[..., None].to(x.dtype) * module.inv_freq.to(x.dtype)
    angle = torch.cat((angle, angle), dim=-1)
    return angle.cos() * module.attention_scaling, angle.sin() * module.attention_scaling


def exact(model):
    """Replaces what rounds in model, and returns model. OPT has nothing of the kind."""
    for module in model.modules():
        kind = type(module).__name__
        if kind.endswith("RMSNorm"):
            module.forward = norm.__get__(module)
        elif kind.endswith("RotaryEmbedding"):
            module.forward = rotary.__get__(module)
    return model
