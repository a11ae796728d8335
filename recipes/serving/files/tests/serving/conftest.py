"""A service as users run it: a process of its own, on a free port, in a folder with runs."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from my_project import cli, pipeline
from my_project.runs import Run
from my_project.utils.records import read_records, validate

# No test waits for how long a busy machine takes between two steps. And with a threshold that is
# fixed, glibc returns a large buffer once it is freed: a process's memory is then what it holds.
PATIENT = {
    "SERVE_POLL_SECONDS": "0.2",
    "SERVE_BODY_SECONDS": "300",
    "SERVE_PREDICT_SECONDS": "300",
    "SERVE_KEEP_ALIVE_SECONDS": "300",
    "SERVE_SHUTDOWN_SECONDS": "300",
    "MALLOC_MMAP_THRESHOLD_": "131072",
}


class Server:
    """The process, its address, and what it logged."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        variables = {f"SERVE_{name.upper()}": str(value) for name, value in settings.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", cli.__package__, "serve", "--port", "0"],
            cwd=folder,
            env=os.environ | PATIENT | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        self.wait(lambda: "Uvicorn running on" in self.text)
        url = self.text.partition("Uvicorn running on ")[2].partition(" ")[0]
        self.client = httpx.Client(base_url=url, timeout=60)

    @property
    def text(self) -> str:
        """Everything that was printed."""
        return "".join(self.lines)

    @property
    def logs(self) -> list[dict[str, Any]]:
        """Everything that was logged: each line is an object."""
        return [json.loads(line) for line in self.lines]

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so; fail if the process ended, or after five minutes."""
        end = time.monotonic() + 300
        while not condition():
            assert self.process.poll() is None, self.text
            assert time.monotonic() < end, self.text
            time.sleep(0.01)

    def ready(self) -> bool:
        """Tell whether all models are loaded."""
        return self.client.get("/health/ready").status_code == 200

    def metric(self, name: str) -> float:
        """Return the sum of a metric over all its labels."""
        lines = self.client.get("/metrics").text.splitlines()
        found = [line for line in lines if line.replace("{", " ").split(" ")[0] == name]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        self.process.terminate()
        code = self.process.wait(timeout=60)
        self.reader.join()
        self.client.close()
        return code

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)
        self.process.stdout.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start services that end with the test."""
    started: list[Server] = []

    def start(folder: Path, **settings: object) -> Server:
        started.append(Server(folder, **settings))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture(scope="session")
def server(
    trained: Mapping[str, Run], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One service for all tests that leave it as it was: every workload, with its trained model.

    Starting one costs seconds of processor time.
    """
    folder = tmp_path_factory.mktemp("served")
    for run in trained.values():
        shutil.copytree(run.folder, folder / "experiments/runs" / run.folder.name)
    started = Server(folder, max_body_bytes=4_000_000, max_examples=100, max_concurrency=100)
    loaded = started.text.partition("Uvicorn running on")[0]  # before it accepts a request
    assert loaded.count("is in use") == len(trained)
    yield started
    assert started.stop() == 143 or os.name == "nt"  # 128 + SIGTERM


@pytest.fixture(scope="session")
def records(trained: Mapping[str, Run]) -> dict[str, list[dict[str, Any]]]:
    """The examples of each workload's run, as they go over HTTP."""
    return {name: read_records(run.folder / "examples.jsonl") for name, run in trained.items()}


@pytest.fixture(scope="session")
def offline(trained: Mapping[str, Run]) -> dict[str, list[dict[str, Any]]]:
    """What each workload's model predicts for them in this process."""
    answers = {}
    for name, run in trained.items():
        model, path = pipeline.load_model(run), run.folder / "examples.jsonl"
        examples = validate(read_records(path), model.example_type, path)
        answers[name] = [vars(one) for one in model.predict(examples)]
    return answers
