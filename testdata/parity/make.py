#!/usr/bin/env python3
"""Makes the parity fixtures: three tiny OPT models and what transformers and PEFT compute with them.

    pip install -r requirements.txt
    python make.py [--out DIR]          (DIR: this folder; 20 seconds on one core)

Every run writes the same bytes. Weights, adapters and token ids come from seeded generators by exact integer and
float64 arithmetic, so they are the same on any machine; computed figures may differ in a last digit on another
processor or with other versions of the libraries. Nothing is read from the network.

The models (vocabulary 96, hidden 32, 2 layers, 4 heads, ffn 64, 64 positions):

    post     opt-350m's kind: LayerNorm after each residual sum, embeddings of 16 with project_in and project_out.
             model.safetensors, keys `model.decoder...`. Adapter: r 4, alpha 8 on q_proj and v_proj.
    pre      opt-125m's kind: LayerNorm before, a last one at the end. pytorch_model.bin in float16 with keys
             `decoder...`, and a config.json with the fields of the published ones; figures are of the float16 values
             read as float32. Adapter: r 3, alpha 6 on all six projections.
    sharded  as pre, float32, in two safetensors shards with an index, and with the redundant `lm_head.weight` that a
             tied model may carry. Adapter: r 4, alpha 8, rank-stabilized (scale alpha / sqrt(r)), q_proj and v_proj.

In each folder:

    config.json, weights, adapter/     as above; the adapter as PEFT saves it, A and B both non-zero
    final_adapter.safetensors          A and B after `steps`
    fixture.safetensors                B = 4 rows padded on the right to T = 16; row 2 has no label at all, rows 0 and 3
                                       a masked beginning. Rows of padding mean nothing: compare where the mask is 1.
      input_ids, attention_mask, labels  int64, B x T (label -100: no loss there)
      logits, logits_base                B x T x 96, with and without the adapter
      layer.N                            B x T x 32, what decoder layer N returns, with the adapter
      left.{input_ids,attention_mask,logits}  the same rows padded on the left, with the adapter
      grad.KEY                           of `loss` by every A and B, KEY as PEFT saves it
      full.grad.NAME                     post: of `full_loss` by every weight of the model without adapter, the tied
                                         embedding once, under its name in model.safetensors
      warmup.final.KEY                   post: A and B after `warmup_steps`
    dora/                              post: a DoRA adapter of the same rank as PEFT saves it, with magnitudes besides
    dora.json, dora.safetensors        post: with that adapter `loss`, `grad_norm` and `steps`, and logits, grad.KEY and
                                       final.KEY (after `steps`), of the same rows and sequences. And layer 0's q_proj
                                       and v_proj by themselves in training, with `dropout` and these masks, by row:
      dropout.x, dropout.mask          7 x 32 what both read, 2 x 7 x 32 of 0 and 1, uint8
      dropout.y, dropout.dy            2 x 7 x 32 what they return, and by what that is weighted: the sum is the loss
      dropout.dx, dropout.grad.KEY     its gradients
    fixture.json
      loss, loss_base, full_loss       mean cross-entropy of the rows' label tokens: with adapter, without, and post:
                                       without again, all weights training
      grad_norm, full_grad_norm        2-norm over all those gradients together
      ids                              sequences of the step tables: step s (from 0) has two micro-batches, sequences
                                       8s .. 8s+3 and 8s+4 .. 8s+7; every token but the first is a label
      steps                            20 optimizer steps of the adapter, rate 1e-2 falling linearly to 0
      full_steps                       post: 8 steps of all weights, no adapter, rate 1e-3 falling linearly to 0
      warmup_steps                     post: 8 steps of the adapter, rate rising from 0 in 3 steps to 1e-2, then falling
                                       linearly to 0 (get_linear_schedule_with_warmup), weight decay 0.01

A step's loss is the mean over its micro-batches of each one's mean over its label tokens; its norm is from before
clipping to 1.0; its rate is the one it used; AdamW (0.9, 0.999, eps 1e-8). `final_loss` is the loss of the four rows
after the last step. `total_flos` is what Trainer would log: 6 x parameters without embeddings x padded tokens.

All dropout is off in every figure: the models are in eval mode, whatever config.json says.

`float32_error` is the distance of these float32 figures from the same run in float64, `sdpa_difference` that from
float32 with the other attention kernel: what two right implementations may differ by. k_proj.bias has no influence on
a softmax: its true gradient is 0 and the one given is rounding. AdamW makes real steps of such rounding, and those
steps, too, have no influence; so compare that gradient absolutely, and not that weight.
"""

import argparse
import json
import os
import shutil
import tempfile
import warnings

# Before torch starts: kernels that vary as little as can be with the processor, and no network.
os.environ.update(OMP_NUM_THREADS="1", MKL_CBWR="COMPATIBLE", ATEN_CPU_CAPABILITY="default", CUDA_VISIBLE_DEVICES="",
                  HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1")

import peft
import torch
import transformers
from exact import exact
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, OPTConfig, OPTForCausalLM

PAD, BOS, VOCAB = 1, 2, 96
LENGTHS, MASKED = [9, 16, 12, 5], [4, 0, 12, 2]
BATCH, ACCUM, CLIP = 4, 2, 1.0
DROPOUT = 0.25  # of make_dora's layers by themselves

SHAPE = dict(vocab_size=VOCAB, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=64,
             max_position_embeddings=64)
PRE = dict(do_layer_norm_before=True, word_embed_proj_dim=32, **SHAPE)
# std is that of weights, biases and adapter alike, ten times the usual or more: attention is not uniform, a wrong term
# shows in the logits, and some adapter steps are clipped and some are not. With 0.3 attention in `sharded` is so sharp
# that float32 is off by 2e-4.
MODELS = {
    "post": dict(seed=1, std=0.25, config=dict(do_layer_norm_before=False, word_embed_proj_dim=16, **SHAPE),
                 lora=dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])),
    "pre": dict(seed=2, std=0.2, config=PRE, lora=dict(r=3, lora_alpha=6, target_modules=[
        "q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"])),
    "sharded": dict(seed=3, std=0.2, config=PRE, lora=dict(r=4, lora_alpha=8, use_rslora=True,
                                                              target_modules=["q_proj", "v_proj"])),
}


# What goes in: weights, adapters, token ids.

def uniform(shape, std, generator):
    """Uniform values of standard deviation std. Not normal ones: their logarithm and cosine vary by processor."""
    u = torch.rand(shape, generator=generator, dtype=torch.float64)
    return ((2 * u - 1) * (std * 3 ** 0.5)).float()


def fill(parameters, std, generator):
    """Gives each named parameter its values; weights of norms lie around 1, the padding embedding is 0."""
    with torch.no_grad():
        for name, p in sorted(parameters):
            p.copy_(uniform(p.shape, std, generator) + float(name.endswith("norm.weight")))
            if name.endswith("embed_tokens.weight"):
                p[PAD] = 0


def sequence(length, top, generator):
    return [BOS] + torch.randint(4, top, (length - 1,), generator=generator).tolist()


def learnable(generator):
    """The step tables' sequences: of 28 different tokens, so that there is something to learn. Length 1 has no label."""
    lengths = torch.randint(1, 20, (20 * ACCUM * BATCH,), generator=generator).tolist()
    return [sequence(n, 32, generator) for n in lengths]


def save_post(model, folder):
    model.save_pretrained(folder)
    os.remove(os.path.join(folder, "generation_config.json"))


def save_pre(model, folder):
    """As facebook/opt-125m is published: the bare OPTModel in float16, and only the config fields of its day."""
    config = {"_name_or_path": "opt-tiny", "activation_dropout": 0.0, "architectures": ["OPTForCausalLM"],
              "prefix": "</s>", "torch_dtype": "float16", "transformers_version": "4.21.0.dev0", "model_type": "opt"}
    for key in ("activation_function attention_dropout bos_token_id do_layer_norm_before dropout eos_token_id ffn_dim "
                "hidden_size init_std layerdrop max_position_embeddings num_attention_heads num_hidden_layers "
                "pad_token_id use_cache vocab_size word_embed_proj_dim").split():
        config[key] = getattr(model.config, key)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
        f.write(json.dumps(config, indent=2, sort_keys=True) + "\n")
    torch.save(model.model.half().state_dict(), os.path.join(folder, "pytorch_model.bin"))


def save_sharded(model, folder):
    """By hand: save_pretrained would leave the tied lm_head.weight out."""
    model.config.architectures = ["OPTForCausalLM"]
    model.config.save_pretrained(folder)
    state = {k: v.clone() for k, v in model.state_dict().items()}
    size = sum(v.nbytes for v in state.values())
    split = split_torch_state_dict_into_shards(state, max_shard_size=size * 6 // 10,
                                               filename_pattern="model{suffix}.safetensors")
    assert len(split.filename_to_tensors) == 2, split.filename_to_tensors.keys()
    for filename, names in split.filename_to_tensors.items():
        save_file({n: state[n] for n in names}, os.path.join(folder, filename), metadata={"format": "pt"})
    index = {"metadata": split.metadata, "weight_map": dict(sorted(split.tensor_to_filename.items()))}
    with open(os.path.join(folder, "model.safetensors.index.json"), "w", encoding="utf-8") as f:
        f.write(json.dumps(index, indent=2) + "\n")


def save_adapter(folder, name, lora, std, generator, kind="adapter"):
    config = peft.LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, bias="none", **lora)
    model = peft.get_peft_model(load(folder), config)
    fill([(n, p) for n, p in model.named_parameters() if p.requires_grad], std, generator)
    with torch.no_grad():
        for n, p in model.named_parameters():
            if "lora_magnitude_vector" in n:  # around the norm of a row of weights of standard deviation std
                p.add_(1.5)
    config.base_model_name_or_path = f"testdata/parity/{name}"  # not the path on this machine
    to = os.path.join(folder, kind)
    model.save_pretrained(to, save_embedding_layers=False)
    os.remove(os.path.join(to, "README.md"))
    path = os.path.join(to, "adapter_config.json")
    with open(path, encoding="utf-8") as f:
        saved = json.load(f)
    saved["target_modules"].sort()  # PEFT keeps a set, whose order varies from run to run
    with open(path, "w", encoding="utf-8") as f:
        f.write(json.dumps(saved, indent=2, sort_keys=True) + "\n")


# What is computed, always from the files just written.

def load(folder, adapter="", dtype=torch.float32, attention="eager"):
    """The model in eval mode. Everything trains, or with an adapter, by its folder's name, only that."""
    model, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention,
                                                       output_loading_info=True)
    assert not any(info.values()), info
    if adapter:
        model = peft.PeftModel.from_pretrained(model, os.path.join(folder, adapter), is_trainable=True)
    return model.eval().to(dtype)


def load_exact(folder, adapter=""):
    """In float64. With sdpa, since eager attention has its softmax in float32 whatever the model's type."""
    return exact(load(folder, adapter, torch.float64, "sdpa"))


def padded(rows, labels=None, left=False):
    """Rows as B x T tensors input_ids and attention_mask, and labels where given."""
    width = max(map(len, rows))

    def stack(values, filler):
        fillers = [[filler] * (width - len(v)) for v in values]
        return torch.tensor([f + v if left else v + f for v, f in zip(values, fillers)])

    batch = {"input_ids": stack(rows, PAD), "attention_mask": stack([[1] * len(r) for r in rows], 0)}
    if labels:
        batch["labels"] = stack(labels, -100)
    return batch


def forward(model, batch):
    """Logits and loss. In float64 the loss is our own: the library's rounds logits to float32 first."""
    out = model(**batch, use_cache=False)
    if "labels" not in batch or out.logits.dtype == torch.float32:
        return out.logits, out.loss
    return out.logits, torch.nn.functional.cross_entropy(out.logits[:, :-1].flatten(0, 1),
                                                         batch["labels"][:, 1:].flatten())


def trained(model):
    """What trains, by the name it is saved under, values detached."""
    return {n.replace(".default", "").replace("_vector.weight", "_vector"): p
            for n, p in model.named_parameters() if p.requires_grad}


def gradients(model, batch):
    """Logits, loss and every gradient of one forward and backward pass."""
    logits, loss = forward(model, batch)
    loss.backward()
    return logits.detach(), loss.item(), {n: p.grad for n, p in trained(model).items()}


def steps(model, sequences, rows, n, lr, warmup=0, weight_decay=0.0):
    """n optimizer steps: their table, the loss of the four rows afterwards, and the trained values."""
    parameters = list(trained(model).values())
    optimizer = torch.optim.AdamW(parameters, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=weight_decay)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, warmup, n)
    table = []
    for step in range(n):
        optimizer.zero_grad()
        total = 0.0
        for micro in range(ACCUM * step, ACCUM * (step + 1)):
            batch = sequences[BATCH * micro:BATCH * (micro + 1)]
            loss = forward(model, padded(batch, batch))[1] / ACCUM
            loss.backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(parameters, CLIP).item()
        table.append({"step": step + 1, "lr": schedule.get_last_lr()[0], "loss": total, "grad_norm": norm})
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        final_loss = forward(model, rows)[1].item()
    return table, final_loss, {n: p.detach() for n, p in trained(model).items()}


# How far float32 may be off.

def widest(ours, theirs, where=slice(None)):
    return (ours.double() - theirs.double())[where].abs().max().item()


def widest_of(ours, theirs):
    return max(widest(v, theirs[n]) for n, v in ours.items())


def between(run, other):
    """The largest difference of two results of steps, in loss, relative in norm, and in what was trained."""
    (table, loss, values), (table2, loss2, values2) = run, other
    pairs = list(zip(table, table2))
    values = {n: v for n, v in values.items() if not n.endswith("k_proj.bias")}  # steps of rounding: see the top
    return {"loss": max(abs(a["loss"] - b["loss"]) for a, b in pairs),
            "grad_norm_relative": max(abs(a["grad_norm"] / b["grad_norm"] - 1) for a, b in pairs),
            "final_loss": abs(loss - loss2), "trained_values": widest_of(values, values2)}


def table(folder, adapter, sequences, rows, n, lr, **rule):
    """One step table for fixture.json, and the trained values."""
    run = steps(load(folder, adapter), sequences, rows, n, lr, **rule)
    exact = steps(load_exact(folder, adapter), sequences, rows, n, lr, **rule)
    sdpa = steps(load(folder, adapter, attention="sdpa"), sequences, rows, n, lr, **rule)
    parameters = load(folder, adapter).num_parameters(exclude_embeddings=True)
    micros = [sequences[i:i + BATCH] for i in range(0, n * ACCUM * BATCH, BATCH)]
    tokens = sum(BATCH * max(map(len, m)) for m in micros)
    return {"steps": n, "batch": BATCH, "accum": ACCUM, "lr": lr, "warmup": 0, "weight_decay": 0.0, **rule,
            "clip": CLIP, "betas": [0.9, 0.999], "eps": 1e-8, "padded_tokens": tokens,
            "parameters_without_embeddings": parameters, "total_flos": 6 * parameters * tokens,
            "final_loss": run[1], "float32_error": between(run, exact), "sdpa_difference": between(run, sdpa),
            "table": run[0]}, run[2]


def norm(grads):
    return sum(g.double().square().sum() for g in grads.values()).sqrt().item()


def watched(model, batch):
    """gradients, and what each decoder layer returned."""
    layers = {}
    hooks = [layer.register_forward_hook(lambda _, __, out, key=f"layer.{i}": layers.update({key: out.detach()}))
             for i, layer in enumerate(next(m for n, m in model.named_modules() if n.endswith(".layers")))]
    result = gradients(model, batch)
    for hook in hooks:
        hook.remove()
    return *result, layers


class Masked(torch.nn.Module):
    """Dropout by a mask that is given."""

    def __init__(self, mask):
        super().__init__()
        self.mask = mask

    def forward(self, x):
        return x * self.mask / (1 - DROPOUT)


def alone(folder, generator):
    """Layer 0's q_proj and v_proj with DoRA in training mode, dropout on, and their gradients."""
    model = load(folder, "dora").train()
    attention = model.base_model.model.model.decoder.layers[0].self_attn
    x = uniform((7, 32), 1.0, generator).requires_grad_()
    masks, ys, dys = [], [], []
    for module in (attention.q_proj, attention.v_proj):
        masks.append(torch.rand(x.shape, generator=generator) >= DROPOUT)
        module.lora_dropout["default"] = Masked(masks[-1])
        ys.append(module(x))
        dys.append(uniform(ys[-1].shape, 1.0, generator))
    y, dy = torch.stack(ys), torch.stack(dys)
    (y * dy).sum().backward()
    grads = {n: p.grad for n, p in trained(model).items() if p.grad is not None}
    assert len(grads) == 6, grads.keys()
    return {"x": x.detach(), "mask": torch.stack(masks).to(torch.uint8), "y": y.detach(), "dy": dy, "dx": x.grad,
            **{f"grad.{n}": g for n, g in grads.items()}}


def figures(folder, adapter, batch, sequences, **settings):
    """What a further adapter of the model in folder gives: for ADAPTER.json and ADAPTER.safetensors."""
    real = batch["attention_mask"].bool()
    logits, loss, grads = gradients(load(folder, adapter), batch)
    logits64, loss64, grads64 = gradients(load_exact(folder, adapter), batch)
    fixture = {"loss": loss, "grad_norm": norm(grads), **settings,
               "float32_error": {"logits": widest(logits, logits64, real), "loss": abs(loss - loss64),
                                 "grad": widest_of(grads, grads64)}}
    fixture["steps"], final = table(folder, adapter, sequences, batch, 20, 1e-2)
    return fixture, {"logits": logits, **{f"grad.{n}": g for n, g in grads.items()},
                     **{f"final.{n}": v for n, v in final.items()}}


def write(folder, name, fixture, tensors):
    """name.json and name.safetensors."""
    save_file({k: v.contiguous() for k, v in tensors.items()}, os.path.join(folder, f"{name}.safetensors"))
    with open(os.path.join(folder, f"{name}.json"), "w", encoding="utf-8") as f:
        f.write(lines(fixture) + "\n")


def place(folder, to):
    """Moves the finished folder to where the old one was."""
    for parent, _, files in os.walk(folder):
        os.chmod(parent, 0o755)  # mkdtemp makes 0700, safetensors 0600
        for file in files:
            os.chmod(os.path.join(parent, file), 0o644)
    shutil.rmtree(to, ignore_errors=True)
    os.rename(folder, to)


def make_dora(folder, name, lora, std, batch, sequences, generator):
    """DoRA on the model in folder. Norms of rows are constants in its gradients, so differences do not check those."""
    save_adapter(folder, name, {**lora, "use_dora": True}, std, generator, "dora")
    fixture, tensors = figures(folder, "dora", batch, sequences, dropout=DROPOUT)
    tensors.update({f"dropout.{n}": v for n, v in alone(folder, generator).items()})
    write(folder, "dora", fixture, tensors)


def make(out, name, seed, std, config, lora):
    folder = tempfile.mkdtemp(dir=out)  # beside; takes the old one's place when it is whole
    generator = torch.Generator().manual_seed(seed)
    model = OPTForCausalLM(OPTConfig(dtype="float32", init_std=std, **config))
    fill(model.named_parameters(), std, generator)
    {"post": save_post, "pre": save_pre, "sharded": save_sharded}[name](model, folder)
    save_adapter(folder, name, lora, std, generator)

    rows = [sequence(n, VOCAB, generator) for n in LENGTHS]
    labels = [[-100] * m + row[m:] for row, m in zip(rows, MASKED)]
    batch, left = padded(rows, labels), padded(rows, left=True)
    real = batch["attention_mask"].bool()
    sequences = learnable(generator)

    model = load(folder, "adapter")
    logits, loss, grads, layers = watched(model, batch)
    with torch.no_grad():
        left_logits, _ = forward(model, left)
        with model.disable_adapter():
            logits_base, loss_base = forward(model, batch)
        logits_sdpa, _ = forward(load(folder, "adapter", attention="sdpa"), batch)
    logits64, loss64, grads64, layers64 = watched(load_exact(folder, "adapter"), batch)

    tensors = {**batch, **{f"left.{k}": v for k, v in left.items()}, "logits": logits, "left.logits": left_logits,
               "logits_base": logits_base, **layers, **{f"grad.{n}": g for n, g in grads.items()}}
    fixture = {
        "versions": {m.__name__: m.__version__.split("+")[0] for m in (torch, transformers, peft)},
        "lengths": LENGTHS, "label_tokens": int((batch["labels"][:, 1:] != -100).sum()),
        "loss": loss, "loss_base": loss_base.item(), "grad_norm": norm(grads),
        "float32_error": {"logits": widest(logits, logits64, real), "loss": abs(loss - loss64),
                          "grad": widest_of(grads, grads64),
                          "layer": max(widest(v, layers64[k], real) for k, v in layers.items())},
        "sdpa_difference": {"logits": widest(logits, logits_sdpa, real)},
        "left_difference": {"logits": widest(logits[real], left_logits[left["attention_mask"].bool()])},
    }
    fixture["steps"], final = table(folder, "adapter", sequences, batch, 20, 1e-2)
    save_file(final, os.path.join(folder, "final_adapter.safetensors"), metadata={"format": "pt"})
    if name == "post":
        _, full_loss, full = gradients(load(folder), batch)
        _, full_loss64, full64 = gradients(load_exact(folder), batch)
        fixture.update(full_loss=full_loss, full_grad_norm=norm(full))
        fixture["float32_error"].update(full_loss=abs(full_loss - full_loss64), full_grad=widest_of(full, full64))
        tensors.update({f"full.grad.{n}": g for n, g in full.items()})
        fixture["full_steps"], _ = table(folder, "", sequences, batch, 8, 1e-3)
        fixture["warmup_steps"], warm = table(folder, "adapter", sequences, batch, 8, 1e-2, warmup=3, weight_decay=0.01)
        tensors.update({f"warmup.final.{n}": v for n, v in warm.items()})
        make_dora(folder, name, lora, std, batch, sequences, torch.Generator().manual_seed(seed + 100))
    fixture["ids"] = sequences
    write(folder, "fixture", fixture, tensors)
    place(folder, os.path.join(out, name))


def lines(value, indent=0):
    """JSON with one short object or list a line: a diff shows which step or sequence changed."""
    flat = json.dumps(value)
    if not isinstance(value, (dict, list)) or indent + len(flat) < 118:
        return flat
    pad, items = " " * (indent + 1), value
    if isinstance(value, dict):
        items = [f"{json.dumps(k)}: {lines(v, indent + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(pad + i for i in items) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(pad + lines(v, indent + 1) for v in items) + "\n" + " " * indent + "]"


def quiet():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")  # PEFT calls what transformers deprecates, and looks for the base model's folder
    torch.set_num_threads(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=os.path.dirname(os.path.abspath(__file__)))
    out = parser.parse_args().out
    os.makedirs(out, exist_ok=True)
    quiet()
    for name, model in MODELS.items():
        make(out, name, **model)


if __name__ == "__main__":
    main()
