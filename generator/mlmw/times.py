"""How long a new project's first commands take: measured by benchmarks/times.py, and summed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).parent / "times.json"
COMMANDS = ("make setup", "make train report", "make test")


@dataclass(frozen=True)
class Times:
    """Seconds of each command, for the baseline (`none`) and for each recipe alone."""

    measured: str
    on: str
    seconds: Mapping[str, Mapping[str, float]]


def load() -> Times:
    """What was measured."""
    return Times(**json.loads(PATH.read_text(encoding="utf-8")))


def estimate(recipes: Sequence[str], times: Times) -> dict[str, float]:
    """Seconds of each command with these recipes; empty where one of them was never measured.

    What a recipe adds to the baseline when it is alone, it adds beside others too.
    """
    if not {"none", *recipes} <= times.seconds.keys():
        return {}
    base = times.seconds["none"]
    return {
        command: base[command]
        + sum(max(times.seconds[name][command] - base[command], 0) for name in recipes)
        for command in COMMANDS
    }


def basis(times: Times) -> str:
    """What the stated times hold for."""
    return f"Times: measured on {times.on}, packages already downloaded ({times.measured})."


def words(seconds: float) -> str:
    """A duration as one says it: to five seconds, then to half a minute."""
    if seconds < 60:
        return f"about {max(5 * round(seconds / 5), 5)} s"
    return f"about {round(seconds / 30) / 2:g} min"
