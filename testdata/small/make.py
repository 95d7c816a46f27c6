#!/usr/bin/env python3
"""Makes the small model's data: pretrain.jsonl.gz, train.jsonl.gz, vocab.json and merges.txt.

Two sets of instructions, drawn differently on purpose:

pretrain.jsonl.gz is what the base model is to know: every family in dialect A (Python, SQL in capitals, JSON, Unix
commands, lists with commas), release 1 of the invented library Tarn, and a small share of dialect B where the
instruction asks for it by name.

train.jsonl.gz is what fine-tuning is to teach: the same tasks in dialect B unasked, five tasks the base has only seen
from the other side or not at all (CSS, git, HTML, repair, complete), and release 2 of Tarn, with every fact changed.
So there is something to learn by adapting q_proj and v_proj only: the dialect, which should take few directions, and 300
facts, meant to take many (gen/tarn.py says how far the base knows them and what is not shown).

Everything follows from the seed: no clock, no hash order, no network.
"""

import argparse
import gzip
import io
import json
import os
import random
import sys
import tempfile
from itertools import islice

from gen import code, everyday, notation, tarn, verify, vocab
from gen.record import A, B

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = 20240501

# (family, records)
PRETRAIN = [
    (code.expression, 2600), (code.function, 1500), (code.loop, 1000), (code.klass, 700), (code.test, 300),
    (code.explain, 1400), (notation.sql, 1600), (notation.entry, 600), (notation.shell, 600), (notation.git, 450),
    (notation.css, 500), (notation.html, 250), (everyday.words, 1000), (everyday.numbers, 1000),
    (everyday.arithmetic, 700), (everyday.conversion, 500), (tarn.ask, 4300),
]
TRAIN = [
    (code.expression, 440), (code.function, 260), (code.loop, 180), (code.klass, 130), (code.test, 60),
    (code.explain, 230), (code.repair, 100), (code.complete, 120), (notation.sql, 300), (notation.entry, 120),
    (notation.shell, 140), (notation.git, 120), (notation.css, 120), (notation.html, 60), (everyday.words, 180),
    (everyday.numbers, 180), (everyday.arithmetic, 120), (everyday.conversion, 100), (tarn.ask, 1260),
]


def draw(plan, style, taken):
    """The set's records in a fixed random order, their instructions all different and none in `taken`."""
    out = []
    for family, count in plan:
        rng = random.Random(f"{SEED}/{style}/{family.__name__}")  # a family's change leaves the others as they were
        n = tries = 0
        todo = iter(tarn.in_turn(rng)) if family is tarn.ask else None
        name = next(todo) if todo else None
        while n < count:
            r = family(rng, style, name) if todo else family(rng, style)
            tries += 1
            if r.instruction in taken or too_long(r):
                if tries > 50 * count:
                    raise ValueError(f"{family.__name__}: only {n} of {count} different instructions in {tries} tries")
                continue
            taken.add(r.instruction)
            out.append((family.__name__, r))
            n += 1
            name = next(todo) if todo else None
    random.Random(f"{SEED}/{style}/order").shuffle(out)
    return out


def too_long(r):
    # Its tokens are not known yet; this many characters are under 120 of them, which table() makes sure of.
    return len(r.instruction) + len(r.input) + len(r.output) > 225


def fields(r):
    return {"instruction": r.instruction, "input": r.input, "output": r.output}


def lines(records):
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records).encode()


def pack(data):
    """gzip without time and name, so that the same data gives the same file."""
    buf = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buf, compresslevel=9, mtime=0) as f:
        f.write(data)
    return buf.getvalue()


def build():
    """({file name: bytes}, [line of a report])"""
    taken = set()
    sets = {"pretrain": draw(PRETRAIN, A, taken), "train": draw(TRAIN, B, taken)}
    ran = verify.run([r for s in sets.values() for _, r in s])
    plain = {name: [fields(r) for _, r in s] for name, s in sets.items()}
    everything = plain["pretrain"] + plain["train"]
    words, merges = vocab.train(everything)
    tok = vocab.load(words, merges)
    vocab.check_answer_marker(tok, everything)
    files = {f"{name}.jsonl.gz": pack(lines(records)) for name, records in plain.items()}
    files["vocab.json"] = (json.dumps(words, ensure_ascii=False) + "\n").encode()
    files["merges.txt"] = ("#version: 0.2\n" + "\n".join(merges) + "\n").encode()
    report = [f"run and right: {ran['python']} Python, {ran['sql']} SQL, "
              + (f"{ran['javascript']} JavaScript" if ran["javascript"] else "no JavaScript (there is no node)")]
    report += table(tok, plain, files)
    return files, report


def table(tok, plain, files):
    """Figures of the sets for README.md."""
    rows = {name: [len(e.ids) + 1 for e in tok.encode_batch([vocab.reported(r) for r in records])]
            for name, records in plain.items()}
    for name, n in rows.items():
        if max(n) >= 120:
            longest = plain[name][n.index(max(n))]
            raise ValueError(f"{name}: a record of {max(n)} tokens, want under 120: {longest}")
    out = ["| | pretrain | train |", "| --- | ---: | ---: |"]

    def row(label, value):
        out.append(f"| {label} | {value('pretrain')} | {value('train')} |")

    row("records", lambda s: f"{len(plain[s]):,}")
    row("without input", lambda s: f"{sum(not r['input'] for r in plain[s]) / len(plain[s]):.0%}")
    row("bytes packed", lambda s: f"{len(files[s + '.jsonl.gz']):,}")
    row("tokens with BOS", lambda s: f"{sum(rows[s]):,}")
    row("tokens a record: mean", lambda s: f"{sum(rows[s]) / len(rows[s]):.1f}")
    for q in (5, 25, 50, 75, 95):
        row(f"{q} % have at most", lambda s: str(sorted(rows[s])[len(rows[s]) * q // 100]))
    row("longest", lambda s: str(max(rows[s])))
    row("padded tokens for each real one, 4 x in file order", lambda s: f"{padding(rows[s], 4):.2f}")
    row("the same, 8 x", lambda s: f"{padding(rows[s], 8):.2f}")
    seen = {s: {i for r in plain[s] for i in tok.encode(vocab.reported(r)).ids} for s in plain}
    row("different tokens", lambda s: str(len(seen[s])))
    unseen = sorted(seen["train"] - seen["pretrain"])
    out.append("")
    out.append(f"tokens in train that pretrain lacks: {len(unseen)} {[tok.id_to_token(i) for i in unseen]}")
    return out


def padding(lengths, size):
    it, padded = iter(lengths), 0
    while batch := list(islice(it, size)):
        padded += max(batch) * len(batch)
    return padded / sum(lengths)


def unpacked(name, data):
    # zlib and its successors pack the same bytes differently; what they hold is what has to be the same.
    return gzip.decompress(data) if name.endswith(".gz") else data


def write(files, folder):
    for name, data in files.items():
        part = os.path.join(folder, name + ".part")
        with open(part, "wb") as f:
            f.write(data)
        os.replace(part, os.path.join(folder, name))


def check(files, folder):
    """The differences between fresh files and those in `folder`."""
    wrong = []
    with tempfile.TemporaryDirectory() as fresh:
        write(files, fresh)
        for name in files:
            try:
                with open(os.path.join(folder, name), "rb") as f:
                    old = f.read()
            except FileNotFoundError:
                wrong.append(f"{name}: missing in {folder}: run make.py")
                continue
            with open(os.path.join(fresh, name), "rb") as f:
                new = f.read()
            if old == new:
                continue
            if unpacked(name, old) == unpacked(name, new):
                print(f"{name}: the same records, packed by another zlib")
            else:
                wrong.append(f"{name}: differs from what make.py makes: run make.py, or undo the change")
    return wrong


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--check", action="store_true", help="make everything again and compare with the files here; exit 1 on a difference")
    p.add_argument("--out", default=HERE, help="folder to write to, or to check (default: this one)")
    a = p.parse_args(argv)
    files, report = build()
    print("\n".join(report))
    if not a.check:
        write(files, a.out)
        return 0
    wrong = check(files, a.out)
    print("\n".join(wrong) if wrong else "the files are what make.py makes")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
