"""Turn a finished run into Markdown, and put it between two marks of a document."""

import json
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
    """Return the primary metric, where the run comes from, and all metrics."""
    metadata, git, name = run.metadata, run.metadata["git"], run.metadata["primary_metric"]
    model, baseline = (run.metrics[column][name] for column in ("test", "baseline"))
    commit = f"commit `{git['commit'][:10]}`" if git["commit"] else "no commit"
    origin = f"{commit} with uncommitted changes" if git["changes"] else commit
    day, data = metadata["finished"][:10], metadata["data_sha256"][:12]
    result = f"**{name} {model:.3f} on test data, the baseline {baseline:.3f}.**"
    sentence = f"Trained on {day} from {origin}, data `{data}`, run `{run.folder.name}`."
    return f"{result} {sentence}\n\n{table(run.metrics)}"


def pictures(run: Run) -> str:
    """Copy a run's pictures to `reports/`, which git keeps, and return HTML that shows them.

    Each at half its size, so that two stand side by side and all are sharp.
    """
    folder = Path("reports", run.metadata["workload"])
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(run.figures, folder)
    tags = []
    for path in sorted(folder.glob("*.png")):
        width = int.from_bytes(path.read_bytes()[16:20]) // 2  # of its header
        name = path.stem.replace("_", " ")
        tags.append(f'<img alt="{name}" src="{path.as_posix()}" width="{width}">')
    return "\n".join(["<p>", *tags, "</p>"])


def example(run: Run) -> str:
    """Return the model's answer to the first example that was held out, rounded."""
    first = (run.folder / "predictions.jsonl").read_text(encoding="utf-8").partition("\n")[0]
    answer = json.loads(first, parse_float=lambda number: round(float(number), 3))
    text = json.dumps(answer, ensure_ascii=False)
    return f"Its answer to the first example that was held out, rounded:\n\n```json\n{text}\n```"


def table(metrics: dict[str, Any]) -> str:
    """Return the metrics as a Markdown table: the model's, their intervals, the baseline's."""
    lines = ["| metric | model (95 % interval) | baseline |", "| --- | ---: | ---: |"]
    for name, value in metrics["test"].items():
        bounds = metrics.get("intervals", {}).get(name)
        interval = " ({:.3f} to {:.3f})".format(*bounds) if bounds else ""
        baseline = f"{metrics['baseline'][name]:.3f}" if name in metrics["baseline"] else ""
        lines.append(f"| {name} | {value:.3f}{interval} | {baseline} |")
    return "\n".join(lines)
