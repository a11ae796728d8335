"""A team's tracking server: MLflow with PostgreSQL behind it, as docs/tracking.md runs it."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgresql import Database, database, free_port, programs
from projects import PACKAGE, Project

pytestmark = pytest.mark.proof

PROJECT = Project(("mlflow",))


@pytest.fixture
def postgresql() -> Iterator[Database]:
    if not programs():
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    # Not below pytest's own folders, which only their owner can enter.
    with tempfile.TemporaryDirectory() as folder, database(Path(folder)) as running:
        yield running


@pytest.fixture
def server(postgresql: Database, tmp_path: Path) -> Iterator[str]:
    assert PROJECT.python.exists(), f"{PROJECT.folder}: is not set up; run `make test`"
    port = free_port()
    stores = ["--backend-store-uri", postgresql.uri, "--artifacts-destination", str(tmp_path / "a")]
    where = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command = [PROJECT.python, "-m", "mlflow", "server", *stores, *where]
    off = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment = os.environ | off
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, start_new_session=True
    ) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            while process.poll() is None and not answers(f"{address}/health"):
                time.sleep(0.2)
            assert process.poll() is None
            yield address
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except OSError:
        return False


def run(address: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "experiments").mkdir(parents=True, exist_ok=True)
    shutil.copy(PROJECT.folder / "experiments/baseline.toml", folder / "experiments")
    outcome = subprocess.run(
        [PROJECT.python, *arguments],
        cwd=folder,
        env=os.environ | {"MLFLOW_TRACKING_URI": address},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome


def test_a_team_shares_champions_through_postgresql(
    server: str, postgresql: Database, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    folder = run(server, here, "-m", PACKAGE, "train").stdout.splitlines()[-1]
    assert "is the champion now" in run(server, here, "-m", PACKAGE, "promote").stdout
    asking = f"from {PACKAGE} import tracking; print(tracking.champion('baseline').folder)"
    assert Path(run(server, there, "-c", asking).stdout.strip()) == Path(folder)
    for name in ("metadata.json", "metrics.json", "examples.jsonl", "model/weights.npz"):
        assert (here / folder / name).read_bytes() == (there / folder / name).read_bytes()

    postgresql.stop()
    trained = run(server, there, "-m", PACKAGE, "train", "--set", "seed=1")
    kept = there / trained.stdout.splitlines()[-1]
    assert f"to upload it later: python -m {PACKAGE} upload" in trained.stderr
    assert json.loads((kept / "metadata.json").read_text(encoding="utf-8"))["seed"] == 1
    postgresql.start()
    first = run(server, there, "-m", PACKAGE, "upload").stdout
    assert kept.name in first
    assert run(server, there, "-m", PACKAGE, "upload").stdout == first
