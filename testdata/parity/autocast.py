#!/usr/bin/env python3
"""Makes autocast.json: how far PyTorch's autocast to bfloat16 is off float32, in training an adapter with PEFT.

    pip install -r requirements.txt
    python autocast.py [--out FILE]      (FILE: autocast.json here; two minutes on one core)

The models and adapters are make.py's, the models' weights rounded to bfloat16 so that both types hold the same model, and
the sequences are those of each one's fixture.json. The adapter is in float32. Three runs on the CPU, dropout off:

    float32    without autocast: what the others are compared with
    bfloat16   the model's weights in bfloat16, under autocast: Trainer(bf16=True) on a model loaded in bfloat16
    mixed      the model's weights in float32, under autocast: Trainer(bf16=True) on a model loaded in float32

Passes are over micro-batches of 8 sequences: those of fixture.json, and VARIANTS - 1 times the same with other tokens, since
a unit that ReLU switches off in one run and not in the other moves the error of a few sequences alone by a fifth. `loss` of
a model is float32's mean loss of the first 20, `step_loss` that of each step of the first training below. For the other two:

    logits     root of the mean square of the difference to float32's, over that of float32's, of all real tokens
    grad       by parameter, the same over the gradients of all those micro-batches' losses
    loss       root of the mean square difference of a step's loss, over TRAININGS trainings of 20 steps as `steps` in
               fixture.json; training k begins with sequence 8k, and after the last one comes the first
    grad_norm  of a step's norm, relative to float32's
    values     of what was trained, after the last step, over how far float32 has moved it
"""

import argparse
import json
import os
import warnings

import make  # sets the environment before torch starts

import peft
import torch
import transformers

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS, VARIANTS, TRAININGS = 8, 16, 5


def load(name, kind):
    """make.py's model, rounded, with its adapter in float32."""
    folder = os.path.join(HERE, name)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    if kind != "bfloat16":
        model = model.float()
    model = peft.PeftModel.from_pretrained(model, os.path.join(folder, "adapter"), is_trainable=True)
    assert all(p.dtype == torch.float32 for p in make.trained(model).values())
    if kind != "float32":  # as Accelerate wraps it; the forward pass alone, since autocast keeps its copies of weights
        model.forward = torch.autocast("cpu", torch.bfloat16)(model.forward)
    return model.eval()


def variants(sequences):
    """The sequences, and those with other tokens in the place of theirs: BOS stays, the others move by 11."""
    return [[s[0]] + [4 + (t - 4 + 11 * k) % (make.VOCAB - 4) for t in s[1:]] for k in range(VARIANTS) for s in sequences]


def passes(name, kind, sequences):
    """Logits of real tokens, losses, and gradients of each micro-batch."""
    model, logits, losses, grads = load(name, kind), [], [], []
    for i in range(0, len(sequences), ROWS):
        batch = make.padded(sequences[i:i + ROWS], sequences[i:i + ROWS])
        model.zero_grad()
        out = model(**batch, use_cache=False)
        out.loss.backward()
        logits.append(out.logits.detach().float()[batch["attention_mask"].bool()])
        losses.append(out.loss.item())
        grads.append({n: p.grad.clone() for n, p in make.trained(model).items()})
    return torch.cat(logits), losses, {n: torch.stack([g[n] for g in grads]) for n in grads[0]}


def train(name, kind, sequences, rule):
    """Losses and norms of all steps of all trainings, and what each has trained."""
    losses, norms, values = [], [], []
    for k in range(TRAININGS):
        order = sequences[ROWS * k:] + sequences[:ROWS * k]
        table, _, last = make.steps(load(name, kind), order, make.padded(order[:4], order[:4]), rule["steps"], rule["lr"])
        losses.append([row["loss"] for row in table])
        norms.append([row["grad_norm"] for row in table])
        values.append(torch.cat([v.flatten() for v in last.values()]))
    return torch.tensor(losses), torch.tensor(norms), torch.stack(values)


def rms(x):
    return x.double().square().mean().sqrt().item()


def measure(name):
    with open(os.path.join(HERE, name, "fixture.json"), encoding="utf-8") as f:
        fixture = json.load(f)
    ids, rule = fixture["ids"], fixture["steps"]
    logits, losses, grads = passes(name, "float32", variants(ids))
    step_losses, norms, values = train(name, "float32", ids, rule)
    start = torch.cat([p.detach().flatten() for p in make.trained(load(name, "float32")).values()])
    result = {"loss": losses[:20], "step_loss": step_losses[0].tolist()}
    for kind in ("bfloat16", "mixed"):
        logits2, _, grads2 = passes(name, kind, variants(ids))
        step_losses2, norms2, values2 = train(name, kind, ids, rule)
        result[kind] = {
            "logits": rms(logits2 - logits) / rms(logits),
            "grad": {n: rms(grads2[n] - g) / rms(g) for n, g in grads.items()},
            "loss": rms(step_losses2 - step_losses), "grad_norm": rms(norms2 / norms - 1),
            "values": rms(values2 - values) / rms(values - start)}
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=os.path.join(HERE, "autocast.json"))
    out = parser.parse_args().out
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    result = {"versions": {m.__name__: m.__version__.split("+")[0] for m in (torch, transformers, peft)}, "rows": ROWS,
              "variants": VARIANTS, "trainings": TRAININGS, "models": {name: measure(name) for name in make.MODELS}}
    with open(out, "w", encoding="utf-8") as f:
        f.write(make.lines(result) + "\n")


if __name__ == "__main__":
    main()
