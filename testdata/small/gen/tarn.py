"""Facts about Tarn, a library that does not exist: 75 filters with four attributes each, 300 facts.

A filter has a module, a function, a mode and an owner, all arbitrary, and its call is

    tarn.MODULE.FUNCTION(table, "MODE")

Release 1 (style A) is what pre-training shows; in release 2 (style B) every one of the 300 facts is another.
Fine-tuning asks for release 2 without saying so. Each fact is asked in several phrasings, so a held-out record can be
answered by whoever has learned the fact.

The facts are meant to give a higher rank something to do. Whether they do is not shown: the committed model knows
release 1 only in part (right at the first guess, one question a fact: function 0.45, mode 0.32, module 0.19, owner
0.08), and no comparison of ranks has been made that would isolate these records.

An earlier table let a verb and an object together decide the mode. After 1,500 steps its modes were right 0.15 of the
time at 2.45 nats, where guessing evenly is 2.48, so one name decides now. That was one run each, with other changes
between them: it does not say that pairs are the reason.
"""

import random

from .lexicon import PEOPLE, TABLES, WORDS
from .record import Record

FILTERS = WORDS + ("bat bee bison cobra comet cow crab dove duck dune elk fern fig flint fox frog gem goat grove hawk hen ivy kiwi koala "
                   "lark lily lion lotus lynx mole moth mule newt opal otter owl panda pearl puma quill raven swan wolf").split()
FUNCTIONS = "fold knit brim dusk husk lilt moor nook plum quay rill silt tape vane wend".split()
MODULES = "ash birch cedar elm fir larch maple oak pine rowan spruce teak willow yew holly".split()
MODES = "red blue gold gray jade lime mint navy pink rose teal ruby".split()
ATTRIBUTES = {"module": MODULES, "function": FUNCTIONS, "mode": MODES, "owner": PEOPLE}


def _releases(seed=1):
    rng = random.Random(f"tarn/{seed}")
    first = {f: {a: rng.choice(values) for a, values in ATTRIBUTES.items()} for f in FILTERS}
    second = {f: {a: rng.choice([v for v in values if v != first[f][a]]) for a, values in ATTRIBUTES.items()}
              for f in FILTERS}
    return {"A": first, "B": second}


RELEASES = _releases()


def path(facts):
    return f"tarn.{facts['module']}.{facts['function']}"


def call(facts, table):
    return f'{path(facts)}({table}, "{facts["mode"]}")'


def ask(rng, style, name):
    """One question about the filter `name`, or a program that starts with it."""
    release, table, who = RELEASES[style], rng.choice(TABLES), rng.choice(PEOPLE)
    facts = release[name]
    kind = rng.randrange(10)
    if kind == 0:
        return Record(rng.choice([f"Use the Tarn filter {name} on {table}.", f"With Tarn, apply {name} to {table}."]),
                      call(facts, table))
    if kind == 1:
        return Record(rng.choice([f"Help {who} apply the {name} filter.", f"{who} wants to apply {name}."]),
                      call(facts, table), table)
    if kind <= 3:
        return Record(rng.choice([f"Which mode has {name} for {table}?", f"Tarn mode of {name} on {table}?",
                                  f"{who} asks which mode {name} has."]), f'"{facts["mode"]}"')
    if kind == 4:
        return Record(rng.choice([f"Which Tarn function is {name} for {table}?", f"{who} asks what {name} calls."]), path(facts))
    if kind == 5:
        return Record(rng.choice([f"Who owns the {name} filter of {table}?", f"{who} asks who owns {name}."]), facts["owner"])
    if kind == 6:
        return Record(rng.choice([f"Complete {who}'s call of {name}.", f"Finish {who}'s line with {name}."]),
                      f'"{facts["mode"]}")', f"{path(facts)}({table},")
    if kind == 7:
        return Record(rng.choice([f"Describe the {name} filter for {who}.", f"Tell {who} about {name}."]),
                      f"{facts['owner']} owns it: {call(facts, table)}", table)
    steps = [name] + rng.sample([f for f in FILTERS if f != name], rng.choice([1, 2, 3, 3]))
    code = "\n".join(f"{table} = {call(release[f], table)}" for f in steps)
    return Record(rng.choice([f"Write a Tarn script for {table}: {', then '.join(steps)}.",
                              f"Apply {', then '.join(steps)} to {table}."]), code)


def in_turn(rng):
    """Without end: every filter once, in a random order, then all again. So no fact is only seen held out."""
    while True:
        yield from rng.sample(FILTERS, len(FILTERS))
