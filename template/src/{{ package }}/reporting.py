"""Turn a finished run into Markdown, and put it between two marks of a document."""

import shutil
from pathlib import Path
from typing import Any

from .runs import Run
from .utils.artifacts import write_text
from .utils.errors import UserError


def fill(document: Path, block: str, content: str) -> None:
    """Replace what is between a block's two marks; a UserError where they are missing."""
    begin, end = f"<!-- report:{block} -->", f"<!-- /report:{block} -->"
    text = document.read_text(encoding="utf-8") if document.is_file() else ""
    before, found, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise UserError(f"{document}: has no block from {begin} to {end}; put both lines back")
    write_text(document, f"{before}{begin}\n{content}\n{end}{after}")


def summary(run: Run) -> str:
    """Return one sentence on the date, the code and the data of a run, and its metrics."""
    metadata, git = run.metadata, run.metadata["git"]
    commit = f"commit `{git['commit'][:10]}`" if git["commit"] else "no commit"
    origin = f"{commit} with uncommitted changes" if git["changes"] else commit
    day, data = metadata["finished"][:10], metadata["data_sha256"][:12]
    sentence = f"Trained on {day} from {origin}, data `{data}`, run `{run.folder.name}`."
    return f"{sentence}\n\n{table(run.metrics)}"


def pictures(run: Run) -> str:
    """Copy a run's pictures to `reports/`, which git keeps, and return links to them."""
    folder = Path("reports", run.metadata["workload"])
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(run.figures, folder)
    names = {path: path.stem.replace("_", " ") for path in sorted(folder.glob("*.png"))}
    return "\n\n".join(f"![{name}]({path.as_posix()})" for path, name in names.items())


def table(metrics: dict[str, Any]) -> str:
    """Return the metrics as a Markdown table: the model's, their intervals, the baseline's."""
    lines = ["| metric | model (95 % interval) | baseline |", "| --- | ---: | ---: |"]
    for name, value in metrics["test"].items():
        bounds = metrics.get("intervals", {}).get(name)
        interval = " ({:.3f} to {:.3f})".format(*bounds) if bounds else ""
        baseline = f"{metrics['baseline'][name]:.3f}" if name in metrics["baseline"] else ""
        lines.append(f"| {name} | {value:.3f}{interval} | {baseline} |")
    return "\n".join(lines)
