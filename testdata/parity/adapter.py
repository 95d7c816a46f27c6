#!/usr/bin/env python3
"""Makes a PEFT adapter to start two programs from: adapter.py CONFIG.json RANK DIR [ALPHA]

A and B are both drawn from a seeded generator, B small but not zero, so that a wrong scale shows in
the first loss. Needs the packages of requirements.txt; the model itself is never allocated.
"""

import os
import sys

import torch
from peft import LoraConfig, TaskType, get_peft_model
from safetensors.torch import save_file
from transformers import OPTConfig, OPTForCausalLM


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    config, rank, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    alpha = float(sys.argv[4]) if len(sys.argv) == 5 else 16
    with torch.device("meta"):
        model = OPTForCausalLM(OPTConfig.from_json_file(config))
        lora = LoraConfig(task_type=TaskType.CAUSAL_LM, r=rank, lora_alpha=alpha, lora_dropout=0.0,
                          target_modules=["q_proj", "v_proj"], bias="none", inference_mode=True)
        model = get_peft_model(model, lora)
    g = torch.Generator().manual_seed(rank)
    tensors = {}
    for name, p in model.named_parameters():
        if "lora_" in name:
            std = p.shape[1] ** -0.5 if "lora_A" in name else 0.02
            tensors[name.replace(".default", "")] = torch.randn(p.shape, generator=g) * std
    os.makedirs(out, exist_ok=True)
    model.peft_config["default"].save_pretrained(out)
    save_file(tensors, os.path.join(out, "adapter_model.safetensors"), metadata={"format": "pt"})


if __name__ == "__main__":
    main()
