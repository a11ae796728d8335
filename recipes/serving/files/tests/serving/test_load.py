"""Many clients at once, several processes, and a signal in the middle."""

import http.client
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
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
CLIENTS, ASKED = 200, 40
JSON = {"Content-Type": "application/json"}
SECONDS = float(os.environ.get("LOAD_SECONDS", "0"))  # LOAD_SECONDS=30 pytest -k clients
Serve = Callable[..., "Server"]
Records = dict[str, list[dict[str, Any]]]


@pytest.fixture
def folder(project: Path, trained: Mapping[str, Run]) -> Path:
    source = trained[NAME].folder
    shutil.copytree(source, project / "experiments/runs" / source.name)
    return project


def connect(server: "Server") -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.client.base_url.netloc.decode(), timeout=300)


def predicted(server: "Server") -> float:
    """How many predictions were counted, of classes or of numbers."""
    classes = server.metric("model_predictions_total")
    return classes + server.metric("model_predicted_value_count")


def check(answer: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Compare with the offline prediction; a batch of another size may round differently."""
    for key, value in wanted.items():
        assert answer[key] == (pytest.approx(value, abs=1e-6) if value is not None else None)


def send_half(
    server: "Server", connections: Sequence[http.client.HTTPConnection], bodies: Sequence[str]
) -> None:
    """Send requests that the service accepts, and whose last byte is to come."""
    for connection, body in zip(connections, bodies, strict=True):
        headers = {**JSON, "Content-Length": str(len(body))}
        connection.request("POST", "/predict", body[:-1], headers)
    server.wait(lambda: server.metric("http_requests_in_flight") == len(bodies) + 1)


@contextmanager
def paused(server: "Server") -> Iterator[None]:
    """A service that stands still where the system can do that, so that all comes at once."""
    if sys.platform != "win32":
        server.process.send_signal(signal.SIGSTOP)
    yield
    if sys.platform != "win32":
        server.process.send_signal(signal.SIGCONT)


def test_200_clients_get_the_offline_prediction(
    server: "Server", records: Records, offline: Records
) -> None:
    cases = [number % len(records[NAME]) for number in range(CLIENTS)]
    bodies = [json.dumps(records[NAME][case]) for case in cases]
    connections = [connect(server) for _ in bodies]
    before, answered, refused, slowest = predicted(server), 0, 0, 0.0
    end = time.monotonic() + SECONDS
    while not answered or time.monotonic() < end:
        send_half(server, connections, bodies)
        with paused(server):
            for connection, body in zip(connections, bodies, strict=True):
                connection.send(body[-1:].encode())
        started = time.monotonic()
        assert server.client.get("/health/live").status_code == 200
        slowest = max(slowest, time.monotonic() - started)
        for connection, case in zip(connections, cases, strict=True):
            response = connection.getresponse()
            answer = json.load(response)
            if response.status == 200:
                check(answer, offline[NAME][case])
                answered += 1
            else:
                assert response.status == 503
                assert int(response.headers["Retry-After"]) > 0
                refused += 1
    for connection in connections:
        connection.close()
    print(f"{answered} answered, {refused} refused, /health/live within {slowest:.3f} s")
    assert answered >= 100  # the limit of the fixture
    assert refused
    assert predicted(server) - before == answered
    assert server.metric("http_requests_in_flight") == 1  # the one that asks


def test_several_processes_share_the_port_and_the_metrics(
    serve: Serve, folder: Path, records: Records, offline: Records
) -> None:
    server = serve(folder, workloads=ONLY, workers=2)
    server.wait(lambda: server.text.count("is in use") == 2)
    for number in range(ASKED):
        case = number % len(records[NAME])
        with closing(connect(server)) as connection:  # a new one, which either may accept
            connection.request("POST", "/predict", json.dumps(records[NAME][case]), JSON)
            check(json.load(connection.getresponse()), offline[NAME][case])
    for _ in range(5):  # whichever answers
        assert predicted(server) == ASKED
        assert server.metric("model_in_use") == 2
    (folder / "experiments").rename(folder / "moved")  # the next one starts sooner without a model
    [_, killed] = re.findall(r"Started server process \[(\d+)\]", server.text)
    os.kill(int(killed), getattr(signal, "SIGKILL", signal.SIGTERM))
    server.wait(lambda: server.text.count("Application startup complete") == 3)  # in its place
    server.wait(lambda: server.metric("model_in_use") == 1)
    for _ in range(5):
        assert predicted(server) == ASKED
    server.wait(lambda: server.metric("http_requests_in_flight") == 1)
    assert server.stop() == 0 or os.name == "nt"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_sigterm_under_load_loses_no_accepted_request(
    serve: Serve, folder: Path, records: Records, offline: Records
) -> None:
    server = serve(folder, workloads=ONLY, drain_seconds=1)
    answered: set[str] = set()
    ending = threading.Event()

    def ask(number: int) -> None:
        with httpx.Client(base_url=server.client.base_url, timeout=300) as client:
            for count in range(1_000_000):
                request_id = f"{number}-{count}"
                try:
                    headers = {"X-Request-ID": request_id}
                    response = client.post("/predict", json=records[NAME], headers=headers)
                except httpx.TransportError:
                    if ending.is_set():
                        return  # not accepted: the log must not know it
                    raise
                assert response.status_code in (200, 503)
                assert len(response.json()) > 0
                answered.add(request_id)

    body = json.dumps(records[NAME][0])
    accepted = [connect(server) for _ in range(5)]
    send_half(server, accepted, [body for _ in accepted])
    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(ask, number) for number in range(4)]
        server.wait(lambda: len(answered) > 50)
        ending.set()
        server.process.terminate()
        server.wait(lambda: "Shutting down" in server.text)
        for connection in accepted:
            connection.send(body[-1:].encode())
        for connection in accepted:
            check(json.load(connection.getresponse()), offline[NAME][0])
            connection.close()
        for task in tasks:
            task.result()  # it accepts no more
    assert server.process.wait(timeout=300) == 143  # 128 + SIGTERM
    server.stop()
    logged = {one["request_id"] for one in server.logs if one.get("path") == "/predict"}
    assert len(logged & answered) > 50
    assert len(logged - answered) == len(accepted)
