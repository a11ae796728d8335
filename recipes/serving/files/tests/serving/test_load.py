"""Many clients at once, a signal in the middle, and several processes."""

import http.client
import json
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from my_project import workloads
from my_project.runs import Run

if TYPE_CHECKING:
    from .conftest import Server

NAME = workloads.NAMES[0]
ONLY = json.dumps([NAME])
CLIENTS = 200
JSON = {"Content-Type": "application/json"}
SECONDS = float(os.environ.get("LOAD_SECONDS", "0"))  # LOAD_SECONDS=30 pytest -k clients
Serve = Callable[..., "Server"]
Records = dict[str, list[dict[str, Any]]]


@pytest.fixture
def folder(project: Path, trained: dict[str, Run]) -> Path:
    source = trained[NAME].folder
    shutil.copytree(source, project / "experiments/runs" / source.name)
    return project


def test_200_clients_get_the_offline_prediction(
    server: "Server", records: Records, offline: Records
) -> None:
    before = predicted(server)
    address, together = server.client.base_url.netloc.decode(), threading.Barrier(CLIENTS)
    bodies = [json.dumps(record) for record in records[NAME]]

    def ask(number: int) -> tuple[int, int]:
        connection, case = http.client.HTTPConnection(address, timeout=60), number % len(bodies)
        connection.connect()
        together.wait()
        end, wanted, answered, refused = time.monotonic() + SECONDS, offline[NAME][case], 0, 0
        while not answered or time.monotonic() < end:
            connection.request("POST", "/predict", bodies[case], JSON)
            response = connection.getresponse()
            answer = json.load(response)
            if response.status == 503:
                assert int(response.headers["Retry-After"]) > 0
                refused += 1
                time.sleep(0.1)
                continue
            assert answer["prediction"] == pytest.approx(wanted["prediction"], abs=1e-6)
            if wanted["probabilities"]:
                assert answer["probabilities"] == pytest.approx(wanted["probabilities"], abs=1e-6)
            answered += 1
        connection.close()
        return answered, refused

    slowest = 0.0
    with ThreadPoolExecutor(CLIENTS) as pool:
        tasks = [pool.submit(ask, number) for number in range(CLIENTS)]
        while not all(task.done() for task in tasks):
            started = time.monotonic()
            assert server.client.get("/health/live").status_code == 200
            slowest = max(slowest, time.monotonic() - started)
            time.sleep(0.01)
    answered, refused = (
        sum(column) for column in zip(*(task.result() for task in tasks), strict=True)
    )
    print(f"{answered} answered, {refused} refused, /health/live within {slowest:.3f} s")
    assert answered >= CLIENTS
    assert predicted(server) == before + answered
    assert server.metric("http_requests_in_flight") == 1  # the one that asks


def predicted(server: "Server") -> float:
    """How many predictions were counted, of classes or of numbers."""
    classes = server.metric("model_predictions_total")
    return classes + server.metric("model_predicted_value_count")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_sigterm_under_load_loses_no_accepted_request(
    serve: Serve, folder: Path, records: Records
) -> None:
    server = serve(folder, workloads=ONLY, drain_seconds=1)
    server.wait(server.ready)
    answered: set[str] = set()
    ended = threading.Event()

    def ask(number: int) -> None:
        with httpx.Client(base_url=server.client.base_url, timeout=60) as client:
            for count in range(1_000_000):
                request_id = f"{number}-{count}"
                try:
                    headers = {"X-Request-ID": request_id}
                    response = client.post("/predict", json=records[NAME], headers=headers)
                except httpx.TransportError:
                    if ended.is_set():
                        return  # not accepted: the log must not know it
                    raise
                assert response.status_code in (200, 503)
                assert len(response.json()) > 0
                answered.add(request_id)

    with ThreadPoolExecutor(8) as pool:
        tasks = [pool.submit(ask, number) for number in range(8)]
        server.wait(lambda: len(answered) > 100)
        ended.set()
        started = time.monotonic()
        server.process.terminate()
        server.wait(lambda: not server.ready())
        count = len(answered)  # unready, and answering
        server.wait(lambda: len(answered) > count + 10)
        code = server.process.wait(timeout=60)
        assert time.monotonic() - started < 30
        for task in tasks:
            task.result()
    server.stop()
    assert code == 143  # 128 + SIGTERM
    logged = {one["request_id"] for one in server.logs if one.get("path") == "/predict"}
    assert logged <= answered
    assert len(logged) > 100


def test_several_processes_share_the_port_and_the_metrics(
    serve: Serve, folder: Path, records: Records, offline: Records
) -> None:
    server = serve(folder, workloads=ONLY, workers=2)
    server.wait(lambda: server.text.count("is in use") == 2)
    for number in range(40):
        case = number % len(records[NAME])
        with httpx.Client(base_url=server.client.base_url, timeout=60) as client:
            answer = client.post("/predict", json=records[NAME][case]).json()
        assert answer["prediction"] == pytest.approx(offline[NAME][case]["prediction"])
    for _ in range(5):
        assert predicted(server) == 40
        assert server.metric("model_in_use") == 2
    [_, killed] = re.findall(r"Started server process \[(\d+)\]", server.text)
    os.kill(int(killed), getattr(signal, "SIGKILL", signal.SIGTERM))
    server.wait(lambda: server.text.count("is in use") == 3)  # another one takes its place
    server.wait(lambda: server.metric("model_in_use") == 2)
    assert predicted(server) == 40
    assert server.metric("http_requests_in_flight") == 1
    server.stop()
