"""The byte-level BPE vocabulary in OPT's layout, and what can go wrong with it."""

import json

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SIZE = 1024
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]  # ids 0 to 3, as in OPT
BOS = 2  # OPT's tokenizer puts </s> first and has no other BOS
ANSWER = " ### Answer:"


def reported(r):
    """The text of the `reported` recipe."""
    given = f"Input: {r['input']}\n" if r["input"] else ""
    return f"Instruction: {r['instruction']}\n{given}Output: {r['output']}"


def assigned(r):
    """The text of the `assigned` recipe. It leaves the input out."""
    return f"### Question: {r['instruction']}\n ### Answer: {r['output']}"


def train(records):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=SIZE, special_tokens=SPECIAL, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tok.train_from_iterator((form(r) for r in records for form in (reported, assigned)), trainer)
    state = json.loads(tok.to_str())["model"]
    vocab = dict(sorted(state["vocab"].items(), key=lambda kv: kv[1]))
    merges = [" ".join(m) if isinstance(m, list) else m for m in state["merges"]]
    if list(vocab.values()) != list(range(SIZE)) or list(vocab)[:4] != SPECIAL:
        raise ValueError(f"vocabulary: {len(vocab)} entries, first {list(vocab)[:4]}; want {SIZE} starting with {SPECIAL}")
    if len(merges) != SIZE - len(SPECIAL) - 256:
        raise ValueError(f"merges: {len(merges)}, want {SIZE - len(SPECIAL) - 256}")
    return vocab, merges


def load(vocab, merges):
    """The tokenizer as a reader of vocab.json and merges.txt builds it: nothing of the trainer's object is left."""
    tok = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(m.split(" ")) for m in merges]))
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    return tok


def check_answer_marker(tok, records):
    """Completion-only loss looks for the ids of " ### Answer:" in the text's ids: they have to be there, once, in its place."""
    marker = tok.encode(ANSWER).ids
    for r in records:
        text = assigned(r)
        e = tok.encode(text)
        found = [i for i in range(len(e.ids)) if e.ids[i:i + len(marker)] == marker]
        where = len(f"### Question: {r['instruction']}\n")
        if len(found) != 1 or e.offsets[found[0] + len(marker) - 1][1] != where + len(ANSWER):
            raise ValueError(f"{ANSWER!r} is not tokenized as {marker} in {text!r}")
        if tok.decode(e.ids) != text:
            raise ValueError(f"decoding does not give back {text!r}")
