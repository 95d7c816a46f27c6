"""The base model and the adapters that both programs start from: PEFT's, over weights made by lorabench's hash."""

import json
import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from peft import LoraConfig, TaskType, get_peft_model
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

MASK64 = 2**64 - 1
PIECE = 1 << 18
GOLDEN = 0x9E3779B97F4A7C15


def hash_values(name, n, seed, std):
    """decoder.HashValues: splitmix64 over a counter started from FNV-1a of the tensor's name. In pieces that fit a
    cache, on all cores: made in one go, OPT-350m's weights take longer than its training on a card."""
    h = 0xCBF29CE484222325
    for b in name.encode():
        h = (h ^ b) * 0x100000001B3 & MASK64
    h ^= seed * GOLDEN & MASK64
    mean = 1 if name.endswith("norm.weight") else 0
    out = np.empty(n, dtype=np.float32)

    def fill(start):
        part = out[start : start + PIECE]
        part[:] = hashed(h, start, len(part), std) + mean

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(fill, range(0, n, PIECE)))
    return out


def hashed(h, start, n, std):
    x = np.arange(start + 1, start + n + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        x *= np.uint64(GOLDEN)
        x += np.uint64(h)
        x ^= x >> np.uint64(30)
        x *= np.uint64(0xBF58476D1CE4E5B9)
        x ^= x >> np.uint64(27)
        x *= np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    x >>= np.uint64(11)
    return (2 * (x.astype(np.float64) * 2.0**-53) - 1) * (std * math.sqrt(3))


def read_config(job):
    """internal/models has refused model types that lorabench does not know."""
    with open(job["model"], encoding="utf-8") as f:
        return AutoConfig.for_model(**json.load(f))


def empty_model(config):
    with torch.device("meta"):  # random weights that are thrown away would cost minutes
        return AutoModelForCausalLM.from_config(config)


def build_model(job):
    """The base model with lorabench's hash: weights, in the job's dtype."""
    config = read_config(job)
    config.use_cache = False
    if job["model_dropout"] is not None:
        for name in ("dropout", "attention_dropout", "activation_dropout", "layerdrop"):
            if hasattr(config, name):
                setattr(config, name, job["model_dropout"])
    model = empty_model(config)
    std = config.init_std if config.model_type == "opt" else config.initializer_range
    state = {}
    for name, p in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        t = torch.from_numpy(hash_values(name, p.numel(), job["hash_seed"], std)).reshape(p.shape)
        if name.endswith("embed_tokens.weight") and config.pad_token_id is not None:
            t[config.pad_token_id] = 0
        state[name] = t.to(getattr(torch, job["dtype"]))
    model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    if hasattr(model.model, "rotary_emb"):  # its frequencies are no part of the state, and still without values
        model.model.rotary_emb = type(model.model.rotary_emb)(config)
    unmade = [n for n, t in (*model.named_parameters(), *model.named_buffers()) if t.is_meta]
    if unmade:
        sys.exit(f"{job['model']}: no values were made for {', '.join(unmade)}")
    return model


def make_adapters(job):
    """Draws A and B of each adapter from a generator seeded with the job's seed and the rank. B is small
    but not 0, as PEFT would begin, so that a wrong scale or a wrong layer shows in the first loss."""
    for a in job["adapters"]:
        rank, folder = a["rank"], a["folder"]
        lora = LoraConfig(task_type=TaskType.CAUSAL_LM, r=rank, lora_alpha=whole(job["lora_alpha"]),
                          lora_dropout=a["lora_dropout"], target_modules=job["target_modules"], bias="none",
                          inference_mode=True)
        with torch.device("meta"):
            model = get_peft_model(empty_model(read_config(job)), lora)
        g = torch.Generator().manual_seed(job["seed"] % 2**32 * 100_003 + rank)
        tensors = {}
        for name, p in model.named_parameters():
            if "lora_A" in name:
                bound = p.shape[1] ** -0.5
                tensors[name.replace(".default", "")] = torch.empty(p.shape).uniform_(-bound, bound, generator=g)
            elif "lora_B" in name:
                tensors[name.replace(".default", "")] = torch.empty(p.shape).normal_(0, 0.02, generator=g)
        os.makedirs(folder)
        model.peft_config["default"].save_pretrained(folder)
        save_file(tensors, os.path.join(folder, "adapter_model.safetensors"), metadata={"format": "pt"})
    write(job["result"], {"adapters": len(job["adapters"])})


def whole(x):
    return int(x) if x == int(x) else x


def write(path, result):
    with open(path + ".part", "w", encoding="utf-8") as f:
        json.dump(result, f, allow_nan=False)
    os.replace(path + ".part", path)
