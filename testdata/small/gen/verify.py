"""Runs the code in the records: Python here, SQL in an SQLite in memory, JavaScript in node where there is one."""

import json
import shutil
import sqlite3
import subprocess

from .lexicon import NUMBER_COLUMNS, TABLES, TEXT_COLUMNS, singular


class WrongRecord(Exception):
    """A record whose code does not do what its instruction says."""


def _python(probe):
    scope = {}
    exec(probe.code, scope)  # noqa: S102  (code made by this generator)
    got = scope[probe.name](*probe.args)
    if got != probe.want:
        raise WrongRecord(f"{probe.code}\n{probe.name}{probe.args} = {got!r}, want {probe.want!r}")


def _database():
    db = sqlite3.connect(":memory:")
    columns = ["id", *NUMBER_COLUMNS, *TEXT_COLUMNS, *(singular(t) + "_id" for t in TABLES)]
    for table in TABLES:
        db.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
    return db


NODE = """
const probes = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(probes.map(([code, name, args]) => {
  try { return new Function("args", code + "\\nreturn " + name + "(...args);")(args); }
  catch (e) { return "ERROR " + e.message; }
})));
"""


def _javascript(probes):
    """How many were run: 0 where there is no node."""
    node = shutil.which("node")
    if not node:
        return 0
    text = json.dumps([[p.code, p.name, p.args] for p in probes])
    done = subprocess.run([node, "-e", NODE], input=text, capture_output=True, text=True, check=True)
    for p, got in zip(probes, json.loads(done.stdout), strict=True):
        if got != p.want:
            raise WrongRecord(f"{p.code}\n{p.name}{p.args} = {got!r}, want {p.want!r}")
    return len(probes)


def run(records):
    """Raises WrongRecord for the first wrong one; returns how many were run, by language."""
    probes = [r.probe for r in records if r.probe]
    by = {lang: [p for p in probes if p.language == lang] for lang in ("python", "sql", "javascript")}
    for p in by["python"]:
        _python(p)
    db = _database()
    for p in by["sql"]:
        try:
            db.execute(p.code)
        except sqlite3.Error as e:
            raise WrongRecord(f"{p.code}\n{e}") from e
    return {"python": len(by["python"]), "sql": len(by["sql"]), "javascript": _javascript(by["javascript"])}
