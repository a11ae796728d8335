"""What this project knows of its data: schema.json, which `mlmw` writes, and which holds no row."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from .rows import Kind


class Column(BaseModel):
    """A column; of one that is not used no more is known than its name, its kind and why.

    Shares are between 0 and 1. `quartiles` are five numbers, from the smallest to the largest;
    `categories` the values that were not rare, with their shares; `days` the first and the last.
    """

    name: str
    kind: Kind
    role: Literal["target", "feature", "group", "unused"]
    why: str = ""
    personal: bool = False
    missing: float = 0.0
    distinct: int = 0
    whole: bool = False
    quartiles: list[float] = []
    days: list[str] = []
    categories: dict[str, float] = {}


class Schema(BaseModel):
    """The columns of the file, and which of them is predicted."""

    file: str
    sha256: str
    rows: int
    target: str
    task: Literal["classification", "regression"]
    positive: str
    columns: list[Column]

    def of(self, *roles: str) -> list[Column]:
        """Return the columns of some roles, in the order of the file."""
        return [column for column in self.columns if column.role in roles]


PATH = Path(__file__).with_name("schema.json")
SCHEMA = Schema.model_validate_json(PATH.read_text(encoding="utf-8"))
