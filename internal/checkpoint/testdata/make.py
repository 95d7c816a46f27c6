"""Writes the fixtures of the package's tests beside this file.

Run it with a Python that has torch and safetensors; these were written with
torch 2.11.0 and safetensors 0.8.0:

    python internal/checkpoint/testdata/make.py

expected.json holds, for each file that can be read, each tensor's dtype, shape
and bytes (hex, little endian, row major), and for floating dtypes the bytes of
tensor.to(torch.float32).
"""

import json
import os
import shutil
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).resolve().parent
DTYPES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float64: "F64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
expected = {}


def raw(t):
    return t.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes().hex()


def expect(name, tensors):
    expected[name] = {
        key: {"dtype": DTYPES[t.dtype], "shape": list(t.shape), "data": raw(t)}
        | ({"float32": raw(t.to(torch.float32))} if t.is_floating_point() else {})
        for key, t in tensors.items()
    }


def save(name, obj, tensors=None, **options):
    torch.save(obj, HERE / name, **options)
    if tensors is not None:
        expect(name, tensors)


def rezip(source, name, method=zipfile.ZIP_STORED, replace=None):
    """Copies an archive entry by entry, as a repacking tool would."""
    with zipfile.ZipFile(HERE / source) as old, zipfile.ZipFile(HERE / name, "w") as new:
        for info in old.infolist():
            data = (replace or {}).get(info.filename.split("/", 1)[1], old.read(info))
            entry = zipfile.ZipInfo(info.filename, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = method
            new.writestr(entry, data)


def main():
    for old in HERE.iterdir():
        if old.is_dir() and old.name.startswith("sharded"):
            shutil.rmtree(old)
        elif old.suffix in {".bin", ".safetensors", ".json"}:
            old.unlink()

    special = [0.0, -0.0, 1.5, -2.75, float("inf"), float("-inf"), float("nan"), 6e-8, 65504.0, 1e-5]
    plain = OrderedDict(
        f32=torch.tensor(special),
        f16=torch.tensor(special, dtype=torch.float16),
        bf16=torch.tensor(special, dtype=torch.bfloat16),
        f64=torch.tensor(special + [1e300, 0.1], dtype=torch.float64),
        i64=torch.tensor([[-1, 2**62], [0, 7]]),
        i32=torch.tensor([-1, 2**30], dtype=torch.int32),
        i16=torch.tensor([-1, 2**14], dtype=torch.int16),
        i8=torch.tensor([-1, 2], dtype=torch.int8),
        u8=torch.tensor([255, 2], dtype=torch.uint8),
        bool=torch.tensor([True, False, True]),
        scalar=torch.tensor(2.5),
        empty=torch.empty(0, 3),
    )
    plain["déjà.vu"] = torch.tensor([1.0])
    base = torch.arange(24, dtype=torch.float32)
    grid = base.view(4, 6)
    views = OrderedDict(
        whole=grid,
        transposed=grid.t(),
        offset=base[5:9],
        block=grid[1:3, 2:5],
        every_third=base[1::3],
        permuted=base.view(2, 3, 4).permute(2, 0, 1),
        same=grid,
        expanded=torch.tensor([[7], [8]], dtype=torch.int16).expand(2, 5),
        one_row=grid[2:3],
        parameter=nn.Parameter(torch.tensor([0.5, 0.25])),
        frozen=nn.Parameter(torch.tensor([1.0]), requires_grad=False),
    )

    save("plain.bin", plain, plain)
    for protocol in (2, 3, 4, 5):
        save(f"views-p{protocol}.bin", dict(views), views, pickle_protocol=protocol)
    torch.manual_seed(0)
    linear = nn.Linear(3, 2).state_dict()
    save("module.bin", linear, linear)  # an OrderedDict with the attribute _metadata
    save("wrapped.bin", {"state_dict": linear}, linear)
    rezip("module.bin", "deflated.bin", method=zipfile.ZIP_DEFLATED)
    expect("deflated.bin", linear)
    torch.serialization.set_crc32_options(False)
    save("nocrc.bin", linear, linear)
    torch.serialization.set_crc32_options(True)

    save_file(dict(plain), HERE / "plain.safetensors", metadata={"format": "pt", "note": "naïve"})
    expect("plain.safetensors", plain)

    halves = (["f16", "f32", "scalar"], ["bf16", "i64"])
    for suffix, stem, ending in (("", "model", "safetensors"), ("-bin", "pytorch_model", "bin")):
        folder = HERE / f"sharded{suffix}"
        folder.mkdir()
        weight_map, total = {}, 0
        for i, names in enumerate(halves, 1):
            shard = f"{stem}-{i:05d}-of-{len(halves):05d}.{ending}"
            tensors = {n: plain[n] for n in names}
            if ending == "bin":
                torch.save(tensors, folder / shard)
            else:
                save_file(tensors, folder / shard, metadata={"format": "pt"})
            weight_map |= {n: shard for n in names}
            total += sum(t.nbytes for t in tensors.values())
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        (folder / f"{stem}.{ending}.index.json").write_text(json.dumps(index, indent=2) + "\n")
        expect(folder.name, {n: plain[n] for names in halves for n in names})

    # What is refused.
    save("bad-legacy.bin", linear, _use_new_zipfile_serialization=False)
    save("bad-legacy-p4.bin", linear, _use_new_zipfile_serialization=False, pickle_protocol=4)
    save("bad-checkpoint.bin", {"state_dict": linear, "epoch": 3})
    save("bad-int.bin", {"w": torch.ones(1), "epoch": 3})
    save("bad-none.bin", {"w": torch.ones(1), "b": None})
    save("bad-list.bin", [torch.ones(1)])
    save("bad-key.bin", {0: torch.ones(1)})
    save("bad-code.bin", {"f": os.getcwd})
    save("bad-whole-module.bin", nn.Linear(1, 1))
    save("bad-float8.bin", {"w": torch.ones(1).to(torch.float8_e4m3fn)})
    save("bad-sparse.bin", {"w": torch.eye(2).to_sparse()})
    save("bad-lazy-negation.bin", {"w": torch._neg_view(torch.ones(1))})
    save("bad-expanded.bin", {"w": torch.ones(1).expand(10**6, 10**6)})
    rezip("module.bin", "bad-byteorder.bin", replace={"byteorder": b"big"})
    rezip("module.bin", "bad-storage.bin", replace={"data/0": b"\0" * 20})
    torch.jit.script(nn.Identity()).save(HERE / "bad-torchscript.bin")

    for path in HERE.rglob("*.safetensors"):
        path.chmod(0o644)  # save_file leaves 0600
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


main()
