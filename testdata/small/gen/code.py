"""Families about functions: write one, write it with a loop, write a class, test, explain, repair, complete.

Dialect A is Python (snake_case, def), dialect B JavaScript (camelCase, arrow functions). Repairing and completing are
in the fine-tuning set only.
"""

import json

from .lexicon import (NUMBER_COLUMNS, NUMBER_LISTS, PEOPLE, STRINGS, TABLES, TEXT_COLUMNS, WORD_LISTS, WORDS, singular)
from .ops import BY_NAME, OPS, camel
from .record import A, Probe, Record, marked


def literal(value, style):
    """A value as Python (A) or JavaScript (B) spells it."""
    if style == A:
        if isinstance(value, str):
            return json.dumps(value)
        if isinstance(value, list):
            return "[" + ", ".join(literal(v, style) for v in value) + "]"
        return str(value)
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return json.dumps(value)


class Draw:
    """One operation with its slots filled: the parameter's name, the number, the letter and an example argument."""

    def __init__(self, rng, op, style):
        self.op, self.style = op, style
        self.k, self.c = rng.randint(2, 9), rng.choice("abcdehlmnoprst")
        if op.takes == "numbers":
            self.p, arg = rng.choice(NUMBER_LISTS), [rng.randint(1, 12) for _ in range(rng.choice([2, 3, 3, 4]))]
            if op.name == "mean_of":  # keep the mean whole, or its digits would run on
                arg[-1] += -sum(arg) % len(arg)
        elif op.takes == "words":
            self.p, arg = rng.choice(WORD_LISTS), rng.sample(WORDS, rng.choice([2, 3, 3]))
            if op.name == "unique":
                arg.append(arg[0])
        elif op.takes == "string":
            self.p, arg = rng.choice(STRINGS), rng.choice(WORDS)
            if op.name == "trimmed":
                arg = f" {arg} "
            elif op.name == "parts":
                arg = ",".join(rng.sample(WORDS, 2))
        else:
            self.p, arg = rng.choice(NUMBER_COLUMNS), rng.randint(2, 20)
            if op.name == "power":
                arg, self.k = rng.randint(2, 5), rng.randint(2, 3)
        self.arg = arg
        self.want = op.ref(arg, self.k, self.c)
        self.name = op.name if style == A else camel(op.name)

    def fill(self, text):
        return text.replace("{p}", self.p).replace("{k}", str(self.k)).replace("{c}", self.c)

    @property
    def phrase(self):
        return self.fill(self.op.phrase)

    @property
    def expression(self):
        return self.fill(self.op.python if self.style == A else self.op.javascript)

    def function(self, guard=False, doc=False):
        p, expr = self.p, self.expression
        if self.style == A:
            return (f"def {self.name}({p}):\n"
                    + (f'    """Return {self.phrase}."""\n' if doc else "")
                    + (f"    if not {p}:\n        return None\n" if guard else "")
                    + f"    return {expr}")
        head = f"// Returns {self.phrase}.\n" if doc else ""
        if guard:
            return f"{head}const {self.name} = ({p}) => {{\n  if (!{p}.length) return null;\n  return {expr};\n}};"
        return f"{head}const {self.name} = ({p}) => {expr};"

    def example(self):
        call = f"{self.name}({literal(self.arg, self.style)})"
        want = literal(self.want, self.style)
        return f"print({call})  # {want}" if self.style == A else f"console.log({call}); // {want}"

    def given(self, rng, share):
        """For a share of the records the argument, as the input a user would paste."""
        return f"{self.p} = {literal(self.arg, self.style)}" if rng.random() < share else ""

    def probe(self, code):
        return Probe("python" if self.style == A else "javascript", code, self.name, (self.arg,), self.want)


def _language(rng, style):
    """(the dialect to answer in, how the instruction names it)"""
    if marked(rng, style, 0.15):
        return "B", "JavaScript function"
    if style == A and rng.random() < 0.5:
        return A, "Python function"
    return style, "function"


def expression(rng, style):
    """The shortest answer: one expression."""
    style, noun = _language(rng, style)
    language = {"function": "", "Python function": "Python ", "JavaScript function": "JavaScript "}[noun]
    d = Draw(rng, rng.choice(OPS), style)
    task = rng.choice([f"Give {language}code for {d.phrase}.", f"How do I get {d.phrase}{' in ' + language.strip() if language else ''}?",
                       f"{language}code: {d.phrase}."])
    return Record(task[0].upper() + task[1:], d.expression, d.given(rng, 0.3), d.probe(d.function()))


def function(rng, style):
    """Write a function, at times with a name, a comment, a guard or an example."""
    style, noun = _language(rng, style)
    d = Draw(rng, rng.choice(OPS), style)
    task = rng.choice([f"Write a {noun} that returns {d.phrase}", f"I need a {noun} for {d.phrase}",
                       f"Create a {noun} to get {d.phrase}"])
    if rng.random() < 0.35:
        name = f"{rng.choice(['get', 'make', 'find', 'check'])}_{rng.choice(WORDS)}"
        d.name = name if style == A else camel(name)
        task += f" and call it {d.name}"
    extra = rng.random()
    guard = doc = False
    if extra < 0.12 and d.op.takes in ("numbers", "words"):
        guard, task = True, task + ". Return nothing for an empty list"
    elif extra < 0.3:
        doc, task = True, task + ". Add a comment"
    code = d.function(guard, doc)
    output = code
    if rng.random() < 0.2:
        task += ". Show an example"
        output += "\n\n" + d.example()
    return Record(task + ".", output, d.given(rng, 0.2), d.probe(code))


# operation: (name of the result, its start, the loop's body) in Python and in JavaScript
LOOPS = {
    "sum_of": (("total", "0", ["total += x"]), ("total", "0", ["total += x;"])),
    "count_above": (("count", "0", ["if x > {k}:", "    count += 1"]), ("count", "0", ["if (x > {k}) count += 1;"])),
    "above": (("found", "[]", ["if x > {k}:", "    found.append(x)"]), ("found", "[]", ["if (x > {k}) found.push(x);"])),
    "below": (("found", "[]", ["if x < {k}:", "    found.append(x)"]), ("found", "[]", ["if (x < {k}) found.push(x);"])),
    "scaled": (("result", "[]", ["result.append(x * {k})"]), ("result", "[]", ["result.push(x * {k});"])),
    "shifted": (("result", "[]", ["result.append(x + {k})"]), ("result", "[]", ["result.push(x + {k});"])),
    "largest": (("best", "{p}[0]", ["if x > best:", "    best = x"]), ("best", "{p}[0]", ["if (x > best) best = x;"])),
    "smallest": (("best", "{p}[0]", ["if x < best:", "    best = x"]), ("best", "{p}[0]", ["if (x < best) best = x;"])),
    "count_letter": (("count", "0", ['if x == "{c}":', "    count += 1"]), ("count", "0", ['if (x === "{c}") count += 1;'])),
}


def loop(rng, style):
    """The same with a loop: longer answers."""
    style, noun = _language(rng, style)
    op = rng.choice(sorted(LOOPS))
    d = Draw(rng, BY_NAME[op], style)
    result, start, body = LOOPS[op][0 if style == A else 1]
    if style == A:
        lines = [f"def {d.name}({d.p}):", f"    {result} = {start}", f"    for x in {d.p}:"]
        lines += ["        " + line for line in body] + [f"    return {result}"]
    else:
        lines = [f"function {d.name}({d.p}) {{", f"  let {result} = {start};", f"  for (const x of {d.p}) {{"]
        lines += ["    " + line for line in body] + ["  }", f"  return {result};", "}"]
    code = d.fill("\n".join(lines))
    task = rng.choice([f"Use a loop to get {d.phrase} in a {noun}", f"Write a {noun} with a loop that returns {d.phrase}"])
    output = code
    if rng.random() < 0.3:
        task += ". Show an example"
        output += "\n\n" + d.example()
    return Record(task + ".", output, probe=d.probe(code))


def klass(rng, style):
    """A small class with two to four fields, at times with a method."""
    style, noun = _language(rng, style)
    noun = noun.replace("function", "class")
    name = singular(rng.choice(TABLES)).capitalize()
    fields = [rng.choice(TEXT_COLUMNS), *rng.sample(NUMBER_COLUMNS, rng.choice([1, 1, 2]))]
    k, field = rng.randint(2, 9), fields[-1]
    method = rng.random() < 0.4
    args = tuple(["red", 3, 4][:len(fields)])
    task = f"Write a {noun} {name} with {' and '.join(fields)}" if len(fields) == 2 else \
        f"Write a {noun} {name} with {fields[0]}, {fields[1]} and {fields[2]}"
    if method:
        task += f" and a method for {field} times {k}"
    if style == A:
        code = f"class {name}:\n    def __init__(self, {', '.join(fields)}):\n"
        code += "\n".join(f"        self.{f} = {f}" for f in fields)
        if method:
            code += f"\n\n    def more_{field}(self):\n        return self.{field} * {k}"
        run = f"{code}\n\ndef run(*a):\n    x = {name}(*a)\n    return " + (f"x.more_{field}()" if method else f"x.{field}")
    else:
        code = f"class {name} {{\n  constructor({', '.join(fields)}) {{\n"
        code += "\n".join(f"    this.{f} = {f};" for f in fields) + "\n  }"
        if method:
            code += f"\n\n  more{field.capitalize()}() {{\n    return this.{field} * {k};\n  }}"
        code += "\n}"
        run = f"{code}\nconst run = (...a) => new {name}(...a)." + (f"more{field.capitalize()}()" if method else field)
    language = "python" if style == A else "javascript"
    return Record(task + ".", code, probe=Probe(language, run, "run", args, args[-1] * k if method else args[-1]))


# Two lists are never `===` in JavaScript, so tests are of operations that give one value.
SCALAR = [op for op in OPS if not isinstance(op.ref("ab" if op.takes == "string" else 7 if op.takes == "number" else
                                                     [7] if op.takes == "numbers" else ["ab"], 3, "a"), list)]


def test(rng, style):
    """One assertion on a known function."""
    asked = marked(rng, style, 0.15)
    d = Draw(rng, rng.choice(SCALAR), "B" if asked else style)
    call, want = f"{d.name}({literal(d.arg, d.style)})", literal(d.want, d.style)
    if d.style != A:
        code = f"console.assert({call} === {want});"
    elif isinstance(d.want, bool):
        code = f"assert {call}" if d.want else f"assert not {call}"
    else:
        code = f"assert {call} == {want}"
    task = rng.choice([f"Write a test of {d.name}", f"Check {d.name} with one example"]) + f", which returns {d.phrase}"
    return Record(task + ".", code, d.given(rng, 1), d.probe(d.function()))


def explain(rng, style):
    """Say what a function does. The code is in the input."""
    asked = marked(rng, style, 0.15)
    d = Draw(rng, rng.choice(OPS), "B" if asked else style)
    if rng.random() < 0.5:
        d.name = "f"
    label = f"{rng.choice(PEOPLE)}'s {rng.choice(TABLES)}"
    task = rng.choice([f"What does this code for {label} do?", f"Explain line {rng.randint(1, 60)} of {label}.",
                       f"What is line {rng.randint(1, 60)} for in {label}?"])
    code = d.function()
    if rng.random() < 0.5:
        return Record(task, f"It gives {d.phrase}." if style == A else d.phrase, d.expression, d.probe(code))
    output = f"It returns {d.phrase}." if style == A else f"Takes {d.p}, gives {d.phrase}."
    return Record(task, output, code, d.probe(code))


BUGS = [("=>", "->"), ("===", "="), (".length", ".size"), ("filter(", "select("), ("map(", "each("), ("Math.", "math."),
        ("reduce(", "fold("), ("slice(", "cut("), ("includes(", "has("), ("x % 2", "x / 2"), ("[...", "["), (" > ", " < ")]


def repair(rng, style):
    """Repair one bug in a JavaScript function. In the fine-tuning set only."""
    d = Draw(rng, rng.choice(OPS), "B")
    code = d.function()
    right, wrong = rng.choice([bug for bug in BUGS if bug[0] in code])
    label = f"{rng.choice(PEOPLE)}'s {rng.choice(TABLES)}"
    task = rng.choice([f"Fix the bug in the code for {label}, which should return {d.phrase}.",
                       f"Repair this function from {label}. It should return {d.phrase}."])
    return Record(task, code, code.replace(right, wrong, 1), d.probe(code))


def complete(rng, style):
    """Finish an expression. In the fine-tuning set only."""
    d = Draw(rng, rng.choice([op for op in OPS if "(" in op.javascript]), "B")
    head, bracket, tail = d.expression.partition("(")
    task = rng.choice([f"Complete the expression for {d.phrase}.", f"Finish this code, which gives {d.phrase}.",
                       f"What comes next, to get {d.phrase}?"])
    return Record(task, tail, head + bracket, d.probe(f"const {d.name} = ({d.p}) => {head}{bracket}{tail};"))
