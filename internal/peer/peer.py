"""LoRA fine-tuning with Hugging Face's Trainer and PEFT: what lorabench is measured against.

    peer.py adapters JOB.json    makes the adapters that both programs start from
    peer.py train JOB.json       trains once and writes its figures to the job's "result"

internal/peer writes the jobs and reads the results; job.go says what is in them. Token ids come with
the job and weights are made here, so nothing is downloaded.
"""

import ctypes
import gc
import json
import math
import os
import sys
import time
import warnings

import torch
from peft import PeftModel
from peer_models import build_model, make_adapters, write
from torch.utils.data import Sampler
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers import logging as transformers_logging
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_pt_utils import get_length_grouped_indices

IGNORE = -100


# Data


def collator(pad):
    """Right padding to the longest of the micro-batch."""

    def collate(rows):
        shape = len(rows), max(len(r["input_ids"]) for r in rows)
        ids = torch.full(shape, pad)
        mask = torch.zeros(shape, dtype=torch.long)
        labels = torch.full(shape, IGNORE)
        for i, r in enumerate(rows):
            n = len(r["input_ids"])
            ids[i, :n] = torch.tensor(r["input_ids"])
            labels[i, :n] = torch.tensor(r["labels"])
            mask[i, :n] = 1
        # A number, not a tensor: it is taken out before the model sees the batch, and asks nothing of the GPU.
        return {"input_ids": ids, "attention_mask": mask, "labels": labels, "real_tokens": int(mask.sum())}

    return collate


class Order(Sampler):
    """The samples as they stand or grouped by length; before them, as the warm-up, the first of the same micro-batches."""

    def __init__(self, job, samples):
        step = job["per_device_train_batch_size"] * job["gradient_accumulation_steps"]
        self.order = list(range(len(samples)))
        if job["group_by_length"]:
            # As Trainer groups a whole data set with train_sampling_strategy="group_by_length": 50 steps are sorted
            # together. Of as few samples as are timed here its sampler would sort a quarter at a time, or a
            # single step, which groups nothing where a step is one micro-batch.
            self.order = get_length_grouped_indices([len(s["input_ids"]) for s in samples], step, mega_batch_mult=50)
        self.order = self.order[: job["warmup_steps"] * step] + self.order

    def __len__(self):
        return len(self.order)

    def __iter__(self):
        return iter(self.order)


# Measuring


def proc_status(field):
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise KeyError(f"/proc/self/status has no {field}")


def reset_peak_rss():
    """Whether VmHWM is the peak from here on. Some kernels refuse, or accept and do nothing."""
    try:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
        return proc_status("VmHWM") <= proc_status("VmRSS") + (8 << 20)
    except OSError:
        return False


class Baton:
    """internal/relay's other end: who holds the byte works, and where the other process has ended this one
    goes on alone."""

    def __init__(self, descriptors):
        self.ends = [int(d) for d in descriptors.split(",")] if descriptors else None
        self.take()

    def take(self):
        if self.ends and not os.read(self.ends[0], 1):
            self.ends = None

    def give(self):
        try:
            if self.ends:
                os.write(self.ends[1], b".")
        except BrokenPipeError:
            self.ends = None


class Meter(TrainerCallback):
    """Clock and peaks from the end of the warm-up to the end of the last step; what each step did. The clock
    stands still while another process has its turn, which is after the warm-up and after each step."""

    def __init__(self, job):
        self.warmup, self.steps, self.cuda = job["warmup_steps"], job["steps"], job["device"] == "cuda"
        self.timing = False
        self.baton = Baton(job["relay"])
        self.losses, self.rates, self.norms = [], [], {}
        self.real, self.padded = [], 0
        self.elapsed, self.seconds, self.laps = 0.0, None, []
        self.initial, self.peak = {}, {}

    def turn(self):
        self.baton.give()
        self.baton.take()

    def pause(self):
        if self.cuda:
            torch.cuda.synchronize()
        self.laps.append(time.perf_counter() - self.began)
        self.elapsed += self.laps[-1]

    def start(self):
        self.turn()
        self.rss = reset_peak_rss()
        if self.cuda:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            self.initial["gpu_allocated_bytes"] = torch.cuda.memory_allocated()
            self.initial["gpu_reserved_bytes"] = torch.cuda.memory_reserved()
        self.timing, self.began = True, time.perf_counter()

    def stop(self):
        self.pause()
        self.seconds, self.timing = self.elapsed, False
        if self.cuda:
            self.peak["gpu_allocated_bytes"] = torch.cuda.max_memory_allocated()
            self.peak["gpu_reserved_bytes"] = torch.cuda.max_memory_reserved()
        if self.rss:
            self.peak["rss_bytes"] = proc_status("VmHWM")

    def micro(self, loss, real, padded):
        if self.timing:
            self.losses.append(loss)  # stays on the device until the clock has stopped
            self.real.append(real)
            self.padded += padded

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.warmup == 0:
            self.start()

    def on_pre_optimizer_step(self, args, state, control, optimizer=None, **kwargs):
        if self.timing:
            self.rates.append(float(optimizer.param_groups[0]["lr"]))

    def on_step_end(self, args, state, control, **kwargs):
        # Fetching the first timed batch comes after this, and so is timed, as lorabench times it.
        if state.global_step == self.warmup:
            self.start()
        elif state.global_step == self.warmup + self.steps:
            self.stop()
        elif self.timing:
            self.pause()
            self.turn()
            self.began = time.perf_counter()

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs and "grad_norm" in logs:
            self.norms[state.global_step - self.warmup] = float(logs["grad_norm"])

    def step_records(self, accum):
        if self.cuda and "(stand-in)" in torch.cuda.get_device_name():
            return []  # internal/fakecuda computes nothing: only the memory is real
        micro = [float(x) for x in self.losses]
        out = []
        for i, rate in enumerate(self.rates):
            step = {"loss": math.fsum(micro[i * accum : (i + 1) * accum]), "learning_rate": rate, "seconds": self.laps[i],
                    "real_tokens": sum(self.real[i * accum : (i + 1) * accum])}
            if i + 1 in self.norms:
                step["grad_norm"] = self.norms[i + 1]
            for field, value in step.items():
                if not math.isfinite(value):
                    sys.exit(f"step {i + 1} has {field} {value}: a micro-batch without any label, or a training that "
                             "diverged; no result")
            out.append(step)
        return out


class MeasuredTrainer(Trainer):
    order = meter = None

    def _get_train_sampler(self, *args, **kwargs):
        return self.order

    def training_step(self, model, inputs, *args, **kwargs):
        real, padded = inputs.pop("real_tokens"), inputs["input_ids"].numel()
        loss = super().training_step(model, inputs, *args, **kwargs)  # divided by the accumulation
        self.meter.micro(loss, real, padded)
        return loss


# One training


def train(job):
    cuda = job["device"] == "cuda"
    if job["threads"]:
        torch.set_num_threads(job["threads"])
    if job["tf32"]:
        torch.backends.cuda.matmul.allow_tf32 = True
    with open(job["samples"], encoding="utf-8") as f:
        samples = json.load(f)
    # PEFT keeps A and B in float32 where the base is bfloat16 (autocast_adapter_dtype).
    model = PeftModel.from_pretrained(build_model(job), job["adapter"], is_trainable=True)
    accum = job["gradient_accumulation_steps"]
    args = TrainingArguments(
        output_dir=job["scratch"], max_steps=job["warmup_steps"] + job["steps"],
        per_device_train_batch_size=job["per_device_train_batch_size"], gradient_accumulation_steps=accum,
        learning_rate=job["learning_rate"], lr_scheduler_type="linear", warmup_steps=0, weight_decay=0.0,
        max_grad_norm=1.0, adam_beta1=0.9, adam_beta2=0.999, adam_epsilon=1e-8, optim=job["optim"],
        logging_steps=job["logging_steps"], logging_nan_inf_filter=False, save_strategy="no", report_to="none",
        disable_tqdm=True, remove_unused_columns=False, seed=job["seed"], use_cpu=not cuda)
    meter = Meter(job)
    trainer = MeasuredTrainer(model=model, args=args, train_dataset=samples, callbacks=[meter],
                              data_collator=collator(model.config.pad_token_id or 0))  # masked, so any id will do
    trainer.order, trainer.meter = Order(job, samples), meter
    # The loss of the reference run and of lorabench: each micro-batch's own mean over its labels, and
    # the mean of those. Left alone this Trainer would have the model divide by the labels of the whole step.
    trainer.model_accepts_loss_kwargs = False
    trainer.remove_callback(PrinterCallback)
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what loading left behind is not the training's
    except AttributeError:
        pass  # not glibc
    if cuda:
        torch.cuda.empty_cache()
    trainer.train()
    if meter.seconds is None:
        sys.exit(f"the Trainer ended after {trainer.state.global_step} of {args.max_steps} steps")
    write(job["result"], {
        "steps": meter.step_records(accum), "seconds": meter.seconds, "real_tokens": sum(meter.real),
        "padded_tokens": meter.padded, "memory_initial": meter.initial, "memory_peak": meter.peak,
        "threads": torch.get_num_threads(),
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "attention": model.config._attn_implementation,
        "gpu": torch.cuda.get_device_name() if cuda else "",
    })


def main():
    commands = {"adapters": make_adapters, "train": train}
    if len(sys.argv) != 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    warnings.filterwarnings("ignore")
    transformers_logging.set_verbosity_error()
    with open(sys.argv[2], encoding="utf-8") as f:
        commands[sys.argv[1]](json.load(f))


if __name__ == "__main__":
    main()
