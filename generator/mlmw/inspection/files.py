"""What kind of file is it: its format, its compression, its encoding, its delimiter, its header."""

import codecs
import csv
import gzip
import io
import itertools
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from mlmw.errors import Refusal

FORMATS = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".jsonl": "jsonl"}
KNOWN = ".csv, .tsv, .jsonl (each also with .gz) or .parquet"
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
BLOCK = 2**20  # bytes
HEAD = 2**23  # bytes; a header with 10,000 long names fits
MOST_COLUMNS = 2_000
LONGEST_NAME = 200  # characters
csv.field_size_limit(HEAD)  # a text may be long; nothing but the first rows is read here
# A character of several bytes: hardly ever what Windows-1252 text looks like.
UTF_8 = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe1-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


@dataclass(frozen=True)
class DataFile:
    """A file that can be read.

    `encoding`, `delimiter` and `header` (the names of its columns, each once) are those of text;
    a Parquet file has none of them. `numbered`: some of these names are not in the file.
    """

    path: Path
    format: str
    compressed: bool = False
    encoding: str = ""
    delimiter: str = ""
    header: tuple[str, ...] = ()
    numbered: bool = False

    def open(self) -> BinaryIO:
        """Open its bytes, unpacked."""
        return cast(BinaryIO, gzip.open(self.path)) if self.compressed else self.path.open("rb")


def look(given: str) -> DataFile:
    """Look at the file's name and its first bytes; raises `Refusal` for what cannot be read."""
    what = f"file {given!r}"
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", given):
        raise Refusal(what, "it is an address, not a file", "download it first")
    path = Path(given)
    if path.is_dir():
        raise Refusal(what, "it is a folder", "name one file in it")
    if not path.exists():
        raise Refusal(what, "it does not exist", "check its name and the folder you are in")
    if not path.is_file():
        raise Refusal(what, "it is no ordinary file", "save its content as a file first")
    compressed = path.suffix.lower() == ".gz"
    suffix = Path(path.stem).suffix.lower() if compressed else path.suffix.lower()
    if suffix not in FORMATS or (compressed and suffix == ".parquet"):
        raise Refusal(what, "its name does not tell its format", f"name it {KNOWN}")
    found = DataFile(path, FORMATS[suffix], compressed)
    try:
        return found if suffix == ".parquet" else _text(found, what)
    except (OSError, EOFError, zlib.error) as error:
        why = f"it cannot be read ({getattr(error, 'strerror', None) or error})"
        raise Refusal(what, why, "check its permissions, or make it anew") from None


def blocks(file: DataFile) -> Iterator[bytes]:
    """Give the bytes of a file, unpacked, block by block."""
    with file.open() as opened:
        while block := opened.read(BLOCK):
            yield block


def _text(file: DataFile, what: str) -> DataFile:
    with file.open() as opened:
        head = opened.read(HEAD)
    if not head.strip():
        raise Refusal(what, "it is empty", "give a file with a header and rows")
    encoding = _encoding(file, head, what)
    if file.format == "jsonl":
        if encoding != "utf-8-sig":
            raise Refusal(what, "JSON lines must be UTF-8", "save it again as UTF-8")
        return DataFile(file.path, file.format, file.compressed, encoding)
    text = codecs.getincrementaldecoder(encoding)().decode(head)
    delimiter, names = _header(text, what)
    parts = (file.path, file.format, file.compressed, encoding, delimiter)
    unique = _unique(names)
    return DataFile(*parts, unique, numbered=list(unique) != names)


def _encoding(file: DataFile, head: bytes, what: str) -> str:
    """Tell the encoding: UTF-16 by its mark, UTF-8 if all of the file is, else Windows-1252."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in head:
        raise Refusal(what, "it holds bytes that no text has", f"give a text file, {KNOWN}")
    if _decodes(file, "utf-8-sig"):
        return "utf-8-sig"
    if any(UTF_8.search(block) for block in blocks(file)):
        why = "some of its text is UTF-8 and some is not"
    elif _decodes(file, "cp1252"):
        return "cp1252"
    else:
        why = "it is encoded neither in UTF-8 nor in UTF-16 nor in Windows-1252"
    raise Refusal(what, why, "save it again as UTF-8")


def _decodes(file: DataFile, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in blocks(file):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _header(text: str, what: str) -> tuple[str, list[str]]:
    """Return the delimiter that reads the first rows best, and the first row that it gives."""
    found: list[tuple[bool, float, int, int, str, list[list[str]]]] = []
    for delimiter in DELIMITERS:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            first = [row for row in itertools.islice(rows, 100) if row]
        except csv.Error as error:
            raise Refusal(what, f"it is no CSV ({error})", "check its quotation marks") from None
        width = len(first[0])
        even = sum(len(row) == width for row in first) / len(first)
        found.append((width > 1, even, width, -len(found), delimiter, first))
    *_, delimiter, first = max(found)
    names = [name.strip() for name in first[0]]
    if len(names) < 2:
        why = "it has one column only, so there is nothing to predict it from"
        raise Refusal(what, why, f"separate columns by {', '.join(DELIMITERS.values())}")
    if len(names) > MOST_COLUMNS:
        why = f"it has {len(names):,} columns, {MOST_COLUMNS:,} are possible"
        raise Refusal(what, why, "leave out what cannot help to predict")
    if len(longest := max(names, key=len)) > LONGEST_NAME:
        why = f"the name of a column has {len(longest):,} characters"
        raise Refusal(what, why, f"{LONGEST_NAME} are possible: shorten it")
    if len(first) > 1 and all(re.fullmatch(r"[-+]?[\d.,]*\d([eE][-+]?\d+)?", n) for n in names):
        raise Refusal(what, "its first row is no header", "name its columns in the first row")
    return delimiter, names


def _unique(names: list[str]) -> tuple[str, ...]:
    """Name what has no name, and number what has the name of another."""
    found: list[str] = []
    for number, name in enumerate(names, start=1):
        plain = name or f"column_{number}"
        tries = (f"{plain}_{count}" if count > 1 else plain for count in itertools.count(1))
        found.append(next(one for one in tries if one not in found))
    return tuple(found)
