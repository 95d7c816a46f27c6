"""Families about other notations: SQL, data records, shell commands, git, CSS, HTML.

Dialect A: SQL in capitals on one line, JSON, Unix commands. Dialect B: SQL in small letters with a clause a line, YAML,
PowerShell. For git, CSS and HTML pre-training only reads (what does this do?) and fine-tuning only writes.
"""

import json

from .lexicon import (BRANCHES, FILES, FOLDERS, NUMBER_COLUMNS, PEOPLE, TABLES, TEXT_COLUMNS, TEXT_VALUES, WORDS,
                      singular)
from .record import A, Probe, Record, join_and, marked


def _condition(rng):
    """(words, SQL) of one condition."""
    if rng.random() < 0.65:
        column, k = rng.choice(NUMBER_COLUMNS), rng.randint(1, 50)
        word, sign = rng.choice([("above", ">"), ("below", "<"), ("of", "=")])
        return f"{column} {word} {k}", f"{column} {sign} {k}"
    column, value = rng.choice(TEXT_COLUMNS), rng.choice(TEXT_VALUES)
    return f"{column} {value}", f"{column} = '{value}'"


def sql(rng, style):
    """A query or a change of one table, or a join of two."""
    small = marked(rng, style, 0.15)
    table = rng.choice(TABLES)
    apart = rng.random() < 0.5  # the table's name is the input
    these, of = ("rows", "") if apart else (table, f" of {table}")
    number, text = rng.choice(NUMBER_COLUMNS), rng.choice(TEXT_COLUMNS)
    words, where = _condition(rng)
    kind = rng.choice(["select"] * 5 + ["count", "group", "insert", "update", "delete", "join"])
    if kind == "select":
        columns = rng.sample(NUMBER_COLUMNS + TEXT_COLUMNS, rng.choice([1, 2, 2, 3]))
        task = f"Get the {join_and(columns)}{of}"
        clauses = [("SELECT", ", ".join(columns)), ("FROM", table)]
        if rng.random() < 0.7:
            task, condition = f"{task} with {words}", where
            if rng.random() < 0.25:
                more, second = _condition(rng)
                task, condition = f"{task} and {more}", f"{where} AND {second}"
            clauses.append(("WHERE", condition))
        if rng.random() < 0.4:
            order = rng.choice(columns)
            down = rng.random() < 0.4
            task += f", sorted by {order}" + (" from high to low" if down else "")
            clauses.append(("ORDER BY", order + (" DESC" if down else "")))
        if rng.random() < 0.25:
            k = rng.randint(1, 20)
            task += f", first {k} only"
            clauses.append(("LIMIT", str(k)))
    elif kind == "count":
        task, clauses = f"Count the {these} with {words}", [("SELECT", "COUNT(*)"), ("FROM", table), ("WHERE", where)]
    elif kind == "group":
        word, call = rng.choice([("average", "AVG"), ("highest", "MAX"), ("lowest", "MIN"), ("total", "SUM")])
        task = f"Get the {word} {number}{of} for each {text}"
        clauses = [("SELECT", f"{text}, {call}({number})"), ("FROM", table), ("GROUP BY", text)]
    elif kind == "insert":
        value, k = rng.choice(TEXT_VALUES), rng.randint(1, 50)
        task = f"Add {'a row' if apart else 'to ' + table + ' one'} with {text} {value} and {number} {k}"
        clauses = [("INSERT INTO", f"{table} ({text}, {number})"), ("VALUES", f"('{value}', {k})")]
    elif kind == "update":
        k = rng.randint(1, 50)
        task = f"Set {number} to {k} for the {these} with {words}"
        clauses = [("UPDATE", table), ("SET", f"{number} = {k}"), ("WHERE", where)]
    elif kind == "delete":
        task, clauses = f"Delete the {these} with {words}", [("DELETE FROM", table), ("WHERE", where)]
    else:
        other = rng.choice([t for t in TABLES if t != table])
        task = f"Get the {text}{of} with the {number} of their {other}"
        clauses = [("SELECT", f"{table}.{text}, {other}.{number}"), ("FROM", table),
                   ("JOIN", f"{other} ON {other}.{singular(table)}_id = {table}.id")]
    if rng.random() < 0.5:
        task = "Write SQL: " + task[0].lower() + task[1:]
    if small:
        task += ", in small letters"
    if style == A and not small:
        output = " ".join(f"{key} {rest}" for key, rest in clauses) + ";"
    else:
        output = "\n".join(f"{key} {rest}" for key, rest in clauses)
        for key in ("SELECT COUNT", "SELECT", "FROM", "WHERE", "ORDER BY", "DESC", "LIMIT", "AVG", "MAX", "MIN", "SUM",
                    "GROUP BY", "INSERT INTO", "VALUES", "UPDATE", "SET", "DELETE", "JOIN", " ON ", " AND ", "COUNT"):
            output = output.replace(key, key.lower())
    return Record(task + ".", output, table if apart else "", Probe("sql", output))


def entry(rng, style):
    """A record of data, as JSON or as YAML."""
    yaml = marked(rng, style, 0.2)
    noun, who = singular(rng.choice(TABLES)), rng.choice(PEOPLE)
    data = {c: rng.choice(TEXT_VALUES) for c in rng.sample(TEXT_COLUMNS, rng.choice([1, 1, 1, 3]))}
    data.update({c: rng.randint(1, 99) for c in rng.sample(NUMBER_COLUMNS, rng.choice([1, 1, 2, 4, 5]))})
    said = [f"{k} {v}" for k, v in data.items()]
    output = json.dumps(data) if style == A and not yaml else "\n".join(f"{k}: {v}" for k, v in data.items())
    end = " as YAML." if yaml else "."
    if rng.random() < 0.5:
        return Record(f"Write down {who}'s {noun} with {join_and(said)}{end}", output)
    number = rng.randint(1, 99)
    return Record(f"Write down {noun} {number} of {who}{end}", output, ", ".join(said))


# what it does, in Unix, in PowerShell
COMMANDS = [
    ("list the files in {d}", "ls {d}", "Get-ChildItem {d}"),
    ("go to {d}", "cd {d}", "Set-Location {d}"),
    ("copy {f} to {d}", "cp {f} {d}", "Copy-Item {f} {d}"),
    ("move {f} to {d}", "mv {f} {d}", "Move-Item {f} {d}"),
    ("delete {f}", "rm {f}", "Remove-Item {f}"),
    ("show {f}", "cat {f}", "Get-Content {f}"),
    ("show the first {k} lines of {f}", "head -n {k} {f}", "Get-Content {f} -TotalCount {k}"),
    ("show the last {k} lines of {f}", "tail -n {k} {f}", "Get-Content {f} -Tail {k}"),
    ("find {w} in {f}", "grep {w} {f}", "Select-String {w} {f}"),
    ("make the folder {w}", "mkdir {w}", "New-Item -ItemType Directory {w}"),
    ("make the file {w}.txt", "touch {w}.txt", "New-Item {w}.txt"),
    ("print {w}", "echo {w}", "Write-Output {w}"),
]


def _slots(rng, text):
    return (text.replace("{d}", rng.choice(FOLDERS)).replace("{f}", rng.choice(FILES)).replace("{k}", str(rng.randint(2, 40)))
            .replace("{w}", rng.choice(WORDS)).replace("{b}", rng.choice(BRANCHES)))


def shell(rng, style):
    """One to three commands."""
    power = marked(rng, style, 0.2)
    chosen = rng.sample(COMMANDS, rng.choice([1, 1, 1, 2, 4]))
    steps = [_slots(rng, "\t".join(row)).split("\t") for row in chosen]
    task = ", then ".join(s[0] for s in steps)
    opening = rng.choice(["On the command line, ", "Shell: ", "With commands, "])
    if style == A and not power:
        return Record(f"{opening}{task}.", " && ".join(s[1] for s in steps))
    return Record(f"{opening}{task}{', in PowerShell' if power else ''}.", "\n".join(s[2] for s in steps))


GIT = [
    ("sends the branch {b} to origin", "git push origin {b}"),
    ("fetches and merges {b} from origin", "git pull origin {b}"),
    ("switches to the branch {b}", "git switch {b}"),
    ("makes the branch {w}", "git branch {w}"),
    ("merges the branch {b}", "git merge {b}"),
    ("stages {f}", "git add {f}"),
    ("commits with the message {w}", 'git commit -m "{w}"'),
    ("shows the last {k} commits", "git log -n {k}"),
    ("shows what changed in {f}", "git diff {f}"),
    ("takes back the changes in {f}", "git restore {f}"),
    ("sets the tag {w}", "git tag {w}"),
    ("deletes the branch {w}", "git branch -d {w}"),
]


def git(rng, style):
    """Pre-training reads git commands, fine-tuning writes them."""
    chosen = rng.sample(GIT, rng.choice([1, 1, 1, 1, 3, 4]))
    steps = [_slots(rng, "\t".join(row)).split("\t") for row in chosen]
    meaning, command = ", then ".join(s[0] for s in steps), " && ".join(s[1] for s in steps)
    if style == A:
        return Record(rng.choice([f"What does {command} do?", f"Explain {command}"]), f"It {meaning}.")
    return Record(rng.choice([f"Give the git command that {meaning}.", f"Which git command {meaning}?"]), command)


SELECTORS = "h1 h2 p a li table button .menu .card .box #main #top".split()
COLORS = "red blue green gold gray black white".split()
RULES = [
    ("the text {c}", "color: {c};"),
    ("the background {c}", "background: {c};"),
    ("the text {k} pixels high", "font-size: {k}px;"),
    ("the text bold", "font-weight: bold;"),
    ("the margin {k} pixels", "margin: {k}px;"),
    ("the padding {k} pixels", "padding: {k}px;"),
    ("the width {k} pixels", "width: {k}px;"),
    ("the border {c} and {k} pixels wide", "border: {k}px solid {c};"),
    ("the text centered", "text-align: center;"),
    ("the content hidden", "display: none;"),
]


def css(rng, style):
    """Pre-training reads CSS rules, fine-tuning writes them."""
    selector, chosen = rng.choice(SELECTORS), rng.sample(RULES, rng.choice([1, 1, 1, 1, 3, 4]))
    rows = [(said.replace("{c}", c).replace("{k}", k), rule.replace("{c}", c).replace("{k}", k))
            for (said, rule), c, k in ((row, rng.choice(COLORS), str(rng.randint(2, 40))) for row in chosen)]
    meaning = join_and([said for said, _ in rows])
    rule = f"{selector} {{ {' '.join(rule for _, rule in rows)} }}"
    if style == A:
        if rng.random() < 0.5:
            return Record(f"What does {rule} do?", f"For {selector} it makes {meaning}.")
        who = f"{rng.choice(PEOPLE)}'s {rng.choice(TABLES)}"
        return Record(f"Explain the rule from the page of {who}.", f"For {selector} it makes {meaning}.", rule)
    return Record(rng.choice([f"Write a CSS rule for {selector} that makes {meaning}.", f"For {selector}, make {meaning}."]), rule)


def html(rng, style):
    """Pre-training reads HTML lists, fine-tuning writes them."""
    items = rng.sample(WORDS, rng.choice([2, 2, 3, 5, 6]))
    tag, kind = rng.choice([("ul", "a list"), ("ol", "a numbered list")])
    code = f"<{tag}>" + "".join(f"<li>{w}</li>" for w in items) + f"</{tag}>"
    label = f"{rng.choice(PEOPLE)}'s {rng.choice(TABLES)}"
    if style == A:
        return Record(f"What is on the page of {label}?", f"{kind[0].upper()}{kind[1:]} of {join_and(items)}.", code)
    return Record(f"Put {label} in {kind}.", code, ", ".join(items))
