#!/usr/bin/env python3
"""Makes adapters with every option of PEFT's that lorabench honours, and what PEFT computes with them.

    pip install -r ../requirements.txt
    python make.py [--out DIR]          (DIR: this folder; half a minute on one core)

Each folder holds an adapter for a model beside this folder, its config as PEFT saves it but for the fields of `written`,
which stand as a user writes them: PEFT resolves names and sorts patterns, of which the first that matches counts.
cases.json has for each what PEFT does with
the folder when it loads it: the adapted modules with r and scaling, and the logits of one sequence. A and B are drawn, as
if trained; where `fresh` is set they are what PEFT's initialisation made, so that the model is the base.
`error` is how far those logits move when PiSSA's singular vectors are taken in float64: PEFT takes them in float32.
`niter` says how far the logits of one pissa_niter adapter are apart when PEFT loads it twice.
"""

import argparse
import json
import os
import warnings

os.environ.update(OMP_NUM_THREADS="1", MKL_CBWR="COMPATIBLE", ATEN_CPU_CAPABILITY="default", CUDA_VISIBLE_DEVICES="", HF_HUB_OFFLINE="1")

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
LAYER = "model.decoder.layers."
QV = ["q_proj", "v_proj"]
CASES = {
    "list": dict(target_modules=["fc1", LAYER + "1.self_attn.q_proj"]),
    "unmatched": dict(target_modules=["q_proj", "gate_proj", "up_proj"]),
    "all-linear": dict(target_modules="all-linear"),
    "all-linear-case": dict(model="pre", target_modules="All-Linear", exclude_modules=["fc2"]),
    "expression": dict(target_modules=r".*\.layers\.[01]\.(self_attn\.(q|k)_proj|fc\d)"),
    "expression-part": dict(target_modules=r"model\.decoder\.layers\.0\..*proj"),
    "exclude": dict(target_modules=["q_proj", "v_proj", "fc1"], exclude_modules=["1.fc1", LAYER + "0.self_attn.v_proj"]),
    "exclude-expression": dict(target_modules=QV, exclude_modules=r".*layers\.0.*"),
    "exclude-and-expression": dict(target_modules=r".*proj", exclude_modules=r".*(k|out)_proj|.*project.*"),
    "layer": dict(target_modules=QV, layers_to_transform=1),
    "layers": dict(model="pre", target_modules=["fc1", "fc2"], layers_to_transform=[0]),
    "layers-none": dict(target_modules=QV, layers_to_transform=[]),
    "layers-pattern": dict(target_modules=QV, layers_to_transform=[1], layers_pattern="layers"),
    "layers-patterns": dict(target_modules=QV, layers_to_transform=[0, 7], layers_pattern=["h", "lay.*s"]),
    "layers-whole-name": dict(target_modules=["fc2", LAYER + "0.fc1"], layers_to_transform=[1]),
    "rank": dict(target_modules=["q_proj", "k_proj", "v_proj", "fc1"], rank_pattern={"k_proj": 2, r"layers\.1\..*": 3, "fc1": 1}),
    "rank-first": dict(target_modules=QV, rank_pattern={"layers.0.self_attn.q_proj": 1, "q_proj": 2, ".*q_proj": 3}),
    "rank-whole-name": dict(model="sharded", target_modules=QV, rank_pattern={"^" + LAYER + "0.self_attn.q_proj": 6}),
    "alpha": dict(target_modules=["q_proj", "k_proj", "fc2"], alpha_pattern={"k_proj": 1, r"0\.fc2": 32, "proj": 64}),
    "both-rslora": dict(model="pre", target_modules=["q_proj", "v_proj", "out_proj"], use_rslora=True,
                        rank_pattern={"v_proj": 2}, alpha_pattern={"v_proj": 20, "out_proj": 2.5}),
    "both-dora": dict(target_modules=["q_proj", "v_proj", "fc1"], use_dora=True, rank_pattern={"v_proj": 2}, alpha_pattern={"v_proj": 3}),
    "gaussian": dict(target_modules=QV, init_lora_weights="gaussian"),
    "false": dict(target_modules=QV, init_lora_weights=False),
    "orthogonal": dict(target_modules=QV, init_lora_weights="orthogonal"),
    "eva": dict(target_modules=QV, init_lora_weights="eva"),
    "pissa-fresh": dict(fresh=True, target_modules=QV, init_lora_weights="pissa"),
    "pissa": dict(target_modules=["q_proj", "v_proj", "fc1", "fc2"], init_lora_weights="pissa"),
    "pissa-ranks": dict(model="pre", target_modules=["q_proj", "k_proj", "fc1"], init_lora_weights="pissa", use_rslora=True,
                        rank_pattern={"k_proj": 2}, alpha_pattern={"fc1": 20}),
    "pissa-dora": dict(target_modules=["v_proj", "fc2"], init_lora_weights="pissa", use_dora=True),
    "olora-fresh": dict(fresh=True, model="sharded", target_modules=["fc1", "fc2"], init_lora_weights="olora"),
    "olora": dict(target_modules=["q_proj", "fc1", "fc2"], init_lora_weights="OLoRA"),
    "olora-ranks": dict(model="pre", target_modules=["q_proj", "out_proj"], init_lora_weights="olora", rank_pattern={"out_proj": 7}),
}
NITER = dict(model="post", target_modules=QV, init_lora_weights="pissa_niter_4")
IDS = [2, 17, 44, 8, 91, 30, 5, 62, 77, 12]


def base(name):
    return AutoModelForCausalLM.from_pretrained(os.path.join(HERE, "..", name), dtype=torch.float32, attn_implementation="eager").eval()


def make(out, seed, model="post", fresh=False, **options):
    """Saves an adapter as PEFT does, then puts the options back as they were written."""
    torch.manual_seed(seed)
    written = {k: v for k, v in options.items() if k in ("target_modules", "exclude_modules", "rank_pattern", "alpha_pattern")}
    peft_model = get_peft_model(base(model), LoraConfig(r=4, lora_alpha=8, lora_dropout=0.05, task_type="CAUSAL_LM", **options))
    if not fresh:
        with torch.no_grad():
            for name, p in sorted(peft_model.named_parameters()):
                if "lora_A" in name or "lora_B" in name:
                    p.add_(torch.rand(p.shape) * 0.6 - 0.3)
                elif "lora_magnitude" in name:
                    p.mul_(1.25)
    peft_model.save_pretrained(out)
    os.remove(os.path.join(out, "README.md"))
    path = os.path.join(out, "adapter_config.json")
    with open(path, encoding="utf-8") as f:
        config = json.load(f)
    config["base_model_name_or_path"] = model
    with open(path, "w", encoding="utf-8") as f:
        json.dump({**config, **written}, f, indent=2)
        f.write("\n")


def svd64(weight, **options):
    return [t.float() for t in SVD(weight.double(), **options)]


SVD = torch.linalg.svd


def load(folder, model):
    return PeftModel.from_pretrained(base(model), folder).eval()


def logits(model):
    with torch.no_grad():
        return model(torch.tensor([IDS])).logits[0]


def figures(folder, model="post", fresh=False, **_):
    m = load(folder, model)
    modules = {name.removeprefix("base_model.model."): [l.r["default"], l.scaling["default"]]
               for name, l in m.named_modules() if isinstance(l, LoraLayer)}
    got = logits(m)
    torch.linalg.svd = svd64
    error = float((logits(load(folder, model)) - got).abs().max())
    torch.linalg.svd = SVD
    return dict(model=model, fresh=fresh, modules=modules, error=error, logits=[round(v, 7) for v in got.flatten().tolist()])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--out", default=HERE)
    out = p.parse_args().out
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    cases = {}
    for seed, (name, options) in enumerate(CASES.items()):
        folder = os.path.join(out, name)
        make(folder, seed, **options)
        cases[name] = figures(folder, **options)
    folder = os.path.join(out, "niter")
    make(folder, 99, **NITER)
    twice = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        twice.append(logits(load(folder, "post")))
    niter = float((twice[0] - twice[1]).abs().max())
    with open(os.path.join(out, "cases.json"), "w", encoding="utf-8") as f:
        json.dump(dict(ids=IDS, niter=niter, cases=cases), f, indent=None, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
