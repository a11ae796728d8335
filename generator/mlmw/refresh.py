"""`mlmw data refresh`: look at a changed file again, tell what is different, update the project."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlmw import answers as answers_file
from mlmw import own_data, project, update
from mlmw.errors import Refusal
from mlmw.inspection import show
from mlmw.inspection.inspect import inspect
from mlmw.inspection.roles import Choices

SHARE = 0.01  # of the rows, by which a share must differ to be told
Column = Mapping[str, Any]


@dataclass(frozen=True)
class Refresh:
    """What was found in the file now, and how it differs from what the project knows."""

    differences: list[str]
    wanted: update.Wanted


def look(given: str, file: str | None = None) -> Refresh:
    """Inspect a project's file again, or another one in its place, with the choices of before."""
    folder = project.check_folder(given)
    old = answers_file.read(folder).get(own_data.QUESTION)
    if not old:
        remedy = "make one that is: mlmw new PATH --data FILE"
        raise Refusal(f"project {given!r}", "it was not made for a file", remedy)
    path = file or str(folder / old["path"])
    if file and not str(old["path"]).startswith(f"{own_data.RAW}/"):
        why = f"the project refers to {old['path']}"
        raise Refusal(f"file {file!r}", why, "change the file there, and leave FILE out")
    columns = old["columns"]
    choices = Choices(
        target=old["target"],
        task=old["task"],
        uses={one["name"]: one["role"] for one in columns if one.get("chosen")},
        texts=frozenset(one["name"] for one in columns if one.get("as_text")),
    )
    schema = inspect(path, choices) | own_data.facts(path, "copy")
    if file is None:
        schema |= {key: old[key] for key in ("file", "path", "by", "origin")}
    wanted = update.Wanted("refresh", answers={own_data.QUESTION: schema})
    return Refresh(list(differences(old, schema)), wanted)


def apply(given: str, file: str | None, found: Refresh) -> update.Outcome:
    """Update the project, and then bring the new file, if there is one."""
    outcome = update.apply(given, found.wanted)
    if file is not None:
        own_data.bring(file, "copy", project.check_folder(given))
    return outcome


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Tell how two schemas differ: one line for each thing that is not as it was."""
    if old["sha256"] == new["sha256"]:
        return
    if old["rows"] != new["rows"]:
        yield f"  rows: {old['rows']:,} -> {new['rows']:,}"
    for key in ("delimiter", "encoding", "task", "positive"):
        if old[key] != new[key]:
            yield f"  {key}: {old[key]!r} -> {new[key]!r}"
    before, now = ({one["name"]: one for one in schema["columns"]} for schema in (old, new))
    for name, column in before.items():
        if name not in now:
            yield f"- {name}: {column['kind']}, {column['role']}"
    for name, column in now.items():
        if name not in before:
            yield f"+ {name}: {column['kind']}, {_role(column)}"
        elif changes := list(_changes(before[name], column)):
            yield f"  {name}: {', '.join(changes)}"


def _role(column: Column) -> str:
    return f"not used: {column['why']}" if column["role"] == "unused" else str(column["role"])


def _changes(old: Column, new: Column) -> Iterator[str]:
    for key, word in (("kind", "kind"), ("role", "use")):
        if old[key] != new[key]:
            yield f"{word} {old[key]} -> {new[key]}"
    shares = [column.get("missing", 0.0) for column in (old, new)]
    if abs(shares[0] - shares[1]) >= SHARE:
        yield f"missing {shares[0]:.1%} -> {shares[1]:.1%}"
    spans = [show.values(column) for column in (old, new)]
    if "categories" not in new and "categories" not in old and spans[0] != spans[1]:
        yield f"values {spans[0] or 'none'} -> {spans[1] or 'none'}"
    known = [column.get("categories", {}) for column in (old, new)]
    yield from (f"+ {name}" for name in known[1] if name not in known[0])
    yield from (f"- {name}" for name in known[0] if name not in known[1])
    for name in known[0].keys() & known[1].keys():
        if old["role"] == "target" and abs(known[0][name] - known[1][name]) >= SHARE:
            yield f"{name} {known[0][name]:.1%} -> {known[1][name]:.1%}"
