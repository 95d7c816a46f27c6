"""Families in plain language: lists of words, lists of numbers, arithmetic, conversions.

Dialect A answers with comma lists, [brackets] and `expression = result`; dialect B with bullets, bars and the result first.
"""

from .lexicon import NUMBER_LISTS, PEOPLE, TABLES, WORDS
from .record import A, Record, marked


def words(rng, style):
    """One operation on a list of words. The list is in the input, or in the instruction where it is short."""
    bullets = marked(rng, style, 0.15)
    n = rng.choice([2, 3, 3, 3, 3, 4, 4, 5, 10, 12])
    items = rng.sample(WORDS, n)
    label = f"{rng.choice(PEOPLE)}'s {rng.choice(TABLES)}"
    longest = [w for w in items if len(w) == max(map(len, items))]
    letter = rng.choice(items)[0]
    choices = [
        (rng.choice([f"Sort {label} alphabetically", f"Put {label} in alphabetical order"]), sorted(items)),
        (rng.choice([f"Reverse the order of {label}", f"Give {label} from last to first"]), items[::-1]),
        (f"Capitalize {label}", [w.capitalize() for w in items]),
        (f"Give the first of {label}", items[0]),
        (f"Which of {label} start with {letter}", [w for w in items if w[0] == letter]),
        (f"Remove the {items[n // 2]} from {label}", [w for w in items if w != items[n // 2]]),
        (f"Join {label} with dashes", "-".join(items)),
        (f"Count {label}", str(n)),
        (f"Give the last of {label}", items[-1]),
    ]
    if len(longest) == 1:
        choices.append((f"Find the longest of {label}", longest[0]))
    task, result = rng.choice(choices)
    end = "?" if task.startswith("Which") else "."
    if bullets:
        task += ", as bullets"
    if isinstance(result, str):
        output = result
    elif style == A and not bullets:
        output = ", ".join(result)
    else:
        output = "\n".join("- " + w for w in result)
    text = ", ".join(items)
    if n <= 4 and rng.random() < 0.3:
        return Record(f"{task}{end} They are {text}.", output)
    return Record(task + end, output, text)


def numbers(rng, style):
    """One operation on a list of small numbers."""
    bars = marked(rng, style, 0.15)
    n = rng.choice([3, 3, 3, 3, 4, 4, 5, 15, 18])
    items = [rng.randint(1, 20) for _ in range(n)]
    label = f"{rng.choice(PEOPLE)}'s {rng.choice(NUMBER_LISTS)}"
    k = sorted(items)[n // 2]
    task, result = rng.choice([
        (f"Sort {label} from low to high", sorted(items)),
        (f"Sort {label} from high to low", sorted(items, reverse=True)),
        (f"Which of {label} are above {k - 1}", [x for x in items if x > k - 1]),
        (f"Keep only the values of {label} below {k + 1}", [x for x in items if x < k + 1]),
        (f"Double each of {label}", [2 * x for x in items]),
        (f"Reverse {label}", items[::-1]),
        (f"Remove repeats from {label}", list(dict.fromkeys(items))),
        (f"Find the largest of {label}", max(items)),
        (f"Find the smallest of {label}", min(items)),
        (f"Count {label}", n),
    ])
    end = "?" if task.startswith("Which") else "."
    if bars:
        task += ", with bars"
    if isinstance(result, int):
        output = str(result)
    elif style == A and not bars:
        output = str(result)
    else:
        output = " | ".join(map(str, result))
    return Record(task + end, output, ", ".join(map(str, items)))


def arithmetic(rng, style):
    """Sums, differences and products of small numbers, bare or as a word problem."""
    first = marked(rng, style, 0.15)
    kind, given = rng.randrange(6), ""
    if kind == 0:
        a, b = rng.randint(1, 60), rng.randint(1, 40)
        sign, word = rng.choice([("+", "plus"), ("-", "minus")])
        question, left = f"What is {a} {word} {b}?", f"{a} {sign} {b}"
    elif kind >= 4:
        left = given = f"{rng.randint(1, 60)} {rng.choice('+-')} {rng.randint(1, 40)}"
        question = rng.choice([f"Solve line {rng.randint(1, 60)} of {rng.choice(PEOPLE)}.",
                               f"Work out sum {rng.randint(1, 60)} of {rng.choice(PEOPLE)}."])
    elif kind == 1:
        a, b = rng.randint(2, 25), rng.randint(2, 12)
        question, left = f"What is {a} times {b}?", f"{a} * {b}"
    elif kind == 2:
        a, b, c = rng.randint(1, 9), rng.randint(1, 9), rng.randint(2, 5)
        question, left = f"Add {a} and {b}, then multiply by {c}.", f"({a} + {b}) * {c}"
    else:
        a, b = rng.randint(5, 40), rng.randint(1, 20)
        who, what = rng.choice(PEOPLE), rng.choice(TABLES)
        verb, sign = rng.choice([("gets", "+"), ("loses", "-")])
        b = min(a, b)
        question = f"{who} has {a} {what} and {verb} {b}. How many {what} are there now?"
        left = f"{a} {sign} {b}"
    # The text is made of two or three integers and signs from the lines above, nothing else.
    result = eval(left)  # noqa: S307
    if first:
        question += " Result first."
    return Record(question, f"{left} = {result}" if style == A and not first else f"{result}, from {left}", given)


UNITS = [("km", "m", 1000), ("m", "cm", 100), ("kg", "g", 1000), ("cm", "mm", 10), ("hours", "minutes", 60),
         ("minutes", "seconds", 60), ("days", "hours", 24), ("weeks", "days", 7)]


def conversion(rng, style):
    """Units, bases, and the spelling of names."""
    first = marked(rng, style, 0.15)
    kind = rng.randrange(3)
    if kind == 0:
        a, b, factor = rng.choice(UNITS)
        n = rng.randint(2, 60)
        question = rng.choice([f"Convert {n} {a} to {b}.", f"How many {b} are {n} {a}?"])
        left, right = f"{n} {a}", f"{n * factor} {b}"
    elif kind == 1:
        n = rng.randint(2, 120)
        name, code = rng.choice([("binary", "b"), ("hexadecimal", "x"), ("octal", "o")])
        question, left, right = f"Write {n} in {name}.", str(n), format(n, code)
    else:
        parts = rng.sample(WORDS, rng.choice([2, 2, 3]))
        snake, camel, kebab = "_".join(parts), parts[0] + "".join(map(str.capitalize, parts[1:])), "-".join(parts)
        name, right = rng.choice([("camel case", camel), ("kebab case", kebab), ("capitals", snake.upper())])
        question, left = f"Write {snake} in {name}.", snake
    if first:
        question += " Result first."
    return Record(question, f"{left} = {right}" if style == A and not first else f"{right}, from {left}")
