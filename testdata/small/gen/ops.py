"""What the functions of the code families compute: one table, each row in Python, in JavaScript and in words.

{p} is the parameter, {k} a small number, {c} a letter. `ref` computes the same by other means, so that a wrong
expression is found when the data is made (see verify.py).
"""

from dataclasses import dataclass
from typing import Callable


@dataclass(frozen=True)
class Op:
    name: str        # snake case; dialect B writes it in camel case
    phrase: str      # after "a function that returns"
    takes: str       # "numbers", "words", "string" or "number"
    python: str
    javascript: str
    ref: Callable    # (argument, k, c) -> result


def _seen_once(items):
    out = []
    for x in items:
        if x not in out:
            out.append(x)
    return out


OPS = [
    Op("sum_of", "the sum of {p}", "numbers", "sum({p})", "{p}.reduce((a, b) => a + b, 0)",
       lambda p, k, c: -sum(-x for x in p)),
    Op("largest", "the largest of {p}", "numbers", "max({p})", "Math.max(...{p})", lambda p, k, c: sorted(p)[-1]),
    Op("smallest", "the smallest of {p}", "numbers", "min({p})", "Math.min(...{p})", lambda p, k, c: sorted(p)[0]),
    Op("mean_of", "the mean of {p}", "numbers", "sum({p}) / len({p})",
       "{p}.reduce((a, b) => a + b, 0) / {p}.length", lambda p, k, c: sum(p) / len(p)),
    Op("evens", "the even values of {p}", "numbers", "[x for x in {p} if x % 2 == 0]",
       "{p}.filter(x => x % 2 === 0)", lambda p, k, c: [x for x in p if not x & 1]),
    Op("odds", "the odd values of {p}", "numbers", "[x for x in {p} if x % 2 == 1]",
       "{p}.filter(x => x % 2 === 1)", lambda p, k, c: [x for x in p if x & 1]),
    Op("above", "the values of {p} above {k}", "numbers", "[x for x in {p} if x > {k}]",
       "{p}.filter(x => x > {k})", lambda p, k, c: [x for x in p if not x <= k]),
    Op("below", "the values of {p} below {k}", "numbers", "[x for x in {p} if x < {k}]",
       "{p}.filter(x => x < {k})", lambda p, k, c: [x for x in p if not x >= k]),
    Op("scaled", "each of {p} times {k}", "numbers", "[x * {k} for x in {p}]", "{p}.map(x => x * {k})",
       lambda p, k, c: [sum([x] * k) for x in p]),
    Op("shifted", "each of {p} plus {k}", "numbers", "[x + {k} for x in {p}]", "{p}.map(x => x + {k})",
       lambda p, k, c: [x - -k for x in p]),
    Op("squares", "the squares of {p}", "numbers", "[x * x for x in {p}]", "{p}.map(x => x * x)",
       lambda p, k, c: [x ** 2 for x in p]),
    Op("ranked", "{p} sorted from high to low", "numbers", "sorted({p}, reverse=True)",
       "[...{p}].sort((a, b) => b - a)", lambda p, k, c: sorted(p)[::-1]),
    Op("ordered", "{p} sorted from low to high", "numbers", "sorted({p})", "[...{p}].sort((a, b) => a - b)",
       lambda p, k, c: sorted(p, key=lambda x: x)),
    Op("count_above", "how many of {p} are above {k}", "numbers", "sum(x > {k} for x in {p})",
       "{p}.filter(x => x > {k}).length", lambda p, k, c: len([x for x in p if x > k])),
    Op("all_above", "whether all of {p} are above {k}", "numbers", "all(x > {k} for x in {p})",
       "{p}.every(x => x > {k})", lambda p, k, c: min(p) > k),
    Op("any_above", "whether any of {p} is above {k}", "numbers", "any(x > {k} for x in {p})",
       "{p}.some(x => x > {k})", lambda p, k, c: max(p) > k),
    Op("size_of", "the length of {p}", "words", "len({p})", "{p}.length", lambda p, k, c: sum(1 for _ in p)),
    Op("backwards", "{p} from last to first", "words", "{p}[::-1]", "[...{p}].reverse()",
       lambda p, k, c: list(reversed(p))),
    Op("first_few", "the first {k} of {p}", "words", "{p}[:{k}]", "{p}.slice(0, {k})",
       lambda p, k, c: [x for i, x in enumerate(p) if i < k]),
    Op("last_few", "the last {k} of {p}", "words", "{p}[-{k}:]", "{p}.slice(-{k})",
       lambda p, k, c: [x for i, x in enumerate(p) if i >= len(p) - k]),
    Op("unique", "{p} without repeats", "words", "list(dict.fromkeys({p}))", "[...new Set({p})]",
       lambda p, k, c: _seen_once(p)),
    Op("starting", "those of {p} that start with {c}", "words", '[w for w in {p} if w.startswith("{c}")]',
       '{p}.filter(w => w.startsWith("{c}"))', lambda p, k, c: [w for w in p if w[:1] == c]),
    Op("longer", "those of {p} with more than {k} letters", "words", "[w for w in {p} if len(w) > {k}]",
       "{p}.filter(w => w.length > {k})", lambda p, k, c: [w for w in p if w[k:]]),
    Op("joined", "{p} joined with commas", "words", '",".join({p})', '{p}.join(",")',
       lambda p, k, c: "".join(w + "," for w in p)[:-1]),
    Op("lengths", "the length of each of {p}", "words", "[len(w) for w in {p}]", "{p}.map(w => w.length)",
       lambda p, k, c: list(map(len, p))),
    Op("upper_all", "each of {p} in upper case", "words", "[w.upper() for w in {p}]",
       "{p}.map(w => w.toUpperCase())", lambda p, k, c: " ".join(p).upper().split()),
    Op("upper_case", "{p} in upper case", "string", "{p}.upper()", "{p}.toUpperCase()",
       lambda p, k, c: "".join(x.upper() for x in p)),
    Op("lower_case", "{p} in lower case", "string", "{p}.lower()", "{p}.toLowerCase()",
       lambda p, k, c: "".join(x.lower() for x in p)),
    Op("reversed_text", "{p} reversed", "string", "{p}[::-1]", '[...{p}].reverse().join("")',
       lambda p, k, c: "".join(reversed(p))),
    Op("count_vowels", "the number of vowels in {p}", "string", 'sum(c in "aeiou" for c in {p})',
       '[...{p}].filter(c => "aeiou".includes(c)).length', lambda p, k, c: sum(p.count(v) for v in "aeiou")),
    Op("count_letter", "how often {c} is in {p}", "string", '{p}.count("{c}")', '{p}.split("{c}").length - 1',
       lambda p, k, c: len([x for x in p if x == c])),
    Op("trimmed", "{p} without spaces at the ends", "string", "{p}.strip()", "{p}.trim()",
       lambda p, k, c: p.lstrip().rstrip()),
    Op("repeated", "{p} repeated {k} times", "string", "{p} * {k}", "{p}.repeat({k})",
       lambda p, k, c: "".join(p for _ in range(k))),
    Op("is_palindrome", "whether {p} reads the same backwards", "string", "{p} == {p}[::-1]",
       '{p} === [...{p}].reverse().join("")', lambda p, k, c: all(a == b for a, b in zip(p, reversed(p)))),
    Op("parts", "{p} split at commas", "string", '{p}.split(",")', '{p}.split(",")',
       lambda p, k, c: [w for w in p.replace(",", "\n").split("\n")]),
    Op("head", "the first {k} letters of {p}", "string", "{p}[:{k}]", "{p}.slice(0, {k})",
       lambda p, k, c: "".join(x for i, x in enumerate(p) if i < k)),
    Op("without", "{p} without the letter {c}", "string", '{p}.replace("{c}", "")', '{p}.replaceAll("{c}", "")',
       lambda p, k, c: "".join(x for x in p if x != c)),
    Op("starts", "whether {p} starts with {c}", "string", '{p}.startswith("{c}")', '{p}.startsWith("{c}")',
       lambda p, k, c: p[:1] == c),
    Op("is_even", "whether {p} is even", "number", "{p} % 2 == 0", "{p} % 2 === 0", lambda p, k, c: not p & 1),
    Op("divides", "whether {p} can be divided by {k}", "number", "{p} % {k} == 0", "{p} % {k} === 0",
       lambda p, k, c: p // k * k == p),
    Op("power", "{p} to the power of {k}", "number", "{p} ** {k}", "{p} ** {k}",
       lambda p, k, c: eval("*".join([str(p)] * k))),
    Op("is_between", "whether {p} is between 1 and {k}", "number", "1 <= {p} <= {k}", "{p} >= 1 && {p} <= {k}",
       lambda p, k, c: p in range(1, k + 1)),
    Op("digit_sum", "the sum of the digits of {p}", "number", "sum(int(d) for d in str({p}))",
       "[...String({p})].reduce((a, d) => a + Number(d), 0)",
       lambda p, k, c: sum(map(int, list(str(p))))),
    Op("at_most", "{p}, but at most {k}", "number", "min({p}, {k})", "Math.min({p}, {k})",
       lambda p, k, c: p if p < k else k),
]

BY_NAME = {op.name: op for op in OPS}


def camel(name):
    head, *tail = name.split("_")
    return head + "".join(w.capitalize() for w in tail)
