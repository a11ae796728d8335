"""Loading a file into DuckDB, within bounded memory.

Every value is loaded as text: a project reads it so, and what kinds they are is decided in
`profile`. Source: the reference of DuckDB, https://duckdb.org/docs/stable/data/csv/overview.
"""

import contextlib
import io
import itertools
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from mlmw.errors import MlmwError, Refusal
from mlmw.inspection.files import MOST_COLUMNS, DataFile

if TYPE_CHECKING:
    import duckdb

# What the extra `data` of pyproject.toml holds; the mlmw of PyPI is another project.
INSTALL = "pip install 'duckdb>=2,<3'"
MEMORY = "400MB"
THREADS = 2
WHOLE = 2**29  # bytes; of a larger file only a sample is loaded
PACKING = 8  # how many times larger than its packed form text is, at most, as a rule
SAMPLE = 256 * 2**20  # bytes
LONGEST_ROW = 2**21  # bytes; DuckDB sets 16 times as much aside
PARTS = 64  # of a sample
FORMAT_NAMES = {"jsonl": "JSON lines", "parquet": "Parquet"}
# Truth values as Python writes them, also where JSON has values of several kinds in one column.
AS_TEXT = {
    "BOOLEAN": "CASE {0} WHEN true THEN 'True' WHEN false THEN 'False' END",
    "JSON": "CASE {0} WHEN 'true' THEN 'True' WHEN 'false' THEN 'False' ELSE {0} ->> '$' END",
    "VARCHAR": "CAST({0} AS VARCHAR)",
}
NESTED = re.compile(r"STRUCT|MAP|UNION|BLOB|.*\[")


@dataclass(frozen=True)
class Table:
    """A loaded file: the table `data` with the columns `c0`, `c1` ..., all text.

    `sample` says which part of the file was loaded, and is empty if all was; `nested` names the
    columns that hold lists or objects, which were left out.
    """

    connection: "duckdb.DuckDBPyConnection"
    names: tuple[str, ...]
    rows: int
    sample: str
    nested: tuple[str, ...]
    delimiter: str

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows that a query gives."""
        return self.connection.execute(query, values).fetchall()


@contextlib.contextmanager
def loaded(file: DataFile) -> Iterator[Table]:
    """Load a file; raises `Refusal` for one that is damaged, uneven or without rows."""
    try:
        import duckdb
    except ModuleNotFoundError:
        why = "DuckDB, which it needs, is not installed"
        raise MlmwError("looking at data", why, INSTALL) from None
    with (
        tempfile.TemporaryDirectory(prefix="mlmw-", ignore_cleanup_errors=True) as temporary,
        duckdb.connect(str(Path(temporary) / "data.duckdb")) as connection,
    ):
        connection.execute(f"SET memory_limit = '{MEMORY}'; SET threads = {THREADS}")
        try:
            yield _load(connection, file, Path(temporary))
        except duckdb.OutOfMemoryException:
            why = f"it takes more than {MEMORY} of memory"
            raise Refusal(f"file {str(file.path)!r}", why, "leave out columns") from None
        except duckdb.Error as error:
            raise _refusal(file, str(error)) from None


def _load(connection: "duckdb.DuckDBPyConnection", file: DataFile, temporary: Path) -> Table:
    what = f"file {str(file.path)!r}"
    source, sample = _source(file, temporary)
    scan = _scan(file, source)
    described = connection.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()
    if len(described) > MOST_COLUMNS:
        why = f"it has {len(described):,} columns, {MOST_COLUMNS:,} are possible"
        raise Refusal(what, why, "leave out what cannot help to predict")
    nested = tuple(name for name, kind, *_ in described if NESTED.match(kind))
    flat = [name for name, *_ in described if name not in nested]
    # What is missing is NULL from here on, and blanks around a value are no part of it.
    kinds = {name: kind for name, kind, *_ in described}
    texts = [AS_TEXT.get(kinds[name], AS_TEXT["VARCHAR"]).format(_quoted(name)) for name in flat]
    cells = ", ".join(f"nullif(trim({text}), '') AS c{n}" for n, text in enumerate(texts))
    if len(flat) < 2:
        why = "it has one column only, so there is nothing to predict it from"
        raise Refusal(what, why, "give a file with more columns")
    connection.execute(f"CREATE TABLE data AS SELECT {cells} FROM {scan}")
    (rows,) = connection.execute("SELECT count(*) FROM data").fetchall()[0]
    if not rows:
        raise Refusal(what, "it has a header and no rows", "give a file with rows")
    names = file.header or tuple(flat)
    return Table(connection, names, rows, sample, nested, file.delimiter)


def _scan(file: DataFile, source: Path) -> str:
    """The part of a query that reads a file."""
    path = "'" + str(source).replace("'", "''") + "'"
    if file.format == "parquet":
        large = source.stat().st_size > WHOLE
        share = 100 * SAMPLE / source.stat().st_size
        return f"read_parquet({path})" + f" TABLESAMPLE system({share}%) REPEATABLE (0)" * large
    if file.format == "jsonl":
        return (
            f"read_ndjson({path}, records = true, map_inference_threshold = -1, "
            f"sample_size = -1, maximum_object_size = {LONGEST_ROW})"
        )
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(file.header)))
    return (
        f"read_csv({path}, auto_detect = false, header = true, columns = {{{columns}}}, "
        f"""delim = '{file.delimiter}', quote = '"', escape = '"', max_line_size = {LONGEST_ROW})"""
    )


def _source(file: DataFile, temporary: Path) -> tuple[Path, str]:
    """A file that DuckDB can read, in UTF-8, and which part of the given one it holds."""
    size = file.path.stat().st_size
    large = size > (WHOLE // PACKING if file.compressed else WHOLE)
    if file.format == "parquet":
        return file.path, "a part of its row groups" if large else ""
    if file.encoding == "utf-8-sig" and not large:
        return file.path, ""
    target = temporary / f"data.{file.format}"
    with file.open() as binary, target.open("w", encoding="utf-8", newline="") as output:
        if large and file.encoding == "utf-8-sig" and not file.compressed and _is_even(file):
            for line in _spread(binary, size):
                output.write(line.decode("utf-8"))
            return target, f"{PARTS} pieces evenly spread over it, {SAMPLE >> 20} MiB in all"
        text = io.TextIOWrapper(binary, encoding=file.encoding, newline="")
        if large:
            output.writelines(_beginning(text))
            return target, f"its first {SAMPLE >> 20} MiB"
        shutil.copyfileobj(text, output)
    return target, ""


def _is_even(file: DataFile) -> bool:
    """Whether every line seems to be a row: no quoted text that goes on in the next line."""
    with file.open() as binary:
        return all(line.count(b'"') % 2 == 0 for line in itertools.islice(binary, 10_000))


def _spread(binary: BinaryIO, size: int) -> Iterator[bytes]:
    """Give whole lines from places that are evenly spread, the first one always."""
    for part in range(PARTS):
        binary.seek(size * part // PARTS)
        if part:
            binary.readline()  # the rest of a line that began before
        left = SAMPLE // PARTS
        while left > 0 and (line := binary.readline()):
            left -= len(line)
            yield line


def _beginning(text: TextIO) -> Iterator[str]:
    """Give whole rows; where marks of quotation are even in number, no quoted text is open."""
    left, marks = SAMPLE, 0
    for line in text:
        left, marks = left - len(line), marks + line.count('"')
        yield line
        if left < 0 and marks % 2 == 0:
            return


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _refusal(file: DataFile, said: str) -> Refusal:
    """Tell in one line what DuckDB tells in many; the row's content is not repeated."""
    what = f"file {str(file.path)!r}"
    line = re.search(r"on Line: (\d+)", said) or re.search(r"in line (\d+)", said)
    place = f"line {line[1]}" if line else "a row"
    if cells := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", said):
        why, remedy = f"{place} has {cells[2]} cells and the header {cells[1]}", "mend that line"
    elif "quote" in said.split("Possible fixes")[0].lower():
        why, remedy = f"{place} has a quotation mark that is never closed", "mend that line"
    elif file.format == "csv":
        why, remedy = f"{place} cannot be read as CSV", "mend that line"
    else:
        why = f"it cannot be read as {FORMAT_NAMES[file.format]}"
        why += f" ({place})" if line else ""
        remedy = "make it anew"
    return Refusal(what, why, remedy)
