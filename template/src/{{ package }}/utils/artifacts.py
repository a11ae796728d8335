"""Files that are complete or absent, and the SHA-256 of a folder."""

import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from .errors import UserError


def sha256_folder(folder: Path, pattern: str = "*") -> str:
    """Return one hash, in hexadecimal, over the names and the bytes of all files in `folder`."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob(pattern) if path.is_file()):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()}\0{digest}\n".encode())
    return total.hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a whole file; see `open_text`."""
    with open_text(path) as file:
        file.write(text)


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Write under a temporary name, then rename: a reader never meets half a file.

    A UserError where the folder is missing, or cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write JSON; NaN and Infinity, which JSON does not have, raise a ValueError."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read JSON; a UserError where the file is missing or is none."""
    if not path.exists():
        raise UserError(f"{path}: there is no such file")
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON: {error}") from None
