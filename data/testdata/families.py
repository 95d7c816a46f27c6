#!/usr/bin/env python3
"""Makes families.json: tokenizers in the layouts of Llama, Mistral, Qwen and SmolLM2, and the ids that transformers gives.

    python families.py                       needs transformers 5 (5.23.0 with tokenizers 0.23.3 was used)
    python families.py alpaca FILE.json.gz   adds to families.json the digests of the ids of CodeAlpaca's first 1,000 records
    python families.py smollm2 FOLDER FILE   adds those of SmolLM2's own tokenizer, in three layouts
"""

import hashlib
import json
import os
import random
import struct
import sys
import tempfile

import transformers
from families_texts import LLAMA3, PARTS, alpaca, code_points, generated
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
QWEN2 = LLAMA3.replace("{1,3}", "")
GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = [r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+",
            r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]


def read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return json.load(f)


def corpus():
    texts = [f"Instruction: {r['instruction']}\nInput: {r.get('input', '')}\nOutput: {r['output']}" for r in read("records.json")]
    r = random.Random(7)
    return texts * 3 + [" ".join(r.choice(PARTS) for _ in range(30)) for _ in range(60)]


def train(pre, size, alphabet):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre
    tok.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=alphabet, limit_alphabet=len(alphabet)))
    m = json.loads(tok.to_str())["model"]
    return m["vocab"], m["merges"]


def byte_model():
    """Byte-level, split as Llama 3 does. As in SmolLM2's, a few bytes have no token."""
    split = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    missing = [pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(c)[0][0][0] for c in ("\x04", "\U00040000")]
    vocab, merges = train(split, 700, sorted(set(pre_tokenizers.ByteLevel.alphabet()) - set(missing)))
    trained = {t for t in vocab}
    merges = [m for m in merges if not set(missing) & set("".join(m))]
    made = {"".join(m) for m in merges}
    kept = [t for t in sorted(trained, key=vocab.get) if len(t) == 1 and t not in missing or t in made]
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    whole = ["\u0120parrot", "Hello", "\u010a" * 5, "'\u00c5\u00bf"]  # reached by no merge: ignore_merges takes them
    return {"vocab": {t: i for i, t in enumerate(special + kept + whole)}, "merges": merges}


def piece_model():
    """As SentencePiece makes them: special tokens, bytes, pieces; the characters left out fall back to bytes."""
    alphabet = [chr(c) for c in range(33, 127)] + list("\u2581\u00e9\u00fc\u65e5\u0430\u0435")
    vocab, merges = train(pre_tokenizers.Metaspace(prepend_scheme="always", split=True), 600, alphabet)
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    u = "\u2581"
    spaces = [[u, u], [u * 2, u * 2], [u, u * 2], [u * 2, u], [u * 4, u * 4], [u * 2, u + "the"], [u, u + "the"]]
    merges = spaces[:5] + merges + [["\u65e5", "\u65e5"]]
    pieces = sorted(vocab, key=vocab.get) + [u * 2, u * 3, u * 4, u * 8, "\u65e5" * 2]
    return {"vocab": {t: i for i, t in enumerate(dict.fromkeys(tokens + pieces))}, "merges": merges}


def token(content, special=True, normalized=False, **flags):
    return {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": normalized, "special": special, **flags}


def template(bos, bos_id):
    return {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": bos, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {bos: {"id": bos, "ids": [bos_id], "tokens": [bos]}}}


def split(expression):
    return {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def byte_level(use_regex):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


DIGITS = {"type": "Digits", "individual_digits": True}
SPACES = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}
BYTE_NAMES = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "unk_token": "<|endoftext|>", "pad_token": "<|im_end|>"}
PIECE_NAMES = {"bos_token": token("<s>"), "eos_token": token("</s>"), "unk_token": token("<unk>"), "pad_token": None}
PIECE_NAMES = {k: v and {"__type": "AddedToken", **{f: x for f, x in v.items() if f != "special"}} for k, v in PIECE_NAMES.items()}
CHAT = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]


def metaspace(scheme):
    return {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": False}


class Maker:
    """Writes layouts over the vocabulary of one model."""

    def __init__(self, name, model):
        self.name, self.model, self.next = name, model, len(model["vocab"])

    def added(self, tokens):
        new = iter(range(self.next, self.next + len(tokens)))
        return [{"id": self.model["vocab"][t["content"]] if t["content"] in self.model["vocab"] else next(new), **t} for t in tokens]

    def files(self, config, model_type, tokens, decoder=True, post=None, normalizer=None, pre=None, **model):
        added = self.added(tokens)
        if decoder:
            config = {**config, "added_tokens_decoder": {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in added}}
        fields = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, **model}
        return {"model": self.name, "files": {
            "config.json": {"model_type": model_type}, "tokenizer_config.json": config,
            "tokenizer.json": {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": normalizer,
                               "pre_tokenizer": pre, "post_processor": post, "decoder": None, "model": fields}}}


def byte_layouts(m):
    chat = [token(t) for t in CHAT]
    more = chat + [token("<|eot|>"), token("<left>", lstrip=True), token("<right>", rstrip=True), token("<caf\u00e9>", special=False, normalized=True)]
    bos = template("<|im_start|>", 1)
    smol, l3, q2 = sequence(DIGITS, byte_level(True)), sequence(split(LLAMA3), byte_level(False)), sequence(split(QWEN2), byte_level(False))
    backend = {**BYTE_NAMES, "tokenizer_class": "TokenizersBackend", "backend": "tokenizers"}
    fast = {**BYTE_NAMES, "tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": ["input_ids", "attention_mask"]}
    gpt2 = {**BYTE_NAMES, "tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False, "additional_special_tokens": CHAT[:2], "vocab_size": 49152}
    qwen = {**BYTE_NAMES, "tokenizer_class": "Qwen2Tokenizer", "add_prefix_space": False, "add_bos_token": False, "bos_token": None, "unk_token": None,
            "errors": "replace", "split_special_tokens": False, "additional_special_tokens": CHAT[1:], "eos_token": "<|im_end|>"}
    nfc = {"type": "NFC"}
    post = {"type": "Sequence", "processors": [byte_level(True), bos]}
    yield "smollm2", m.files(backend, "llama", chat, decoder=False, pre=smol)
    yield "smollm2-gpt2-class", m.files(gpt2, "llama", chat, pre=smol)
    yield "llama3", m.files(fast, "llama", more, post=post, pre=l3, ignore_merges=True)
    yield "llama3-llama-class", m.files({**fast, "tokenizer_class": "LlamaTokenizerFast", "legacy": True}, "llama", more, post=post, pre=l3, ignore_merges=True)
    yield "llama3-no-class", m.files(BYTE_NAMES, "llama", more, decoder=False, post=post, pre=l3, ignore_merges=True)
    yield "qwen2", m.files(qwen, "qwen2", more, normalizer=nfc, pre=q2, post=byte_level(False))
    yield "qwen2-fast-class", m.files(fast, "qwen2", more, normalizer=None, pre=l3)
    yield "qwen2-llama-class", m.files({**qwen, "tokenizer_class": "LlamaTokenizerFast"}, "qwen2", more, normalizer=nfc, pre=q2)
    yield "qwen3", m.files(qwen, "qwen3", more, normalizer=nfc, pre=q2, post=byte_level(False))
    yield "qwen3-no-class", m.files({k: v for k, v in qwen.items() if k != "tokenizer_class"}, "qwen3", chat, decoder=False, normalizer=None, pre=l3)
    yield "qwen3-fast-class", m.files(fast, "qwen3", more, normalizer=nfc, pre=l3)
    yield "gpt4o", m.files(fast, "llama", more, pre=sequence(split(GPT4O), byte_level(False)))
    yield "deepseek", m.files(fast, "llama", more, normalizer=None, pre=sequence(*map(split, DEEPSEEK), byte_level(False)))
    yield "digits-then-llama3", m.files(fast, "llama", chat, normalizer=nfc, pre=sequence(DIGITS, split(LLAMA3), byte_level(False)))


def piece_layouts(m):
    base = [token("<unk>"), token("<s>"), token("</s>")]
    more = base + [token("<pad>"), token("<|im_start|>", special=False, normalized=True), token("<left>", lstrip=True), token("<right>", rstrip=True)]
    bos = template("<s>", 1)
    llama = {**PIECE_NAMES, "tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False, "legacy": False,
             "clean_up_tokenization_spaces": False, "sp_model_kwargs": {}, "padding_side": "right", "use_default_system_prompt": False}
    backend = {**PIECE_NAMES, "tokenizer_class": "TokenizersBackend"}
    flags = {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "post": bos}
    yield "llama2", m.files(llama, "llama", base, normalizer=SPACES, **flags)
    yield "llama2-legacy", m.files({**llama, "legacy": True}, "llama", more, normalizer=SPACES, **flags)
    yield "llama2-null-legacy", m.files({**llama, "legacy": None, "add_prefix_space": True}, "llama", more, normalizer=SPACES, **flags)
    yield "llama2-no-prefix", m.files({**llama, "add_prefix_space": False}, "llama", more, normalizer=SPACES, **flags)
    yield "llama2-no-names", m.files({"tokenizer_class": "LlamaTokenizer"}, "llama", base, decoder=False, normalizer=SPACES, **flags)
    yield "tinyllama", m.files(llama, "llama", more, normalizer=SPACES, **flags)
    yield "tinyllama-backend", m.files(backend, "llama", more, decoder=False, normalizer=SPACES, **flags)
    yield "mistral", m.files({**llama, "legacy": True, "additional_special_tokens": []}, "mistral", base, normalizer=SPACES, **flags)
    yield "mistral-normalized", m.files(backend, "mistral", [token(t["content"], normalized=True) for t in base], normalizer=SPACES, **flags)
    yield "mistral-v3", m.files({**llama, "add_prefix_space": True}, "mistral", more, pre=metaspace("first"), **flags)
    yield "metaspace-always", m.files(backend, "llama", more, pre=metaspace("always"), **flags)
    yield "metaspace-never", m.files(backend, "llama", more, pre=metaspace("never"), **flags)


def write(folder, files, model):
    os.makedirs(folder)
    for name, content in files.items():
        if name == "tokenizer.json":
            content = {**content, "model": {**content["model"], **model}}
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            json.dump(content, f, ensure_ascii=False)


def digests(tok, texts):
    """One digest of the ids of each ten texts."""
    out = []
    for i in range(0, len(texts), 10):
        h = hashlib.sha256()
        for s in texts[i:i + 10]:
            ids = tok(s)["input_ids"]
            h.update(struct.pack(f"<{len(ids) + 1}i", len(ids), *ids))
        out.append(h.hexdigest()[:12])
    return out


def saved(folder, model):
    """The files that save_pretrained writes, less vocabulary and merges."""
    files = {"config.json": read(os.path.join(folder, "..", "config.json"))}
    for name in ("tokenizer_config.json", "tokenizer.json"):
        files[name] = read(os.path.join(folder, name))
    theirs = files["tokenizer.json"]["model"]
    assert theirs.pop("vocab") == model["vocab"] and theirs.pop("merges") == model["merges"]
    return files


def save(f):
    rows = [json.dumps(r, ensure_ascii=True, separators=(",", ":")) for r in f.pop("layouts")]
    with open(os.path.join(HERE, "families.json"), "w", encoding="utf-8") as out:
        out.write(json.dumps(f, ensure_ascii=True, separators=(",", ":"))[:-1] + ',\n"layouts":[\n' + ",\n".join(rows) + "\n]}\n")


SAVED = ("smollm2-gpt2-class", "llama3-llama-class", "qwen2", "llama2", "llama2-legacy", "mistral-v3")


def add(f, name, row, tok, texts):
    """Adds a layout with the ids of the first texts, as an index among the different ones, and the digests of all."""
    which = []
    for text in f["texts"]:
        ids = list(tok(text["text"])["input_ids"])
        if ids not in text["ids"]:
            text["ids"].append(ids)
        which.append(text["ids"].index(ids))
    f["layouts"].append({"name": name, **row, "class": type(tok).__name__, "ids": which, "digests": digests(tok, texts)})


def make():
    assert transformers.__version__.startswith("5."), transformers.__version__
    f = {"transformers": transformers.__version__, "parts": PARTS, "seed": 21, "generated": 2000, "models": {}, "layouts": []}
    texts = generated(f["generated"], f["seed"])
    f["texts"], f["code_points"] = [{"text": t, "ids": []} for t in texts[:60]], code_points()
    with tempfile.TemporaryDirectory() as tmp:
        for maker, layouts in ((Maker("bytes", byte_model()), byte_layouts), (Maker("pieces", piece_model()), piece_layouts)):
            f["models"][maker.name] = maker.model
            for name, row in layouts(maker):
                folder = os.path.join(tmp, name)
                write(folder, row["files"], maker.model)
                add(f, name, row, AutoTokenizer.from_pretrained(folder), texts)
                if name in SAVED:
                    AutoTokenizer.from_pretrained(folder).save_pretrained(os.path.join(folder, "saved"))
                    again = {**row, "files": saved(os.path.join(folder, "saved"), maker.model)}
                    add(f, "saved-5-" + name, again, AutoTokenizer.from_pretrained(os.path.join(folder, "saved"), config=AutoConfig.from_pretrained(folder)), texts)
    print(len(f["layouts"]), "layouts of", len(texts), "texts")
    save(f)


def add_alpaca(path):
    f, texts = read("families.json"), alpaca(path)
    with tempfile.TemporaryDirectory() as tmp:
        for row in f["layouts"]:
            folder = os.path.join(tmp, row["name"])
            write(folder, row["files"], f["models"][row["model"]])
            row["alpaca"] = digests(AutoTokenizer.from_pretrained(folder), texts)
    save(f)


def own_layouts(folder):
    """SmolLM2's tokenizer as transformers writes it from the GGUF file, which lacks Digits, and as its repository has it."""
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as f:
        own = json.load(f)
    digits = {**own, "pre_tokenizer": sequence(DIGITS, byte_level(True))}
    backend = {**BYTE_NAMES, "tokenizer_class": "TokenizersBackend"}
    yield "as-written", own, backend
    yield "digits", digits, backend
    yield "digits-gpt2-class", digits, {**backend, "tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False}


def add_smollm2(folder, path):
    f = read("families.json")
    texts, f["smollm2"] = generated(f["generated"], f["seed"]), []
    with tempfile.TemporaryDirectory() as tmp:
        for name, own, config in own_layouts(folder):
            files = {"config.json": {"model_type": "llama"}, "tokenizer_config.json": config, "tokenizer.json": own}
            write(os.path.join(tmp, name), files, {})
            tok = AutoTokenizer.from_pretrained(os.path.join(tmp, name))
            f["smollm2"].append({"name": name, "files": {k: v for k, v in files.items() if k != "tokenizer.json"},
                                 "pre_tokenizer": own["pre_tokenizer"], "class": type(tok).__name__, "digests": digests(tok, texts),
                                 "alpaca": digests(tok, alpaca(path))})
    save(f)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    {"": make, "alpaca": add_alpaca, "smollm2": add_smollm2}[sys.argv[1] if len(sys.argv) > 1 else ""](*sys.argv[2:])
