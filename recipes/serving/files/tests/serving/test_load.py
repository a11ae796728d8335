"""Many clients at once, a signal in the middle, and several processes."""

import http.client
import json
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
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
def folder(project: Path, trained: Mapping[str, Run]) -> Path:
    source = trained[NAME].folder
    shutil.copytree(source, project / "experiments/runs" / source.name)
    return project


def test_200_clients_get_the_offline_prediction(
    serve: Serve, folder: Path, records: Records, offline: Records
) -> None:
    server = serve(folder, workloads=ONLY, max_concurrency=10)  # so that some are refused
    address, together = server.client.base_url.netloc.decode(), threading.Barrier(CLIENTS)
    bodies = [json.dumps(record) for record in records[NAME]]

    def ask(number: int) -> tuple[int, int, float]:
        connection, case = http.client.HTTPConnection(address, timeout=60), number % len(bodies)
        connection.connect()
        together.wait()
        end, wanted, answered, refused = time.monotonic() + SECONDS, offline[NAME][case], 0, 0
        slowest = 0.0
        while not answered or time.monotonic() < end:
            started = time.monotonic()
            connection.request("POST", "/predict", bodies[case], JSON)
            response = connection.getresponse()
            answer = json.load(response)
            slowest = max(slowest, time.monotonic() - started)
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
        return answered, refused, slowest

    live = 0.0
    with ThreadPoolExecutor(CLIENTS) as pool:
        tasks = [pool.submit(ask, number) for number in range(CLIENTS)]
        while not all(task.done() for task in tasks):
            started = time.monotonic()
            assert server.client.get("/health/live").status_code == 200
            live = max(live, time.monotonic() - started)
            time.sleep(0.01)
    answers, refusals, times = zip(*(task.result() for task in tasks), strict=True)
    answered, refused, slowest = sum(answers), sum(refusals), max(times)
    print(f"{answered} answered, {refused} refused, /health/live within {live:.3f} s")
    assert min(answers) >= 1
    assert refused
    assert live < max(5, slowest)  # on a busy machine both are slow
    assert predicted(server) == answered
    assert server.metric("http_requests_in_flight") == 1  # the one that asks


def predicted(server: "Server") -> float:
    """How many predictions were counted, of classes or of numbers."""
    classes = server.metric("model_predictions_total")
    return classes + server.metric("model_predicted_value_count")


@contextmanager
def half_sent(
    server: "Server", body: str, count: int
) -> Iterator[list[http.client.HTTPConnection]]:
    """Connections with a request that the service has accepted, and whose last byte is to come."""
    address = server.client.base_url.netloc.decode()
    with ExitStack() as stack:
        connections = [http.client.HTTPConnection(address, timeout=60) for _ in range(count)]
        for connection in connections:
            stack.enter_context(closing(connection))
            headers = {**JSON, "Content-Length": str(len(body))}
            connection.request("POST", "/predict", body[:-1], headers)
        server.wait(lambda: server.metric("http_requests_in_flight") == count + 1)
        yield connections


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
@pytest.mark.parametrize("drain_seconds", [0, 1])
def test_sigterm_under_load_loses_no_accepted_request(
    serve: Serve, folder: Path, records: Records, offline: Records, drain_seconds: int
) -> None:
    server = serve(folder, workloads=ONLY, drain_seconds=drain_seconds, body_seconds=60)
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

    body = json.dumps(records[NAME][0])
    with half_sent(server, body, 5) as accepted, ThreadPoolExecutor(8) as pool:
        tasks = [pool.submit(ask, number) for number in range(8)]
        server.wait(lambda: len(answered) > 100)
        ended.set()
        server.process.terminate()
        if drain_seconds:
            server.wait(lambda: not server.ready())
            count = len(answered)  # unready, and answering
            server.wait(lambda: len(answered) > count + 10)
        for task in tasks:
            task.result()  # it accepts no more
        for connection in accepted:
            connection.send(body[-1:].encode())
        for connection in accepted:
            answer = json.load(connection.getresponse())
            assert answer["prediction"] == offline[NAME][0]["prediction"]
        code = server.process.wait(timeout=60)
    server.stop()
    assert code == 143  # 128 + SIGTERM
    logged = {one["request_id"] for one in server.logs if one.get("path") == "/predict"}
    assert len(logged & answered) > 100
    assert len(logged - answered) == len(accepted)


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
    asked = 40
    for _ in range(5):
        assert predicted(server) == asked
        assert server.metric("model_in_use") == 2
    [_, killed] = re.findall(r"Started server process \[(\d+)\]", server.text)
    os.kill(int(killed), getattr(signal, "SIGKILL", signal.SIGTERM))
    server.wait(lambda: server.text.count("Started server process") == 3)  # in its place
    while server.text.count("is in use") < 3:  # what has no model yet accepts nothing
        response = httpx.post(f"{server.client.base_url}/predict", json=records[NAME][0])
        assert response.status_code == 200
        asked += 1
    server.wait(lambda: server.metric("model_in_use") == 2)
    assert predicted(server) == asked
    assert server.metric("http_requests_in_flight") == 1
    server.stop()
