#!/usr/bin/env python3
"""Makes the parity fixtures of Llama, Mistral, Qwen2 and Qwen3: tiny models and what transformers and PEFT compute.

    pip install -r requirements.txt
    python families.py [CASE ...] [--out DIR]   (DIR: the folder families beside this file; three minutes on one core)
    python families.py --check                  makes them in a temporary folder and compares: nothing may be off by 1e-7

What make.py says holds here, too: the same bytes every run, seeded exact inputs, dropout off, steps as Trainer makes
them, `float32_error` for what a right implementation may be off. Aim at 2e-5 in logits and layers, 5e-6 in losses and
gradients, 1e-5 in what 20 steps give, relative in norms.

The models: vocabulary 96, 2 layers, hidden 32, intermediate 48, 4 query heads of size 8, if not said otherwise.

    llama2           as many key-value heads as query heads, untied head
    llama3           2 key-value heads, tied; llama3 scaling of rotary positions that keeps one frequency, divides two by 8
                     and one by something between; eos_token_id is a list
    smollm2          hidden 48, 6 query heads on 2 key-value heads, tied, theta 100000. pad_token_id is 2, the token that
                     begins every sequence: nn.Embedding gives that row no gradient, only the tied head does
    tinyllama        1 key-value head, untied
    llama-bias       2 key-value heads, untied, attention_bias and mlp_bias
    llama-head-dim   2 key-value heads, tied, head_dim 16: q_proj is 64 x 32, o_proj 32 x 64
    mistral          2 key-value heads, untied, theta 1e6, sliding_window null
    qwen2            2 key-value heads, tied, theta 1e6, biases on q, k and v
    qwen3            2 key-value heads, tied, theta 1e6, head_dim 16, q_norm and k_norm before the rotation
    llama2-float16   llama2's weights rounded to float16; figures of those values read as float32
    qwen3-bfloat16   qwen3's weights rounded to bfloat16; the same
    qwen2-sharded    qwen2's config.json and weights in several shards with an index; what they give is in qwen2

In each folder, by make.py's names:

    config.json, model.safetensors     as save_pretrained of transformers 5 writes them (rope_parameters, dtype)
    config-4x.json                     the same model as transformers 4 wrote it and as most are published: rope_theta and
                                       rope_scaling, torch_dtype, no head_dim where it follows, no layer_types; llama2's
                                       without num_key_value_heads; qwen's with a sliding_window of 4 that
                                       use_sliding_window turns off. Gives the same logits to the bit.
    config-window.json                 mistral: sliding_window 32, longer than any sequence. The same logits.
    adapter/                           r 4, alpha 8 on q_proj and v_proj, as PEFT saves it, A and B both non-zero
    final_adapter.safetensors          A and B after `steps`
    fixture.safetensors                B = 4 rows padded on the right to T = 12, of which row 2
                                       has no label and rows 0 and 3 a masked beginning; V = 96, H the hidden size
      input_ids, attention_mask, labels  int64, B x T (label -100: no loss there)
      logits, logits_base                B x T x V, with and without the adapter
      layer.N, layer_base.N              B x T x H, what decoder layer N returns, with and without the adapter
      grad.KEY                           of `loss` by every A and B, KEY as PEFT saves it
      full.grad.NAME                     of `full_loss` by every weight of the model without adapter, the tied embedding
                                         once, under its name in model.safetensors. Not of the rounded models.
    fixture.json                       loss, loss_base, grad_norm, ids, steps, and full_loss, full_grad_norm and
                                       full_steps (5 steps of all weights, rate 1e-3) where there is full.grad
    all/, all.json, all.safetensors    an adapter of r 3, alpha 6 on q, k, v, o, gate, up and down, made with
                                       target_modules "all-linear": loss, grad_norm and steps; logits, grad.KEY and
                                       final.KEY, of the same rows and sequences. Not of the rounded models.
    dora/, dora.json, dora.safetensors  llama2, smollm2, qwen3: DoRA of r 4, alpha 8 on q_proj and v_proj, with
                                       magnitudes; the same figures. Norms of rows are constants in its gradients.
"""

import argparse
import filecmp
import json
import os
import shutil
import sys
import tempfile

import make  # first: it sets up the environment before torch starts
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "families")
WITHIN = 1e-7  # of --check
SHARD = "48KB"
STD = 0.15  # of weights, biases and adapters, as in make.py; with 0.2 float32 is off by 6e-6 in a gradient
LENGTHS, MASKED = [7, 12, 9, 4], [4, 0, 9, 2]

LORA = dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])
ALL = dict(r=3, lora_alpha=6, target_modules="all-linear")

SHAPE = dict(vocab_size=make.VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=2)
QWEN = dict(model_type="qwen2", tie_word_embeddings=True, rms_norm_eps=1e-6, rope=dict(rope_theta=1e6),
            bos_token_id=None, eos_token_id=3, use_sliding_window=False, max_window_layers=1)
SCALED = dict(rope_type="llama3", rope_theta=1000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=64)
# seed: of weights, adapters and token ids; one that well_conditioned accepts.
CASES = {
    "llama2": dict(seed=11, dora=True, num_key_value_heads=4),
    "llama3": dict(seed=42, tie_word_embeddings=True, rope=SCALED, max_position_embeddings=512, eos_token_id=[3, 4, 5]),
    "smollm2": dict(seed=23, dora=True, tie_word_embeddings=True, rope=dict(rope_theta=1e5), hidden_size=48,
                    num_attention_heads=6, pad_token_id=2),
    "tinyllama": dict(seed=24, num_key_value_heads=1),
    "llama-bias": dict(seed=15, attention_bias=True, mlp_bias=True),
    "llama-head-dim": dict(seed=26, tie_word_embeddings=True, head_dim=16),
    "mistral": dict(seed=17, model_type="mistral", rope=dict(rope_theta=1e6), sliding_window=None),
    "qwen2": dict(seed=18, **QWEN),
    "qwen3": dict(seed=19, dora=True, **{**QWEN, "model_type": "qwen3", "head_dim": 16}),
    "llama2-float16": dict(rounds="llama2", dtype=torch.float16),
    "qwen3-bfloat16": dict(rounds="qwen3", dtype=torch.bfloat16),
    "qwen2-sharded": dict(shards="qwen2"),
}


# What goes in.

def weights(seed, model_type="llama", rope=None, dora=False, rms_norm_eps=1e-5, **config):
    """The model of a case in float32, and the generator that its adapters and token ids come from."""
    rope = {"rope_type": "default", "rope_theta": 10000.0, **(rope or {})}
    config = AutoConfig.for_model(model_type, **{**SHAPE, **config}, rope_parameters=rope, rms_norm_eps=rms_norm_eps,
                                  initializer_range=STD, dtype="float32")
    model = AutoModelForCausalLM.from_config(config)
    generator = torch.Generator().manual_seed(seed)
    make.fill(model.named_parameters(), STD, generator)
    return model, generator


def save(model, folder, **options):
    model.save_pretrained(folder, **options)
    os.remove(os.path.join(folder, "generation_config.json"))


def read(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def save_config(folder, name, config):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        f.write(json.dumps(config, indent=2, sort_keys=True) + "\n")


def older(config, name):
    """config.json as transformers 4 wrote it."""
    config = dict(config, torch_dtype=config["dtype"], transformers_version="4.45.0")
    rope = dict(config.pop("rope_parameters"))
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = rope if rope["rope_type"] != "default" else None
    for key in ("dtype", "layer_types"):
        config.pop(key, None)
    if config.get("head_dim") == config["hidden_size"] // config["num_attention_heads"]:
        del config["head_dim"]
    if name.startswith("llama2"):
        del config["num_key_value_heads"]
    if name.startswith("qwen"):
        config["sliding_window"] = 4
    return config


def save_configs(folder, name):
    config = read(os.path.join(folder, "config.json"))
    save_config(folder, "config-4x.json", older(config, name))
    if name == "mistral":
        save_config(folder, "config-window.json", {**config, "sliding_window": 32})


# What is computed.

def same_by_other_configs(folder, rows, logits):
    """Checks that the other configs of folder describe the same model."""
    for name in os.listdir(folder):
        if not name.startswith("config-"):
            continue
        with tempfile.TemporaryDirectory() as other, torch.no_grad():
            shutil.copy(os.path.join(folder, name), os.path.join(other, "config.json"))
            shutil.copy(os.path.join(folder, "model.safetensors"), other)
            assert torch.equal(make.forward(make.load(other), rows)[0], logits), name


def well_conditioned(figures):
    """Checks that float32 stays well within the tolerances of tests; where it does not, choose another seed."""
    for run in (figures["steps"][k] for k in ("float32_error", "sdpa_difference")):
        assert run["grad_norm_relative"] < 3e-6 and run["trained_values"] < 1e-6, run
    error = figures["float32_error"]
    assert error["logits"] < 6e-6 and error["grad"] < 1e-6, error


def base_figures(folder, batch, sequences, full):
    """Figures of the model without adapter, all of whose weights train."""
    real = batch["attention_mask"].bool()
    logits, loss, grads, layers = make.watched(make.load(folder), batch)
    _, loss64, grads64, layers64 = make.watched(make.load_exact(folder), batch)
    same_by_other_configs(folder, batch, logits)
    fixture = {"loss_base": loss}
    tensors = {"logits_base": logits, **{k.replace("layer", "layer_base"): v for k, v in layers.items()}}
    error = {"layer_base": max(make.widest(v, layers64[k], real) for k, v in layers.items())}
    if full:
        fixture.update(full_loss=loss, full_grad_norm=make.norm(grads))
        tensors.update({f"full.grad.{n}": g for n, g in grads.items()})
        error.update(full_loss=abs(loss - loss64), full_grad=make.widest_of(grads, grads64))
        fixture["full_steps"], _ = make.table(folder, "", sequences, batch, 5, 1e-3)
    return fixture, tensors, error


def fill_folder(folder, name, generator, full, dora):
    """Adapters and figures for the weights and configs in folder."""
    path = f"families/{name}"
    make.save_adapter(folder, path, LORA, STD, generator)
    rows = [make.sequence(n, make.VOCAB, generator) for n in LENGTHS]
    batch = make.padded(rows, [[-100] * m + row[m:] for row, m in zip(rows, MASKED)])
    sequences = make.learnable(generator)

    fixture, tensors = make.figures(folder, "adapter", batch, sequences)
    error = fixture.pop("float32_error")
    *_, layers = make.watched(make.load(folder, "adapter"), batch)
    *_, layers64 = make.watched(make.load_exact(folder, "adapter"), batch)
    error["layer"] = max(make.widest(v, layers64[k], batch["attention_mask"].bool()) for k, v in layers.items())
    final = {k.removeprefix("final."): tensors.pop(k) for k in list(tensors) if k.startswith("final.")}
    make.save_file(final, os.path.join(folder, "final_adapter.safetensors"), metadata={"format": "pt"})
    base, base_tensors, base_error = base_figures(folder, batch, sequences, full)
    versions = {m.__name__: m.__version__.split("+")[0] for m in (torch, make.transformers, make.peft)}
    fixture = {"versions": versions, "lengths": LENGTHS, "label_tokens": int((batch["labels"][:, 1:] != -100).sum()),
               **fixture, **base, "float32_error": {**error, **base_error}, "ids": sequences}
    well_conditioned(fixture)
    make.write(folder, "fixture", fixture, {**batch, **tensors, **layers, **base_tensors})

    for kind, lora in (("all", ALL), ("dora", {**LORA, "use_dora": True})):
        if full and kind == "all" or dora and kind == "dora":
            make.save_adapter(folder, path, lora, STD, generator, kind)
            further, tensors = make.figures(folder, kind, batch, sequences)
            well_conditioned(further)
            make.write(folder, kind, further, tensors)


def build(out, name):
    case = CASES[name]
    with tempfile.TemporaryDirectory(dir=out) as parent:  # beside; takes the old one's place when it is whole
        folder = os.path.join(parent, name)
        model, generator = weights(**CASES[case.get("shards") or case.get("rounds") or name])
        if "shards" in case:
            save(model, folder, max_shard_size=SHARD)
        else:
            save(model.to(case.get("dtype", torch.float32)), folder)
            save_configs(folder, name)
            full = "rounds" not in case
            fill_folder(folder, name, generator, full, full and case.get("dora"))
        make.place(folder, os.path.join(out, name))


# Compares what is committed with what is made now.

def files(folder):
    return {os.path.relpath(os.path.join(parent, f), folder) for parent, _, names in os.walk(folder) for f in names}


def numbers(value, at=""):
    """The leaves of JSON by their path."""
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, child in items for k, v in numbers(child, f"{at}.{key}").items()}
    return {at: value}


def differences(a, b):
    """How far the values of two files are apart; infinite where that is no number."""
    if a.endswith(".json"):
        a, b = numbers(read(a)), numbers(read(b))
        if a.keys() != b.keys():
            return [float("inf")]
        pairs = [(a[k], b[k]) for k in a if a[k] != b[k]]
        return [abs(x - y) if type(x) is type(y) is float else float("inf") for x, y in pairs]
    with safe_open(a, "pt") as f, safe_open(b, "pt") as g:
        metadata = f.metadata() == g.metadata()
    a, b = load_file(a), load_file(b)
    if not metadata or {k: (v.shape, v.dtype) for k, v in a.items()} != {k: (v.shape, v.dtype) for k, v in b.items()}:
        return [float("inf")]
    return [make.widest(a[k], b[k]) for k in a]


def distance(a, b):
    """The largest difference of two files, 0 for the same bytes; NaN if there is one."""
    if filecmp.cmp(a, b, shallow=False):
        return 0.0
    return torch.tensor([0.0, *differences(a, b)], dtype=torch.float64).max().item()


def check(names, out, fresh):
    """Prints what differs; returns whether anything is off by more than WITHIN."""
    bad = False
    for name in names:
        ours, theirs = files(os.path.join(out, name)), files(os.path.join(fresh, name))
        for file in sorted(ours ^ theirs):
            print(f"{name}/{file}: only {'committed' if file in ours else 'made'}")
        apart = {f: distance(os.path.join(out, name, f), os.path.join(fresh, name, f)) for f in sorted(ours & theirs)}
        for file, d in apart.items():
            if d != 0:
                print(f"{name}/{file}: differs by {d:.1e}")
        wrong = ours != theirs or any(not d <= WITHIN for d in apart.values())
        print(f"{name}: {len(apart)} files, {sum(d == 0 for d in apart.values())} the same bytes{'  BAD' if wrong else ''}")
        bad = bad or wrong
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--out", default=HERE)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    names = options.cases or list(CASES)
    if unknown := set(names) - set(CASES):
        parser.error(f"no case {sorted(unknown)}: there are {', '.join(CASES)}")
    make.quiet()
    if not options.check:
        os.makedirs(options.out, exist_ok=True)
        for name in names:
            build(options.out, name)
        return
    with tempfile.TemporaryDirectory() as fresh:
        for name in names:
            build(fresh, name)
        sys.exit(check(names, options.out, fresh))


if __name__ == "__main__":
    main()
