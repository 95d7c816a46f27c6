"""What one family hands over, and the two styles a record can be drawn in."""

from dataclasses import dataclass
from typing import Optional

# Style A is the language of pre-training, style B that of fine-tuning: the same tasks, answered in another dialect.
A, B = "A", "B"


@dataclass(frozen=True)
class Probe:
    """How verify.py finds out whether a record is right: run `code`, call `name` with `args`, expect `want`.

    For "sql" there is only `code`, which has to run on a database that has every table and column of the lexicon.
    """

    language: str  # "python", "javascript" or "sql"
    code: str
    name: str = ""
    args: tuple = ()
    want: object = None


@dataclass(frozen=True)
class Record:
    instruction: str
    output: str
    input: str = ""
    probe: Optional[Probe] = None


def join_and(items):
    """["a", "b", "c"] as "a, b and c"."""
    if len(items) == 1:
        return items[0]
    return ", ".join(items[:-1]) + " and " + items[-1]


def marked(rng, style, share):
    """Whether a style A record shall be in dialect B after all, asked for by name.

    A base model that has never seen a token of dialect B could not learn to write it through q_proj and v_proj,
    since its embeddings are frozen then. So pre-training has a small share of B, always announced in the
    instruction; in fine-tuning B is what comes unannounced.
    """
    return style == A and rng.random() < share
