#!/usr/bin/env python3
"""Makes this folder's tokenizer files and the ids and orders that the tests expect.

    python make.py tokenizer    needs tokenizers (0.23.3 was used): bpe/, bpe_json/, whole_words/, cases.json
    python make.py order        needs torch (2.11.0 was used): order.json
    python make.py parquet      needs pyarrow (see pyarrow.txt for the version used): parquet/

records.json is written by hand.
"""

import hashlib
import json
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# ---------------------------------------------------------------- tokenizer

NASTY = [
    "", " ", "  ", "\n", "\n\n\n", "\t", " \n", "\n ", "a  b", "a   b", "a \n b", "a\u00a0b", "end ", "end  ", "end\n",
    "it's I'm you're we've he'll she'd DON'T I'M 's 't 're 've 'm 'll 'd", "''s '' 's' 'x 'r 'v 'l '", "x=1;y=2",
    "def f(x):\n    return x\n", "\tif x:\n\t\treturn\n\n\n", "<p class=\"a\">Hi &amp; bye</p>",
    "1234567890 3.14 1,000 0xFF", "٣ ½ Ⅷ ² ①", "naïve café Ünïcödé", "日本語のテキスト", "한국어", "עברית العربية",
    "🙂👍🏽 👨‍👩‍👧 🏳️‍🌈", "\u00a0nbsp\u00a0\u00a0x", "\u2003em\u3000wide\u2028line\u2029para", "zero\u200bwidth\u2060",
    "\ufeffbom", "\r\n crlf\r\n\r\n", "\x0b\x0c vt ff\x1c\x1f", "\x00nul\x00\x01", "\x7fdel\x85nel\u180e", "a\u0301e\u0301",
    "“curly” — dash…", "----====####", " ### Answer:", "### Question: q\n ### Answer: a",
    "Instruction: i\nInput: x\nOutput: y", "!!!???", "a" * 63, "a" * 64, "a" * 65, "a" * 66, "the" * 30,
    "ab" * 70 + "-" * 129, " " * 200 + "x", "\n" * 100, "=" * 300, "é" * 50, "\U0001d54f\U0001d7d8", "\ufffd", "\U0010ffff",
    "\U00010d4a\U0001ccf0\u1c89", "<s>", "<unk> <mask>", "<pad>", "</s>", "a<pad>b</s>", " <pad> </s> x", "</s></s>",
    "<</s>>", "</s", "<pad", "<pa</s>d>", "don't</s>'s", "  </s>  ", "x\n<pad>\n\n", "</S><PAD>",
]


def random_texts(n, seed):
    """Texts of fragments that meet in ways nobody thinks of."""
    r = random.Random(seed)
    parts = [" ", " ", "  ", "\n", "\t", "\r\n", "'", "'s", "'re", "'ll", "the", "print", "x", "Q", "7", "12", "½", "é",
             "日", "🙂", "\u00a0", "\u3000", "\u200d", "\u0301", "\x00", "-", "==", "</", "s>", "</s>", "<pad>", "<", ">", "#",
             "\ufffd", "\U00010d40", "Output", ":", "."]
    return ["".join(r.choice(parts) for _ in range(r.randrange(1, 40))) for _ in range(n)]


def write(path, obj, **kw):
    path = os.path.join(HERE, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(obj, f, **kw)
        f.write("\n")


def classes(pre):
    """One letter for each code point: what the splitting pattern takes it for."""
    out = bytearray()
    for c in range(0x110000):
        ch = chr(c)
        if 0xD800 <= c <= 0xDFFF:
            out += b"-"
        elif len(pre.pre_tokenize_str("a" + ch)) == 1:
            out += b"L"
        elif len(pre.pre_tokenize_str("1" + ch)) == 1:
            out += b"N"
        elif len(pre.pre_tokenize_str("!" + ch)) == 1:
            out += b"O"
        else:
            out += b"S"
    return bytes(out)


def make_tokenizer():
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers
    with open(os.path.join(HERE, "records.json"), encoding="utf-8") as f:
        recs = json.load(f)
    texts = [f"Instruction: {r['instruction']}\nInput: {r.get('input', '')}\nOutput: {r['output']}" for r in recs]
    texts += [f"### Question: {r['instruction']}\n ### Answer: {r['output']}" for r in recs]
    pre = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre
    tok.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=640, show_progress=False, special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    trained = json.loads(tok.to_str())["model"]
    vocab, merges = trained["vocab"], [tuple(m) for m in trained["merges"]]
    vocab["<mask>"] = len(vocab)  # in OPT's vocabulary too there are tokens that no merge makes

    def opt(**kw):
        t = Tokenizer(models.BPE(vocab=vocab, merges=merges, **kw))
        t.pre_tokenizer = pre
        t.add_special_tokens([AddedToken("<pad>", normalized=True), AddedToken("</s>", normalized=True)])
        return t

    write("bpe/vocab.json", vocab, ensure_ascii=False)
    with open(os.path.join(HERE, "bpe/merges.txt"), "w", encoding="utf-8") as f:
        f.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    t = opt()
    write("bpe_json/tokenizer.json", json.loads(t.to_str()), ensure_ascii=False)

    # Tokens that no pair of the merges makes, taken whole; and special tokens that begin alike, one not normalized.
    whole_vocab = dict(vocab)
    for word in ("Ġparrot", "hello", "Ċ" * 3):
        whole_vocab.setdefault(word, len(whole_vocab))
    whole = Tokenizer(models.BPE(vocab=whole_vocab, merges=merges, ignore_merges=True))
    whole.pre_tokenizer = pre
    whole.add_special_tokens([AddedToken("<pad>", normalized=True), AddedToken("</s>", normalized=True),
                              AddedToken("</s></s>", normalized=True), AddedToken("pad>!", normalized=False)])
    write("whole_words/tokenizer.json", json.loads(whole.to_str()), ensure_ascii=False)
    more = ["a parrot says hello", "hello", "hellohello", "\n\n\n", "</s></s></s>", "</s><pad>", "<pad>!", "<pad><pad>!</s></s></s>", "<pad>!!"]

    def cases(t, texts):
        return [{"text": s, "ids": t.encode(s, add_special_tokens=False).ids} for s in texts]

    write("cases.json", {
        "bpe": cases(t, NASTY + random_texts(150, 1) + texts[:10]),
        "whole_words": cases(whole, NASTY + more + random_texts(50, 2)),
        "classes_sha256": hashlib.sha256(classes(pre)).hexdigest(),
    }, ensure_ascii=True)


# ---------------------------------------------------------------- order

def make_order():
    import torch

    def epochs(n, seed, count):
        g = torch.Generator()
        g.manual_seed(seed)
        return [torch.randperm(n, generator=g).tolist() for _ in range(count)]

    cases = [{"n": n, "seed": seed, "epochs": epochs(n, seed, count)}
             for n, seed, count in [(1, 42, 3), (2, 0, 4), (10, 42, 3), (50, 42, 3), (50, 43, 1), (700, 7, 2), (10, -1, 1),
                                    (10, 2**32 + 42, 1), (10, 2**63 - 1, 1)]]
    g = torch.Generator()
    g.manual_seed(42)
    big = torch.randperm(20022, generator=g)
    g.manual_seed(42)
    # The largest range of random_ takes 64 bits a draw; its lowest 63 are kept.
    draws = torch.empty(5, dtype=torch.int64).random_(generator=g)
    write("order.json", {
        "cases": cases,
        "codealpaca": {"n": 20022, "seed": 42, "sha256_of_int64_le": hashlib.sha256(big.numpy().tobytes()).hexdigest()},
        "random64_seed42_mod_2_63": [str(v) for v in draws.tolist()],
    })


# ---------------------------------------------------------------- parquet

def make_parquet():
    import pyarrow as pa
    import pyarrow.parquet as pq
    with open(os.path.join(HERE, "records.json"), encoding="utf-8") as f:
        recs = json.load(f)
    columns = {k: [r.get(k) for r in recs] for k in ("instruction", "input", "output")}
    out = os.path.join(HERE, "parquet")
    os.makedirs(out, exist_ok=True)
    plain = pa.table(columns)
    for codec in ("snappy", "zstd", "gzip", "brotli", "lz4", "none"):
        pq.write_table(plain, os.path.join(out, codec + ".parquet"), compression=codec)
    # As the datasets library writes them: 64-bit offsets, one more column, several row groups.
    large = pa.table({"id": list(range(len(recs))), **{k: pa.array(v, pa.large_string()) for k, v in columns.items()}})
    pq.write_table(large, os.path.join(out, "large_string.parquet"), row_group_size=7, data_page_version="2.0",
                   use_dictionary=False)
    pq.write_table(plain.drop_columns(["input"]), os.path.join(out, "no_input.parquet"))
    pq.write_table(plain.drop_columns(["output"]), os.path.join(out, "no_output.parquet"))
    pq.write_table(pa.table({**columns, "output": list(range(len(recs)))}), os.path.join(out, "output_is_int.parquet"))
    pq.write_table(pa.table({**columns, "output": [[s] for s in columns["output"]]}), os.path.join(out, "output_is_list.parquet"))
    pq.write_table(pa.table({**columns, "output": [None] + columns["output"][1:]}), os.path.join(out, "output_null.parquet"))
    # Where every value is None, pandas and pyarrow give the column the type null.
    none = [None] * len(recs)
    pq.write_table(pa.table({**columns, "input": none}), os.path.join(out, "null_input.parquet"))
    pq.write_table(pa.table({**columns, "output": none}), os.path.join(out, "null_output.parquet"))
    turn = pa.list_(pa.struct([("content", pa.string()), ("role", pa.string()), ("thinking", pa.string())]))

    def turns(*pairs):
        return [{"role": role, "content": content} for role, content in pairs]

    def messages(name, conversations):
        table = pa.table({"messages": pa.array(conversations, turn), "id": list(range(len(conversations)))})
        pq.write_table(table, os.path.join(out, name + ".parquet"), row_group_size=5)

    two = [turns(("user", r["instruction"]), ("assistant", r["output"])) for r in recs]
    messages("messages", two)
    messages("messages_system", two[:6] + [turns(("system", "Be brief.")) + two[6]])
    messages("messages_empty", [two[0], []])
    messages("messages_null", [two[0], turns(("user", "q"), ("assistant", None))])
    types = {"list": pa.list_(pa.string()), "struct": pa.struct([("x", pa.string())]), "map": pa.map_(pa.string(), pa.string()),
             "integer": pa.int16(), "bool": pa.bool_(), "float": pa.float32(), "decimal": pa.decimal128(9, 2), "date": pa.date32(), "time": pa.time64("us"),
             "timestamp": pa.timestamp("us")}
    pq.write_table(pa.table({k: pa.array([None], t) for k, t in types.items()}), os.path.join(out, "types.parquet"))
    pq.write_table(plain.slice(0, 0), os.path.join(out, "empty.parquet"))
    with open(os.path.join(HERE, "pyarrow.txt"), "w", encoding="utf-8") as f:
        f.write(f"pyarrow {pa.__version__}\n")


if __name__ == "__main__":
    {"tokenizer": make_tokenizer, "order": make_order, "parquet": make_parquet}[sys.argv[1]]()
