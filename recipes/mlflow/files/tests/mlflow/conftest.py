"""A run that MLflow knows, servers that fail, and one that works."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from my_project import tracking_mlflow, workloads
from my_project.runs import Run


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server of yours, and little patience."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture
def run(project: Path, trained: Mapping[str, Run]) -> Run:
    """A run of the first workload in a project of its own, with nothing in MLflow yet."""
    tracking_mlflow.make_database()
    source = trained[workloads.NAMES[0]].folder
    return Run(shutil.copytree(source, Path("experiments/runs") / source.name))


@pytest.fixture
def recorded(run: Run, trained: Mapping[str, Run]) -> Run:
    """The same, and MLflow has it, as training left it."""
    source = trained[workloads.NAMES[0]].folder.parent / tracking_mlflow.STORE.name
    shutil.copytree(source, tracking_mlflow.STORE, dirs_exist_ok=True)
    return run


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(params=["refuses", "hangs"])
def bad_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that refuses connections, or takes them and never answers."""
    port = free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ada:secret@127.0.0.1:{port}")
    if request.param == "refuses":
        yield f"http://127.0.0.1:{port}"
    else:
        with socket.create_server(("127.0.0.1", port)):
            yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server: `tracking-ui` in a project of its own."""
    port, folder = free_port(), tmp_path_factory.mktemp("server")
    database = folder / tracking_mlflow.STORE / "mlflow.db"
    database.parent.mkdir(parents=True)
    database.write_bytes(tracking_mlflow.empty_database())  # MLflow would work on it for a second
    command = [sys.executable, "-m", "my_project"]
    command += ["tracking-ui", "--port", str(port)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    with subprocess.Popen(command, cwd=folder, env=environment, text=True) as process:
        try:
            yield wait_for(f"http://127.0.0.1:{port}", process)
        finally:
            process.send_signal(signal.SIGTERM)
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health")


def wait_for(address: str, process: subprocess.Popen[str]) -> str:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return address
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the server ended with code {process.returncode}")
