#!/usr/bin/env python3
"""Computes logits with transformers and PEFT: the judge of an adapter folder written by anything else.

    python peft_check.py ADAPTER_DIR MODEL_DIR IDS_JSON OUT.json

IDS_JSON holds a list of lists of token ids. Each is run alone, without padding, in eval mode and float32 on the CPU,
eager attention. OUT.json gets {"versions": {...}, "logits": [list of T x V for each of them, in order]}; numbers are
float32 values written with enough digits to be read back exactly.

PEFT only warns about adapter tensors that do not fit the model and leaves the initial values in their place. Here that
is an error, as is anything else amiss: exit status 1 and one line on stderr, and no OUT.json. Nothing is read from the
network. Where torch, transformers or peft is missing the status is 3, for a test to skip.
"""

import json
import os
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")  # stderr is for the one line that counts
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", CUDA_VISIBLE_DEVICES="")


class Refused(Exception):
    """An input that cannot be used; the text says which and why."""


def read_ids(path):
    """The token ids, checked to be a list of non-empty lists of integers."""
    try:
        with open(path, encoding="utf-8") as f:
            rows = json.load(f)
    except (OSError, ValueError) as err:
        raise Refused(f"{path}: {err}") from err
    if not isinstance(rows, list) or not rows:
        raise Refused(f"{path}: want a list of lists of token ids, have {str(rows)[:60]}")
    for i, row in enumerate(rows):
        if not isinstance(row, list) or not row or not all(type(t) is int and t >= 0 for t in row):
            raise Refused(f"{path}: row {i}: want a non-empty list of token ids, have {str(row)[:60]}")
    return rows


def load_model(folder):
    """The model in float32. A missing folder must not be taken for the name of a model on the Hub."""
    import torch
    from transformers import AutoModelForCausalLM
    if not os.path.isfile(os.path.join(folder, "config.json")):
        raise Refused(f"{folder}: no config.json there; give the folder of a model")
    model, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager",
                                                       local_files_only=True, output_loading_info=True)
    for what, names in info.items():
        if names:
            raise Refused(f"{folder}: {what} of the weights: {str(names)[:300]}")
    return model


def add_adapter(model, folder):
    """The model with the adapter, every tensor of the file used and none missing."""
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors.torch import load_file
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not os.path.isfile(os.path.join(folder, name)):
            raise Refused(f"{folder}: no {name} there; give the folder of a PEFT adapter")
    try:
        model = PeftModel.from_pretrained(model, folder)
    except Exception as err:  # PEFT raises all kinds, and names no file
        raise Refused(f"{folder}: PEFT cannot load it: {type(err).__name__}: {err}") from err
    saved = get_peft_model_state_dict(model, save_embedding_layers=False)
    want = {k: tuple(v.shape) for k, v in saved.items()}
    have = {k: tuple(v.shape) for k, v in load_file(os.path.join(folder, "adapter_model.safetensors")).items()}
    for key in sorted(want.keys() | have.keys()):
        if want.get(key) != have.get(key):
            raise Refused(f"{folder}/adapter_model.safetensors: {key} has shape "
                          f"{have.get(key, 'none: it is missing')}, PEFT wants {want.get(key, 'no such tensor')}")
    return model.eval()


def check(adapter_dir, model_dir, ids_json, out):
    import peft
    import torch
    import transformers
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    rows = read_ids(ids_json)
    model = add_adapter(load_model(model_dir), adapter_dir)
    config, logits = model.get_base_model().config, []
    for i, row in enumerate(rows):
        if max(row) >= config.vocab_size or len(row) > config.max_position_embeddings:
            raise Refused(f"{ids_json}: row {i}: {len(row)} ids up to {max(row)}, but {model_dir} has "
                          f"{config.max_position_embeddings} positions and ids below {config.vocab_size}")
        with torch.no_grad():
            out_row = model(input_ids=torch.tensor([row]), use_cache=False).logits[0]
        if not out_row.isfinite().all():
            raise Refused(f"{adapter_dir}: the logits of row {i} of {ids_json} are not finite")
        logits.append(out_row.tolist())
    versions = {m.__name__: m.__version__.split("+")[0] for m in (torch, transformers, peft)}
    fd, beside = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(out)))
    with os.fdopen(fd, "w", encoding="utf-8") as f:
        json.dump({"versions": versions, "logits": logits}, f)
        f.write("\n")
    os.replace(beside, out)


def main(args):
    if len(args) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        import peft  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as err:
        print(f"peft_check: {err}; pip install -r requirements.txt", file=sys.stderr)
        return 3
    try:
        check(*args)
    except Exception as err:  # the libraries raise all kinds; each must become one line
        reason = " ".join(str(err).split())
        kind = "" if isinstance(err, Refused) else f"{type(err).__name__}: "
        print(f"peft_check: {kind}{reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
