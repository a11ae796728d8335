"""The command `report`."""

from pathlib import Path

from .. import pipeline, workloads
from ..reporting import fill, pictures, summary


def main() -> None:
    """Put the newest results into README and model cards."""
    for name, run in [(name, pipeline.find_run(name)) for name in workloads.NAMES]:
        config = (run.folder / "config.toml").read_text(encoding="utf-8")
        card = Path("docs", f"model_card_{name}.md")
        fill(Path("README.md"), name, f"{summary(run)}\n\n{pictures(run)}")
        fill(card, name, f"{summary(run)}\n\n```toml\n{config}```")
        print(f"README.md and {card.as_posix()} show the results of {run.folder}")
