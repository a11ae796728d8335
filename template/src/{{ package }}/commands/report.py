"""The command `report`."""

from pathlib import Path

from .. import pipeline, workloads
from ..reporting import example, fill, pictures, summary
from ..runs import finished_runs


def main() -> None:
    """Put the newest results into README and model cards."""
    trained = [name for name in workloads.NAMES if finished_runs(name)]
    for name in trained or workloads.NAMES[:1]:  # without any run, the first one's error
        run = pipeline.find_run(name)
        config = (run.folder / "config.toml").read_text(encoding="utf-8")
        card = Path("docs", f"model_card_{name}.md")
        fill(Path("README.md"), name, f"{summary(run)}\n\n{pictures(run)}\n\n{example(run)}")
        fill(card, name, f"{summary(run)}\n\n```toml\n{config}```")
        print(f"README.md and {card.as_posix()} show the results of {run.folder}")
