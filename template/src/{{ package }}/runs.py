"""A run is a folder: everything that one training left behind, readable without this code."""

import importlib.metadata
import json
import platform
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from .utils.artifacts import read_json, sha256_folder, write_json, write_text
from .utils.config import BaseConfig, dump_config
from .utils.errors import UserError

RUNS = Path("experiments/runs")


@dataclass(frozen=True)
class Run:
    """A folder with config.toml, model/, figures/, examples.jsonl, metrics.json, metadata.json.

    metadata.json is written last: a run without it was interrupted and is not used.
    """

    folder: Path
    facts: dict[str, Any] = field(default_factory=dict, compare=False)  # for metadata.json

    @classmethod
    def create(cls, workload: str, config: BaseConfig) -> Self:
        """Make the folder of a new run, named after its workload and the time in UTC."""
        now = datetime.now(UTC)
        run = cls(RUNS / f"{workload}-{now:%Y%m%d-%H%M%S-%f}")
        try:
            run.model.mkdir(parents=True)
            run.figures.mkdir()
        except OSError as error:
            raise UserError(f"{run.folder}: cannot be made: {error.strerror}") from None
        write_text(run.folder / "config.toml", dump_config(config))
        return run

    @property
    def model(self) -> Path:
        """The folder of the saved model."""
        return self.folder / "model"

    @property
    def figures(self) -> Path:
        """The folder of the pictures, which are PNG."""
        return self.folder / "figures"

    @property
    def checkpoint(self) -> Path:
        """What a workload that can be resumed writes now and then; gone from a finished run."""
        return self.folder / "checkpoint"

    @property
    def metadata(self) -> dict[str, Any]:
        """Workload, seed, hashes, commit, versions; a UserError where the run is not finished."""
        metadata = read_json(self.folder / "metadata.json")
        if not metadata.keys() >= {"workload", "data_sha256", "model_sha256", "finished", "git"}:
            raise UserError(f"{self.folder}: metadata.json is not complete; remove this run")
        return metadata

    @property
    def metrics(self) -> dict[str, Any]:
        """What was measured on test data, and for the baseline beside it."""
        return read_json(self.folder / "metrics.json")

    def log(self, step: int, **metrics: float) -> None:
        """Append the metrics of one step, such as an epoch, to history.jsonl."""
        with (self.folder / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **metrics}) + "\n")

    def finish(self, metrics: dict[str, Any], **facts: Any) -> None:
        """Write the metrics, then the metadata: from here on the run counts."""
        write_json(self.folder / "metrics.json", metrics)
        facts |= self.facts
        facts["finished"] = datetime.now(UTC).isoformat()
        facts["model_sha256"] = sha256_folder(self.model)
        facts["git"] = {"commit": git("rev-parse", "HEAD"), "changes": git("status", "--short")}
        facts["system"] = {"python": platform.python_version(), "platform": platform.platform()}
        packages = {found.name: found.version for found in importlib.metadata.distributions()}
        write_json(self.folder / "metadata.json", facts | {"packages": packages})
        self.checkpoint.unlink(missing_ok=True)


def finished_runs(workload: str) -> list[Run]:
    """Return the finished runs of a workload, the newest first."""
    return [Run(path.parent) for path in sorted(RUNS.glob(f"{workload}-*/metadata.json"))][::-1]


def unfinished_runs(workload: str) -> list[Run]:
    """Return the runs of a workload that can be resumed, the newest first."""
    return [Run(path.parent) for path in sorted(RUNS.glob(f"{workload}-*/checkpoint"))][::-1]


def git(*arguments: str) -> str | None:
    """Return what git answers; None without git and outside a repository."""
    try:
        command = ["git", *arguments]
        return subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL).strip()
    except (OSError, subprocess.CalledProcessError):
        return None
