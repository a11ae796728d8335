"""What happened to projects, as text and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mlmw import layout
from mlmw.errors import CONFLICTS, MlmwError, Refusal
from mlmw.status import Status
from mlmw.update import Outcome

WORDS = {
    "unchanged": "up to date",
    "behind": "behind",
    "changed": "changed",
    "conflicts": "conflicts",
    "previewed": "would change",
    "undone": "undone",
    "refused": "refused",
    "failed": "failed",
}
NOTHING_DUE = {"add": "nothing to add", "remove": "nothing to remove"}


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """One code for several projects; a refusal's means that nothing was changed in any of them."""
    results = {outcome.result for outcome in outcomes}
    if any(outcome.conflicts for outcome in outcomes):
        return CONFLICTS
    if "refused" in results and not results & {"changed", "undone", "failed"}:
        return Refusal.exit_code
    return MlmwError.exit_code if results & {"refused", "failed", "behind"} else 0


def failure(path: str, action: str, error: MlmwError) -> Outcome:
    """A project that was refused, or where something went wrong, as one line of the table."""
    result = "refused" if isinstance(error, Refusal) else "failed"
    return Outcome(path, action, result, message=str(error))


def as_json(items: Sequence[Any]) -> str:
    """A list of results, always, so that scripts need not tell one from several."""
    return json.dumps([asdict(item) for item in items], indent=2)


def outcome_text(outcome: Outcome) -> str:
    """Everything about one project."""
    versions = _versions(outcome)
    lines = [f"{outcome.path}: {_word(outcome)}{f' ({versions})' if versions else ''}"]
    if outcome.message:
        lines.append(f"  {outcome.message}")
    lines += [f"  {name}" for name in outcome.files]
    if outcome.kept_deleted:
        lines += ["Deleted by you, changed by the template, stays deleted:"]
        lines += [f"  {path}" for path in outcome.kept_deleted]
    if outcome.conflicts:
        what = "that there would be" if outcome.result == "previewed" else "for you to decide"
        lines += [f"Conflicts ({len(outcome.conflicts)}), {what}:"]
        for one in outcome.conflicts:
            beside = f"; the template's is {one.sidecar}" if one.sidecar else ""
            lines.append(f"  {one.path}: {one.kind}{beside}")
    return "\n".join([*lines, *_next_steps(outcome)])


def _word(outcome: Outcome) -> str:
    if outcome.result == "unchanged":  # which says nothing about the version
        return NOTHING_DUE.get(outcome.action, WORDS["unchanged"])
    return WORDS[outcome.result]


def _versions(outcome: Outcome) -> str:
    if outcome.old == outcome.new or outcome.new is None:
        return outcome.old or ""
    return f"{outcome.old} -> {outcome.new}"


def _next_steps(outcome: Outcome) -> list[str]:
    if outcome.result == "changed":
        steps = ["See it: git diff --cached   keep it: git commit"]
        return [*steps, "Undo it: mlmw update --abort"]
    if outcome.result == "conflicts":
        return [
            "Resolve them (git diff shows them), git add, then: mlmw update --continue",
            "Or undo everything: mlmw update --abort",
        ]
    if outcome.result == "behind":
        return ["Bring it up to date: mlmw update"]
    return []


def table(outcomes: Sequence[Outcome]) -> str:
    """One line for each project."""
    rows = [("PROJECT", "RESULT", "VERSION", "FILES", "CONFLICTS")]
    for one in outcomes:
        counts = (str(len(one.files) or "-"), str(len(one.conflicts) or "-"))
        rows.append((one.path, _word(one), _versions(one) or "-", *counts))
    details = [f"{one.path}: {one.message}" for one in outcomes if one.message]
    details += [
        f"{one.path}: conflict in {conflict.path} ({conflict.kind})"
        for one in outcomes
        for conflict in one.conflicts
    ]
    return "\n".join([*layout.columns(rows), *([""] if details else []), *details])


def status_text(state: Status) -> str:
    """A project's state in a few lines."""
    layers = ", ".join(state.layers or state.recipes) or "none"
    rows = [("Version", f"{state.version} of {state.template}"), ("Newest", _behind(state))]
    rows.append(("Layers", layers))
    if state.files:
        count = len(state.modified) + len(state.deleted)
        changed = f"{count} of the template's {state.files} files, {state.added} added"
        rows.append(("Changed", changed))
        rows += [("", f"M {name}") for name in state.modified]
        rows += [("", f"D {name}") for name in state.deleted]
    rows.append(("Conflicts", str(len(state.conflicts)) if state.conflicts else "none"))
    rows += [("", f"{one.path}: {one.kind}") for one in state.conflicts]
    if state.under_way:
        rows.append(("Under way", state.under_way))
    rows += [("Note", note) for note in state.notes]
    return "\n".join([state.path, *(f"  {key:9}  {value}" for key, value in rows)])


def _behind(state: Status) -> str:
    if state.newest is None:
        return "unknown"
    if not state.behind:
        return f"{state.newest}: up to date"
    what = "release" if state.newer else "commit"
    plural = "" if state.behind == 1 else "s"
    return f"{state.newest}: {state.behind} {what}{plural} behind, see mlmw update"
