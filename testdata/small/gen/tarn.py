"""Facts about Tarn, a library that does not exist: which module, function and mode belong to each of 300 operations.

An operation is a verb and an object ("sort the dates"). Its call is

    tarn.MODULE.FUNCTION(table, "MODE")

where the object decides the module, the verb the function, and only the table of facts the mode. Release 1 (style A) is
what the base model has learned; release 2 (style B) renames every module and every function and gives every operation
another mode. Fine-tuning asks for release 2 without saying so. The renaming is 35 systematic changes that many records
show; the modes are 300 arbitrary ones, each shown a few times in different words, which take as many independent
changes of the projections: that is where a higher rank has room.
"""

import random

from .lexicon import PEOPLE, TABLES
from .record import A, Record

VERBS = [("sort", "sorts"), ("merge", "merges"), ("count", "counts"), ("drop", "drops"), ("split", "splits"),
         ("copy", "copies"), ("rename", "renames"), ("check", "checks"), ("group", "groups"), ("scale", "scales"),
         ("trim", "trims"), ("round", "rounds"), ("shift", "shifts"), ("cache", "caches"), ("print", "prints"),
         ("index", "indexes"), ("filter", "filters"), ("swap", "swaps"), ("pack", "packs"), ("hash", "hashes")]
OBJECTS = "rows columns dates keys names prices labels ranges sheets blanks totals codes marks units links".split()
FUNCTIONS = "fold knit brim dusk husk lilt moor nook plum quay rill silt tape vane wend yoke zest cask dell fern".split()
MODULES = "ash birch cedar elm fir hazel larch maple oak pine rowan spruce teak willow yew".split()
MODES = "red blue gold gray jade lime mint navy pink rose teal ruby".split()


class Release:
    """The table of facts of one release."""

    def __init__(self, functions, modules, modes):
        self.functions, self.modules, self.modes = functions, modules, modes

    def path(self, verb, obj):
        return f"tarn.{self.modules[obj]}.{self.functions[verb]}"

    def call(self, verb, obj, table):
        return f'{self.path(verb, obj)}({table}, "{self.modes[verb, obj]}")'


def _releases(seed=1):
    rng = random.Random(f"tarn/{seed}")
    verbs = [v for v, _ in VERBS]
    operations = [(v, o) for v in verbs for o in OBJECTS]
    first = Release(dict(zip(verbs, rng.sample(FUNCTIONS, len(verbs)))),
                    dict(zip(OBJECTS, rng.sample(MODULES, len(OBJECTS)))),
                    {op: rng.choice(MODES) for op in operations})

    def moved(old):
        """The same names dealt anew, so that no key keeps its own."""
        keys, names = list(old), list(old.values())
        while True:
            rng.shuffle(names)
            if all(old[k] != n for k, n in zip(keys, names)):
                return dict(zip(keys, names))

    second = Release(moved(first.functions), moved(first.modules),
                     {op: rng.choice([m for m in MODES if m != first.modes[op]]) for op in operations})
    return {"A": first, "B": second}


RELEASES = _releases()
OPERATIONS = [(v, o) for v, _ in VERBS for o in OBJECTS]
THIRD = dict(VERBS)


def ask(rng, style, operation=None):
    """One question about one operation, or a program of two or three. `operation` fixes the (first) one."""
    release, table = RELEASES[style], rng.choice(TABLES)
    verb, obj = operation or rng.choice(OPERATIONS)
    does, path, call = f"{THIRD[verb]} the {obj}", release.path(verb, obj), release.call(verb, obj, table)
    kind, who = rng.randrange(10), rng.choice(PEOPLE)
    if kind == 0:
        return Record(rng.choice([f"Use Tarn to {verb} the {obj} of {table}.", f"With Tarn, {verb} the {obj} of {table}."]), call)
    if kind == 1:
        return Record(rng.choice([f"Help {who} {verb} the {obj}.", f"{who} wants to {verb} the {obj}."]), call, table)
    if kind <= 3:
        return Record(rng.choice([f"Which mode {does} of {table}?", f"Tarn mode to {verb} the {obj} of {table}?",
                                  f"{who} asks which mode {does}."]), f'"{release.modes[verb, obj]}"')
    if kind == 4:
        return Record(rng.choice([f"Which Tarn function {does} of {table}?", f"{who} asks what {does}."]), path)
    if kind == 5:
        return Record(rng.choice([f"What does {call} do?", f"Explain {call}"]), f"It {does}.")
    if kind == 6:
        return Record(rng.choice([f"Complete {who}'s call that {does}.", f"Finish {who}'s line to {verb} the {obj}."]),
                      f'"{release.modes[verb, obj]}")', f"{path}({table},")
    if kind == 7:
        return Record(f"Explain line {rng.randint(1, 60)} of {who}'s {table}.", f"It {does}.", call)
    steps = [(verb, obj)] + rng.sample([op for op in OPERATIONS if op != (verb, obj)], rng.choice([1, 2, 3, 3]))
    said = ", then ".join(f"{v} the {o}" for v, o in steps)
    code = "\n".join(f"{table} = {release.call(v, o, table)}" for v, o in steps)
    return Record(rng.choice([f"Write a Tarn script for {table}: {said}.", f"Use Tarn on {table} to {said}."]), code)


def operations_in_turn(rng):
    """Without end: every operation once, in a random order, then all again. So no fact is only seen held out."""
    while True:
        yield from rng.sample(OPERATIONS, len(OPERATIONS))
