#!/usr/bin/env python3
"""Makes layouts.json: tokenizer folders in the layouts of transformers 4 and 5, and the ids that transformers gives.

    python layouts.py save DIR       writes the folders that this version's save_pretrained makes (4.46.3 and 5.23.0 were used)
    python layouts.py table DIR...   with transformers 5: those folders and the ones written below -> layouts.json
    python layouts.py compare        how many of layouts.json's ids this version gives too (4.46.3: its slow tokenizers)

All stand on the vocabulary of bpe/ and bpe_json/; layouts.json leaves it out, and the test puts it back.
"""

import json
import os
import random
import shutil
import sys
import tempfile

import transformers
from transformers import AddedToken, AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
FLAGS = ("lstrip", "rstrip", "single_word")

TEXTS = [
    "", " ", "def f(x):\n    return x", "<|user|>Print 7.<|bot|>x = 1</s>", " <|user|>  Hello \n<|bot|> there ", "<|user|><|bot|>",
    "<|user|", "a<|tool|>b", "a <|tool|> b", "the<mask>the", "the <mask> the", "the\n\t <mask>\u3000\u00a0the", "<s>one</s><pad>",
    "<s> one </s> <pad> <unk>", "</s></s>", "</s></s></s>", "<|user|><|user|>x", "<|tool|><|toolbox|><|tool|", "in <|end|>, <|endoftext|>.",
    "  <|left|>  <|right|>  <|both|>  ", "\n<|both|>\n\n<|left|>\n\n<|right|>\n\n", "x<|right|><|left|>y", "<|left|>", " <|right|>",
    "<|right|>\u0085\u2003<|left|>", "the_tool_the", "é<|bot|>日本", "<|sp |>  <|sp |>", "Instruction: i\nInput: x\nOutput: y",
]


def random_texts(n, seed):
    r = random.Random(seed)
    parts = ["<|user|>", "<|bot|>", "<|tool|>", "<|toolbox|>", "<|left|>", "<|right|>", "<|both|>", "<mask>", "<s>", "</s>", "</s></s>", "<pad>",
             "<unk>", "<|endoftext|>", "<|", "|>", " ", " ", "  ", "\n", "\t", "\u00a0", "the", "return", "7", "'s", "é", "."]
    return ["".join(r.choice(parts) for _ in range(r.randrange(2, 16))) for _ in range(n)]


def read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return json.load(f)


def token(content, special=True, normalized=False, **flags):
    return {"content": content, **{f: flags.get(f, False) for f in FLAGS}, "normalized": normalized, "special": special}


def typed(content, normalized=True):
    t = token(content, normalized=normalized)
    del t["special"]
    return {"__type": "AddedToken", **t}


def bare(t):
    return {k: v for k, v in t.items() if k != "special"}


VOCAB = read("bpe/vocab.json")
NEXT = len(VOCAB)
OPT = {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False, "errors": "replace", "unk_token": "</s>", "bos_token": "</s>",
       "eos_token": "</s>", "pad_token": "<pad>"}
FAST = {**OPT, "tokenizer_class": "PreTrainedTokenizerFast"}
CHAT = [token("<|user|>"), token("<|bot|>"), token("<|tool|>", special=False, normalized=True)]
STRIP = [token("<|left|>", lstrip=True), token("<|right|>", rstrip=True), token("<|both|>", lstrip=True, rstrip=True, special=False)]
ROUNDS = [token("<|tool|>", normalized=True), token("<|toolbox|>"), token("</s></s>", normalized=True), token("<|sp |>", rstrip=True)]
TEMPLATE = {"<s>": 0, "</s>": 2}


def decoder(tokens, **more):
    return {"1": token("<pad>", normalized=True), "2": token("</s>", normalized=True), **more,
            **{str(NEXT + i): t for i, t in enumerate(tokens)}}


def template(*pieces):
    return {"type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}} if p == "$A" else {"SpecialToken": {"id": p, "type_id": 0}} for p in pieces],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {p: {"id": p, "ids": [TEMPLATE[p]], "tokens": [p]} for p in pieces if p != "$A"}}


def tokenizer_json(tokens=(), post=None, **more):
    added = [{"id": VOCAB[t["content"]], **t} for t in (token("<pad>", normalized=True), token("</s>", normalized=True))]
    added += [{"id": VOCAB.get(t["content"], NEXT + i), **t} for i, t in enumerate(tokens)]
    return {**read("bpe_json/tokenizer.json"), "added_tokens": added, "post_processor": post, **more}


BYTES = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
ENDS = {"sep": ["</s>", 2], "cls": ["<s>", 0]}
ROBERTA = {"type": "RobertaProcessing", **ENDS, "trim_offsets": True, "add_prefix_space": False}


def written():
    """Folders by hand: the files that a version's save_pretrained does not write, or not together."""
    CONFIG, MAP, ADDED, JSON = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.json"
    objects = {k: bare(token(OPT[k], normalized=True)) for k in OPT if k.endswith("_token")}
    names = {k: OPT[k] for k in OPT if k.endswith("_token")}
    plain = {k: v for k, v in OPT.items() if k not in names}
    tool = {"<|user|>": NEXT, "<|bot|>": NEXT + 1, "<|tool|>": NEXT + 2}
    yield "opt-350m", {CONFIG: {**OPT, **{k: typed(v) for k, v in names.items()}, "add_bos_token": True, "special_tokens_map_file": None,
                                "name_or_path": "opt"}, MAP: objects}
    for bos in (None, False, True):
        for eos in (None, True):
            c = {k: v for k, v in {"add_bos_token": bos, "add_eos_token": eos}.items() if v is not None}
            yield f"vocab-bos-{bos}-eos-{eos}", {CONFIG: {**OPT, **c}}
    yield "vocab-null-bos", {CONFIG: {**OPT, "bos_token": None, "add_bos_token": True}}
    yield "vocab-other-bos", {CONFIG: {**OPT, "bos_token": "<s>", "add_bos_token": True}}
    yield "vocab-no-class", {CONFIG: {**names, "add_bos_token": True}}
    yield "map-alone", {MAP: objects}
    yield "map-of-strings", {MAP: names, CONFIG: {**plain, "add_bos_token": True}}
    yield "map-wins", {MAP: {**names, "bos_token": "<s>"}, CONFIG: {**OPT, "add_bos_token": True}}
    yield "map-loses-to-decoder", {MAP: {**names, "bos_token": "<s>"}, CONFIG: {**OPT, "add_bos_token": True, "added_tokens_decoder": decoder([])}}
    yield "map-extra-list", {MAP: {**names, "extra_special_tokens": ["<mask>", bare(token("<s>", lstrip=True))]}, CONFIG: plain}
    yield "decoder", {CONFIG: {**OPT, "add_bos_token": True, "added_tokens_decoder": decoder(CHAT)}}
    yield "decoder-strip", {CONFIG: {**OPT, "added_tokens_decoder": decoder(STRIP)}}
    yield "decoder-rounds", {CONFIG: {**OPT, "added_tokens_decoder": decoder(ROUNDS)}}
    yield "decoder-unsorted", {CONFIG: {**OPT, "added_tokens_decoder": dict(reversed(list(decoder(CHAT).items())))}}
    yield "decoder-mask", {CONFIG: {**OPT, "mask_token": "<mask>", "added_tokens_decoder": decoder(CHAT, **{str(VOCAB["<mask>"]): token("<mask>", lstrip=True)})}}
    yield "decoder-defaults", {CONFIG: {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, "added_tokens_decoder": {str(NEXT): token("<|endoftext|>")}}}
    yield "decoder-beside-added", {CONFIG: {**OPT, "added_tokens_decoder": decoder(CHAT[:2])}, ADDED: tool}
    yield "added", {CONFIG: OPT, ADDED: tool}
    yield "added-and-names", {MAP: {**names, "additional_special_tokens": ["<|user|>", "<|bot|>"]}, CONFIG: plain, ADDED: tool}
    yield "added-extra", {CONFIG: {**OPT, "extra_special_tokens": ["<|user|>", "<|bot|>"], "add_bos_token": True}, ADDED: tool}
    yield "extra-in-vocabulary", {CONFIG: {**OPT, "additional_special_tokens": ["<mask>", "<s>"]}}
    yield "extra-dict", {CONFIG: {**OPT, "extra_special_tokens": {"image_token": "<mask>"}}}
    yield "own-name", {CONFIG: {**OPT, "image_token": "<mask>", "model_specific_special_tokens": {"boi_token": "<s>"}}}
    yield "harmless", {CONFIG: {**OPT, "add_bos_token": True, "model_max_length": 4, "padding_side": "left", "clean_up_tokenization_spaces": True,
                                "chat_template": "{{ x }}", "pad_to_multiple_of": 8, "errors": "strict", "truncation_side": "right",
                                "model_input_names": ["input_ids"], "split_special_tokens": False, "trim_offsets": True, "backend": "tokenizers"}}
    posts = {"none": None, "bytes": BYTES, "bos": template("</s>", "$A"), "eos": template("$A", "</s>"), "both": template("<s>", "</s>", "$A", "</s>"),
             "roberta": ROBERTA, "bert": {"type": "BertProcessing", **ENDS},
             "sequence": {"type": "Sequence", "processors": [BYTES, template("</s>", "$A"), BYTES]},
             "two": {"type": "Sequence", "processors": [template("</s>", "$A"), ROBERTA]}}
    for name, post in posts.items():
        for c in (OPT, FAST):
            yield f"json-{name}-{c['tokenizer_class']}", {CONFIG: c, JSON: tokenizer_json(post=post)}
    for bos in (False, True):
        for post in ("none", "bos"):
            yield f"json-{post}-add-bos-{bos}", {CONFIG: {**OPT, "add_bos_token": bos, "add_eos_token": bos}, JSON: tokenizer_json(post=posts[post])}
    for c in (OPT, FAST):
        n = c["tokenizer_class"]
        yield f"json-chat-{n}", {CONFIG: c, JSON: tokenizer_json(CHAT, posts["bos"])}
        yield f"json-strip-{n}", {CONFIG: c, JSON: tokenizer_json(STRIP)}
        yield f"json-rounds-{n}", {CONFIG: c, JSON: tokenizer_json(ROUNDS)}
        yield f"json-decoder-{n}", {CONFIG: {**c, "added_tokens_decoder": decoder(CHAT)}, JSON: tokenizer_json(CHAT)}
        yield f"json-decoder-more-{n}", {CONFIG: {**c, "added_tokens_decoder": decoder(CHAT)}, JSON: tokenizer_json(CHAT[:1])}
        yield f"json-added-{n}", {CONFIG: c, JSON: tokenizer_json(CHAT[:1]), ADDED: tool}
        yield f"json-beside-vocab-{n}", {CONFIG: c, JSON: tokenizer_json(), "vocab.json": {"a": 0}, "merges.txt": "#version: 0.2\n"}
        yield f"json-extra-{n}", {CONFIG: {**c, "extra_special_tokens": ["<mask>"], "image_token": "<s>"}, JSON: tokenizer_json()}
        yield f"json-truncation-{n}", {CONFIG: c, JSON: tokenizer_json(
            truncation={"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
            padding={"strategy": {"Fixed": 12}, "direction": "Left", "pad_to_multiple_of": None, "pad_id": 1, "pad_type_id": 0, "pad_token": "<pad>"})}


def write(folder, files):
    os.makedirs(folder)
    if "tokenizer.json" not in files and "vocab.json" not in files:
        for name in ("vocab.json", "merges.txt"):
            shutil.copy(os.path.join(HERE, "bpe", name), folder)
    for name, content in {"config.json": {"model_type": "opt"}, **files}.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))


def save(out):
    """The folders that this version writes of the same tokenizer, plain and with tokens added."""
    version = transformers.__version__.split(".")[0]
    with tempfile.TemporaryDirectory() as tmp:
        made = dict(written())
        for name in ("decoder", "vocab-bos-False-eos-None", "opt-350m", "json-chat-PreTrainedTokenizerFast"):
            write(os.path.join(tmp, name), made[name])
            for fast in (False, True) if version == "4" else (True,):
                if "json" in name and not fast:
                    continue
                tok = AutoTokenizer.from_pretrained(os.path.join(tmp, name), use_fast=fast)
                kind = f"saved-{version}-{'fast' if fast else 'slow'}-{name}"
                tok.save_pretrained(os.path.join(out, kind))
                extra = "additional_special_tokens" if version == "4" else "extra_special_tokens"
                tok.add_tokens([AddedToken("<|left|>", lstrip=True), "<|toolbox|>"])
                tok.add_special_tokens({extra: [AddedToken("<|right|>", rstrip=True), "<|both|>"], "mask_token": AddedToken("<mask>", lstrip=True)})
                tok.save_pretrained(os.path.join(out, kind + "-more"))


def encode(folder, texts, **kw):
    tok = AutoTokenizer.from_pretrained(folder, **kw)
    return [list(tok(s)["input_ids"]) for s in texts]


def lean(folder):
    """A saved folder's files, less the vocabulary that all share."""
    files = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            files[name] = f.read()
        if name != "merges.txt":
            files[name] = json.loads(files[name])
    return files


def shorten(files):
    model = read("bpe_json/tokenizer.json")["model"]
    merges = open(os.path.join(HERE, "bpe/merges.txt"), encoding="utf-8").read()
    out = {}
    for name, content in files.items():
        if name == "tokenizer.json":
            content = dict(content)
            theirs = content.pop("model")
            assert theirs["vocab"] == model["vocab"] and [tuple(m) for m in theirs["merges"]] == [tuple(m) for m in model["merges"]]
        if name == "vocab.json" and content == VOCAB or name == "merges.txt" and content.strip() == merges.strip():
            content = None
        if name not in ("config.json",):
            out[name] = content
    if "tokenizer.json" not in out:
        out.setdefault("vocab.json"), out.setdefault("merges.txt")
    return out


def table(saved):
    assert transformers.__version__.startswith("5."), transformers.__version__
    texts = TEXTS + random_texts(40, 1)
    folders = dict(written())
    for s in saved:
        folders.update({d: lean(os.path.join(s, d)) for d in sorted(os.listdir(s))})
    rows, distinct = [], [[] for _ in texts]
    with tempfile.TemporaryDirectory() as tmp:
        for name, files in folders.items():
            write(os.path.join(tmp, name), files)
            ids = encode(os.path.join(tmp, name), texts)
            for one, known in zip(ids, distinct):
                if one not in known:
                    known.append(one)
            rows.append({"name": name, "files": shorten(files), "ids": [known.index(one) for one, known in zip(ids, distinct)]})
    with open(os.path.join(HERE, "layouts.json"), "w", encoding="utf-8") as f:
        f.write('{"transformers": %s, "texts": [\n' % json.dumps(transformers.__version__))
        f.write(",\n".join(json.dumps({"text": t, "ids": i}, separators=(",", ":")) for t, i in zip(texts, distinct)) + '],\n"layouts": [\n')
        f.write(",\n".join(json.dumps(r, separators=(",", ":")) for r in rows) + "\n]}\n")
    print(len(rows), "layouts of", len(texts), "texts")


def compare():
    f = read("layouts.json")
    model = read("bpe_json/tokenizer.json")["model"]
    texts = [t["text"] for t in f["texts"]]
    agreed = total = 0
    with tempfile.TemporaryDirectory() as tmp:
        for row in f["layouts"]:
            files = {k: v for k, v in row["files"].items() if v is not None}
            if "tokenizer.json" in files:
                files["tokenizer.json"]["model"] = model
            write(os.path.join(tmp, row["name"]), files)
            try:
                ids = encode(os.path.join(tmp, row["name"]), texts, use_fast="tokenizer.json" in files)
            except Exception as e:
                print(row["name"], "is not loaded:", type(e).__name__, str(e).strip()[:100])
                continue
            bad = [t["text"] for t, one, i in zip(f["texts"], ids, row["ids"]) if one != t["ids"][i]]
            agreed, total = agreed + len(ids) - len(bad), total + len(ids)
            if bad:
                print(row["name"], len(bad), "texts differ, as", repr(bad[0]))
    print("transformers", transformers.__version__, "agrees in", agreed, "of", total)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    {"save": lambda: save(sys.argv[2]), "table": lambda: table(sys.argv[2:]), "compare": compare}[sys.argv[1]]()
