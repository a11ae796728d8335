"""Models of the tabular recipe, trained by the flow in two processes of Dask."""

import json
import os
import shutil
import subprocess
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from projects import PACKAGE, Project

pytestmark = pytest.mark.proof

PROJECT = Project(("tabular", "prefect"))
MODELS = ["linear", "svm", "neighbours"]


def test_two_local_workers_compare_models_of_a_table(tmp_path: Path) -> None:
    assert PROJECT.python.exists(), f"{PROJECT.folder}: is not set up; run `make test`"
    (tmp_path / "experiments").mkdir()
    shutil.copy(PROJECT.folder / "experiments/tabular.toml", tmp_path / "experiments")
    candidates = [word for name in MODELS for word in ("--candidate", f"model={name}")]
    outcome = subprocess.run(
        [PROJECT.python, "-m", PACKAGE, "flow", *candidates],
        cwd=tmp_path,
        env=os.environ | {"FLOW_DASK": "2", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    runs = sorted((tmp_path / "experiments/runs").glob("tabular-*"))
    configs = [(run / "config.toml").read_text(encoding="utf-8") for run in runs]
    assert len(runs) == len(MODELS)
    assert all(any(f'model = "{name}"' in config for config in configs) for name in MODELS)

    read = [json.loads((run / "metadata.json").read_text(encoding="utf-8")) for run in runs]
    began = [datetime.strptime(run.name, "tabular-%Y%m%d-%H%M%S-%f") for run in runs]
    ended = [datetime.fromisoformat(one["finished"]).replace(tzinfo=None) for one in read]
    assert any(start < end for end, (_, start) in zip(ended, pairwise(began), strict=False))

    scores = [
        json.loads((run / "metrics.json").read_text(encoding="utf-8"))["test"]["roc_auc"]
        for run in runs
    ]
    best = runs[scores.index(max(scores))]
    assert f"{best.name} is the champion: " in outcome.stdout
