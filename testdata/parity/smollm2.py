#!/usr/bin/env python3
"""Makes smollm2.json: what transformers and PEFT compute with the real weights of SmolLM2-135M-Instruct.

    pip install -r requirements.txt
    python smollm2.py "$(make -s -C ../.. smollm2 | tail -n 1)" [--out FILE]   (FILE: smollm2.json here; two minutes on one core)

The folder is what `make smollm2` prepares. What make.py says holds here, too: dropout off, one core, steps as
Trainer makes them, `float32_error` for what a right implementation may be off. Another processor changes last digits.
The adapter, r 8 and alpha 16 on q_proj and v_proj, is not saved: value i of each A and B is hashed from its name, as
decoder.HashValues says, with seed 1 and deviation `std`.

    ids          16 chats of the texts below, as the folder's tokenizer encodes them
    prompt       how many tokens of each come before the assistant's answer
    steps        10 optimizer steps, rate 1e-3 falling linearly to 0, each of 2 chats, in order, from the first
                 again after the last; every token but the first is a label
    batches      two passes, over chats 0 to 3 whose labels are all tokens, and over 4 to 7 whose labels are the answers:
      loss       mean cross-entropy of the labels; loss_base without the adapter
      logits     of some positions `at` (chat, token) the 8 largest by id
      grad_norm  of the gradient of each A and B, by the name PEFT saves it under
      grad       of some of them the 4 largest entries by their index in the flattened matrix

The passes are in float64, since float32 here is off it by more than the tests allow; the steps are in float32. float32_error
is the largest difference of the two: in logits, in loss, and relative to each norm and to each entry.
"""

import argparse
import os

import make  # first: it sets up the environment before torch starts

for name in ("ATEN_CPU_CAPABILITY", "MKL_CBWR"):  # kernels that are the same on every processor take ten times as long
    del os.environ[name]

import numpy
import peft
import torch
from transformers import AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
LORA = dict(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"])
STD, STEPS, LR = 0.05, 10, 1e-3
make.BATCH, make.ACCUM = 2, 1  # of steps
LAYERS = [0, 13, 29]  # whose gradients' entries are kept
CHATS = [
    ("Name three fruits that are red.", "Apples, cherries and strawberries are red."),
    ("Write a haiku about rain.", "Soft rain on the roof,\nthe garden drinks and listens.\nMorning smells of earth."),
    ("What is 17 times 23?", "17 * 23 = 391."),
    ("Reverse a list in Python.", "```python\nitems = items[::-1]\n```"),
    ("Translate 'good evening' into German.", "Guten Abend."),
    ("Write an SQL query that counts the rows of a table named visits.", "SELECT COUNT(*) FROM visits;"),
    ("Is the word \"level\" a palindrome?", "Yes: read backwards it is \"level\" again."),
    ("Give the JSON of a point at x 3 and y -4.", "{\"x\": 3, \"y\": -4}"),
    ("Which planet is nearest to the sun?", "Mercury."),
    ("Define a Go function that adds two integers.", "func add(a, b int) int {\n\treturn a + b\n}"),
    ("Rewrite politely: send me the file.", "Could you please send me the file?"),
    ("List the even numbers below 10.", "0, 2, 4, 6, 8"),
    ("How do I make a new branch in git?", "Run `git switch -c name`."),
    ("Sum up in one line: The boat left late, and nobody minded.", "A late boat bothered no one."),
    ("Write a regular expression for a four-digit year.", "\\b\\d{4}\\b"),
    ("What does CSS `margin: 0 auto` do?", "It centres a block – its left and right margins become equal."),
]


def hashed(name, n):
    """n values by decoder.HashValues: splitmix64 from FNV-1a of the name."""
    g, h = 0x9E3779B97F4A7C15, 0xCBF29CE484222325
    for b in name.encode():
        h = (h ^ b) * 0x100000001B3 % 2**64
    x = numpy.uint64(h ^ g) + numpy.arange(1, n + 1, dtype=numpy.uint64) * numpy.uint64(g)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ x >> numpy.uint64(shift)) * numpy.uint64(factor)
    x ^= x >> numpy.uint64(31)
    u = 2 * ((x >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-53) - 1
    return (u * (STD * 3**0.5)).astype(numpy.float32)


def adapted(base):
    """base with the adapter, which alone trains."""
    model = peft.get_peft_model(base, peft.LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, bias="none", **LORA)).eval()
    with torch.no_grad():
        for name, p in make.trained(model).items():
            p.copy_(torch.from_numpy(hashed(name, p.numel())).view(p.shape))
    assert {p.dtype for p in model.parameters()} == {base.dtype}
    return model


def encode(folder):
    """Ids of the chats, and the length of each one's prompt."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompts = [f"<|im_start|>user\n{ask}<|im_end|>\n<|im_start|>assistant\n" for ask, _ in CHATS]
    ids = [tokenizer(p + answer + "<|im_end|>\n")["input_ids"] for p, (_, answer) in zip(prompts, CHATS)]
    lengths = [len(tokenizer(p)["input_ids"]) for p in prompts]
    assert all(i[:n] == tokenizer(p)["input_ids"] for i, n, p in zip(ids, lengths, prompts))
    return ids, lengths


def largest(values, n):
    """The n largest, as [index, value]."""
    return [[int(i), values[i].item()] for i in values.topk(n).indices]


def batches(ids, lengths):
    first, second = ids[:4], ids[4:8]
    return [make.padded(first, first),
            make.padded(second, [[-100] * n + row[n:] for row, n in zip(second, lengths[4:8])])]


def one_pass(model, model64, batch):
    """A batch's figures, which are float64's, and how far float32's are off them."""
    model.zero_grad()
    model64.zero_grad()
    with torch.no_grad(), model64.disable_adapter():
        base = make.forward(model64, batch)[1].item()
    logits32, loss32, grads32 = make.gradients(model, batch)
    logits, loss, grads = make.gradients(model64, batch)
    real = batch["attention_mask"].bool()
    out = {"loss": loss, "loss_base": base, "logits": []}
    for row, length in enumerate(real.sum(1).tolist()):
        for at in (1, length // 2, length - 1):
            out["logits"].append({"at": [row, at], "largest": largest(logits[row, at], 8)})
    out["grad_norm"] = {n: make.norm({n: g}) for n, g in grads.items()}
    out["grad"], entry = {}, 0.0
    for name, g in grads.items():
        if any(f".layers.{i}." in name for i in LAYERS):
            g, g32 = g.flatten(), grads32[name].flatten()
            top = g.abs().topk(4).indices
            out["grad"][name] = [[int(i), g[i].item()] for i in top]
            entry = max(entry, (g32[top] / g[top] - 1).abs().max().item())
    return out, {"logits": make.widest(logits32, logits, real), "loss": abs(loss32 - loss), "grad_entry_relative": entry,
                 "grad_norm_relative": max(abs(make.norm({n: grads32[n]}) / v - 1) for n, v in out["grad_norm"].items())}


def figures(folder):
    ids, lengths = encode(folder)
    model, model64 = adapted(make.load(folder)), adapted(make.load_exact(folder))
    passes = [one_pass(model, model64, b) for b in batches(ids, lengths)]
    order = (ids + ids)[:STEPS * make.BATCH]
    rows = batches(ids, lengths)[0]
    run, run64 = (make.steps(m, order, rows, STEPS, LR) for m in (model, model64))
    return {"versions": {m.__name__: m.__version__.split("+")[0] for m in (torch, make.transformers, peft)},
            "r": LORA["r"], "alpha": LORA["lora_alpha"], "std": STD, "ids": ids, "prompt": lengths,
            "steps": {"steps": STEPS, "batch": make.BATCH, "accum": make.ACCUM, "lr": LR, "clip": make.CLIP,
                      "float32_error": make.between(run, run64), "table": run[0]},
            "batches": [{**f, "float32_error": e} for f, e in passes]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--out", default=os.path.join(HERE, "smollm2.json"))
    options = parser.parse_args()
    make.quiet()
    with open(options.out, "w", encoding="utf-8") as f:
        f.write(make.lines(figures(options.folder)) + "\n")


if __name__ == "__main__":
    main()
