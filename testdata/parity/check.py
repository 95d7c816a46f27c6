#!/usr/bin/env python3
"""Checks the committed fixtures against the libraries again, each figure in another way than make.py and families.py got it.

    python check.py                     (exit status 1 and the line marked BAD if something differs)

    logits        each row alone and without padding, with PyTorch's default attention
    grad          against differences of the loss in float64, moving all trained values along a random direction
    step tables   loss, norm, rate, total_flos and last values by Hugging Face's own Trainer
"""

import json
import os
import sys
import tempfile
import warnings

os.environ.update(OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1")
warnings.filterwarnings("ignore")

import torch
import transformers
from exact import exact
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, Trainer, TrainerCallback, TrainingArguments

HERE = os.path.dirname(os.path.abspath(__file__))
bad = []


def report(name, what, difference, tolerance):
    ok = difference <= tolerance
    print(f"{name:20} {what:32} {difference:8.1e}  of {tolerance:.0e}{'' if ok else '  BAD'}")
    if not ok:
        bad.append(what)


def load(folder, adapter):
    """The model, with the adapter in the folder of that name if there is one."""
    config = AutoConfig.from_pretrained(folder)
    config.dropout = 0.0  # of OPT: Trainer puts the model in training mode
    model = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32)
    return PeftModel.from_pretrained(model, os.path.join(folder, adapter), is_trainable=True) if adapter else model


def mean_loss(model, t):
    logits = model(input_ids=t["input_ids"], attention_mask=t["attention_mask"]).logits
    target = t["labels"].roll(-1, 1)
    target[:, -1] = -100
    use = target != -100
    return -logits[use].log_softmax(-1).gather(1, target[use][:, None]).mean()


@torch.no_grad()
def check_logits(name, folder, t, adapters):
    for key, adapter in adapters:
        model = load(folder, adapter).eval()
        worst = 0.0
        for row, mask, want in zip(t["input_ids"], t["attention_mask"].bool(), t[key]):
            worst = max(worst, (model(input_ids=row[mask][None]).logits[0] - want[mask]).abs().max().item())
        report(name, key, worst, 1e-5)
        report(name, f"loss of {key}", abs(mean_loss(model, t).item() - t["loss", key]), 2e-6)


@torch.no_grad()
def check_gradients(name, folder, t, prefix, adapter):
    """Relative to the gradient's own norm; the direction is part gradient, so that the sum does not vanish."""
    model = exact(load(folder, adapter).double().eval())
    generator, moved, slope, eps = torch.Generator().manual_seed(7), [], 0.0, 1e-6
    for key, p in model.named_parameters():
        if not p.requires_grad:
            continue
        grad = t[prefix + key.replace(".default", "")].double()
        d = grad + grad.abs().max() * torch.rand(p.shape, generator=generator, dtype=torch.float64)
        if key.endswith("embed_tokens.weight") and model.config.pad_token_id is not None:
            d[model.config.pad_token_id] = 0  # nn.Embedding leaves its part out of this row's gradient
        moved.append((p, d))
        slope += (grad * d).sum().item()
    assert len(moved) == sum(k.startswith(prefix) for k in t if isinstance(k, str))
    losses = []
    for sign in (1, -2):
        for p, d in moved:
            p += sign * eps * d
        losses.append(mean_loss(model, t).item())
    report(name, prefix + "*", abs((losses[0] - losses[1]) / (2 * eps) / slope - 1), 1e-5)


class Watch(TrainerCallback):
    """Norms as logged, and the rate that each step used."""

    def __init__(self):
        self.norms, self.rates = [], []

    def on_pre_optimizer_step(self, args, state, control, optimizer=None, **kwargs):
        self.rates.append(optimizer.param_groups[0]["lr"])

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "grad_norm" in logs:
            self.norms.append(logs["grad_norm"])


class InOrder(Trainer):
    """Takes the sequences in their order, and keeps each micro-batch's part of the loss."""

    def _get_train_sampler(self, *args, **kwargs):
        return torch.utils.data.SequentialSampler(self.train_dataset)

    def training_step(self, *args, **kwargs):
        loss = super().training_step(*args, **kwargs)
        self.parts.append(loss.item())
        return loss


def collate(rows):
    width = max(map(len, rows))
    return {key: torch.tensor([value(r) + [filler] * (width - len(r)) for r in rows]) for key, value, filler in (
        ("input_ids", list, 1), ("labels", list, -100), ("attention_mask", lambda r: [1] * len(r), 0))}


def check_steps(name, folder, want, ids, final, adapter, what):
    model, watch = load(folder, adapter), Watch()
    with tempfile.TemporaryDirectory() as scratch:
        args = TrainingArguments(
            output_dir=scratch, max_steps=want["steps"], per_device_train_batch_size=want["batch"],
            gradient_accumulation_steps=want["accum"], learning_rate=want["lr"], lr_scheduler_type="linear",
            warmup_steps=want["warmup"], weight_decay=want["weight_decay"], max_grad_norm=want["clip"],
            optim="adamw_torch", logging_steps=1, save_strategy="no", report_to="none", disable_tqdm=True,
            remove_unused_columns=False, use_cpu=True)
        trainer = InOrder(model=model, args=args, train_dataset=ids, data_collator=collate, callbacks=[watch])
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.parts = []
        # Each micro-batch's own token mean, then their mean; left alone, Trainer weighs by the step's tokens.
        trainer.model_accepts_loss_kwargs = trainer.loss_is_scaled_for_ga = False
        flos = trainer.train().metrics["total_flos"]
        model.eval()
    k = want["accum"]
    got = zip([sum(trainer.parts[i:i + k]) for i in range(0, len(trainer.parts), k)], watch.norms, watch.rates)
    rows = [(loss - w["loss"], norm / w["grad_norm"] - 1, rate - w["lr"])
            for (loss, norm, rate), w in zip(got, want["table"], strict=True)]
    for figure, values, tolerance in zip(("loss", "grad_norm, relative", "lr"), zip(*rows), (5e-6, 5e-6, 1e-15)):
        report(name, f"{what} {figure}", max(map(abs, values)), tolerance)
    report(name, f"{what} total_flos", abs(flos - want["total_flos"]), 0)
    values = {n.replace(".default", "").replace("_vector.weight", "_vector"): p
              for n, p in model.named_parameters() if p.requires_grad}
    if final:
        assert final.keys() == values.keys()
        report(name, f"{what} last values", max((values[n] - v).abs().max().item() for n, v in final.items()), 2e-6)
    return model


def check_further(name, folder, kind, ids, rows):
    """DoRA's gradients not by differences: they hold the norms of rows constant. The steps are made of them."""
    with open(os.path.join(folder, f"{kind}.json"), encoding="utf-8") as f:
        fixture = json.load(f)
    t = {**rows, **load_file(os.path.join(folder, f"{kind}.safetensors"))}
    t["loss", "logits"] = fixture["loss"]
    check_logits(name, folder, t, (("logits", kind),))
    if kind != "dora":
        check_gradients(name, folder, t, "grad.", kind)
    final = {k[6:]: v for k, v in t.items() if k[:6] == "final."}
    model = check_steps(name, folder, fixture["steps"], ids, final, kind, "steps")
    with torch.no_grad():
        report(name, "steps final_loss", abs(mean_loss(model, t).item() - fixture["steps"]["final_loss"]), 5e-6)


def check(name):
    folder = os.path.join(HERE, name)
    with open(os.path.join(folder, "fixture.json"), encoding="utf-8") as f:
        fixture = json.load(f)
    t = load_file(os.path.join(folder, "fixture.safetensors"))
    t["loss", "logits"], t["loss", "logits_base"] = fixture["loss"], fixture["loss_base"]
    finals = {"steps": load_file(os.path.join(folder, "final_adapter.safetensors")), "full_steps": None,
              "warmup_steps": {k[13:]: v for k, v in t.items() if k[:13] == "warmup.final."}}
    check_logits(name, folder, t, (("logits", "adapter"), ("logits_base", "")))
    check_gradients(name, folder, t, "grad.", "adapter")
    if "full_loss" in fixture:
        check_gradients(name, folder, t, "full.grad.", "")
    inputs = {k: t[k] for k in ("input_ids", "attention_mask", "labels")}
    for kind in ("all", "dora"):
        if os.path.exists(os.path.join(folder, kind)):
            check_further(f"{name} {kind}", folder, kind, fixture["ids"], inputs)
    for what, final in finals.items():
        if what in fixture:
            model = check_steps(name, folder, fixture[what], fixture["ids"], final, "" if what == "full_steps" else "adapter", what)
            with torch.no_grad():
                report(name, f"{what} final_loss", abs(mean_loss(model, t).item() - fixture[what]["final_loss"]), 5e-6)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    families = sorted(os.listdir(os.path.join(HERE, "families")))
    for name in ("post", "pre", "sharded", *(os.path.join("families", n) for n in families)):
        if os.path.exists(os.path.join(HERE, name, "fixture.json")):
            check(name)
    sys.exit(1 if bad else 0)
