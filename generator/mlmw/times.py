"""How long a new project's first commands take: measured by benchmarks/times.py, and summed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).parent / "times.json"
COMMANDS = ("make setup", "make train report", "make test")
NONE = "none"  # the project without recipes


@dataclass(frozen=True)
class Times:
    """Seconds of each command, for the baseline and for each recipe alone."""

    measured: str  # the date
    on: str
    seconds: Mapping[str, Mapping[str, float]]


def load() -> Times:
    """What was measured."""
    return Times(**json.loads(PATH.read_text(encoding="utf-8")))


def estimate(recipes: Sequence[str], times: Times) -> dict[str, float]:
    """Seconds of each command with these recipes, as far as all of them were measured.

    What a recipe adds to the baseline when it is alone, it adds beside others too.
    """
    known = [times.seconds.get(name, {}) for name in (NONE, *recipes)]
    found = {}
    for command in COMMANDS:
        if all(command in one for one in known):
            base, *others = (one[command] for one in known)
            found[command] = base + sum(max(other - base, 0) for other in others)
    return found


def basis(times: Times) -> str:
    """What the stated times hold for."""
    return (
        f"Times: processor time on {times.on} ({times.measured}), "
        "packages downloaded before, uv installed."
    )


def words(seconds: float) -> str:
    """A duration as one says it: to five seconds, then to half a minute."""
    if seconds < 60:
        return f"about {max(5 * round(seconds / 5), 5)} s"
    return f"about {round(seconds / 30) / 2:g} min"
