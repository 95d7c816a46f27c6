"""The texts of families.py, and what each character of Unicode does to them."""

import gzip
import hashlib
import json

from tokenizers import Regex, normalizers, pre_tokenizers

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

PARTS = [
    " ", " ", " ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", " \n", "\n  ", "\u00a0", "\u3000", "\u2003", "\u0085", "\x0b", "\u2028", "\u200b", "\ufeff",
    "'s", "'S", "'T", "'re", "'RE", "'lL", "'ve", "'M", "'d", "'\u017f", "'", "''", "the", "The", "return", "print", "function", "number", " value", " if",
    "def f(x):", "    return x", "for (int i = 0; i < n; i++) {", "x += 1;", "<p class=\"a\">", "&amp;", "http://a.b/c?d=e", "camelCase", "UPPER", "snake_case",
    "7", "12", "345", "6789", "1,000", "3.14", "0xFF", "\u0663", "\u00bd", "\u2167", "\u00b2", "\u2460", "\U00010d40", "\U00011de3", "\U00016ff5",
    "na\u00efve", "cafe\u0301", "\u00c5ngstr\u00f6m", "\u212b", "\u0344", "a\u0323\u0302", "a\u0302\u0323", "\u1e9b\u0323", "q\u0307\u0323", "e\u0301",
    "\u1112\u1161\u11ab", "\uac00\u11a8", "\ud55c\uad6d\uc5b4", "\u0301" * 35, "\u1dfa\u0316", "\u0898\u0316", "\U00011935\U00011930", "\u0958", "\u2126",
    "\u65e5\u672c\u8a9e\u306e", "\u30c6\u30ad\u30b9\u30c8", "\u4e2d\u6587", "\uf900", "\u05e2\u05d1\u05e8\u05d9\u05ea", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "\u0420\u0443\u0441\u0441\u043a\u0438\u0439", "\u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac", "\u0939\u093f\u0928\u094d\u0926\u0940", "\u0e44\u0e17\u0e22", "\u01c5",
    "\U0001f642", "\U0001f44d\U0001f3fd", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f3f3\ufe0f\u200d\U0001f308", "\u2581", "\u2581\u2581", "\ufffd",
    "\x00", "\x04", "\x7f", "\U00040000", "\U0010ffff", "\U0001d54f", "---", "====", "!!!", "...", "// ", "#", "\"", "\\n", "/", "_", "@", "(", ")", "[", "]",
    "<s>", "</s>", "<unk>", "<pad>", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot|>", "<caf\u00e9>", "<cafe\u0301>", "<left>", "<right>", "<0x0A>", "<",
]


def generated(n, seed):
    """Texts of parts, drawn by a generator that the Go test has too."""
    out, state = [], seed

    def draw(below):
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 33) % below

    for _ in range(n):
        out.append("".join(PARTS[draw(len(PARTS))] for _ in range(draw(24))))
    return out


def alpaca(path):
    """Texts without a prompt's own words, so that nothing but the file's text counts."""
    with gzip.open(path, "rt", encoding="utf-8") as f:
        return [f"{r['instruction']}\n{r['input']}\n{r['output']}" for r in json.load(f)[:1000]]


def code_points():
    """Digests of what each character does: to a contraction, to Digits, to NFC, and in \\p{..}. Planes 4 to 13 are empty."""
    split_l3 = pre_tokenizers.Split(Regex(LLAMA3), "isolated")
    digit = pre_tokenizers.Digits(individual_digits=True)
    nfc, nfd = normalizers.NFC(), normalizers.NFD()
    words, digits, composed = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    for c in [*range(0xD800), *range(0xE000, 0x40000), *range(0xE0000, 0xE1000)]:
        ch = chr(c)
        words.update(bytes(len(w) for w, _ in split_l3.pre_tokenize_str(f"a'{ch}e'l{ch}")))
        digits.update(bytes([len(digit.pre_tokenize_str(f"a{ch}a"))]))
        for s in (ch, f"a{ch}\u0334", f"\u05d0\u0316{ch}", f"{ch}\u0301", f"\u1100{ch}", nfd.normalize_str(ch)):
            composed.update(nfc.normalize_str(s).encode())
    every = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x40000), *range(0xE0000, 0xE1000)]))
    categories = {}
    for name in ("s", *(f"p{{{c}}}" for c in "L Lu Ll Lm Lo Lt M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp".split())):
        kept = pre_tokenizers.Split(Regex("\\" + name), "removed", invert=True).pre_tokenize_str(every)
        categories["\\" + name] = hashlib.sha256("".join(w for w, _ in kept).encode()).hexdigest()[:12]
    return {"categories": categories, "words": words.hexdigest(), "digits": digits.hexdigest(), "nfc": composed.hexdigest()}
