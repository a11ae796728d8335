"""Many clients at once, a signal in the middle, and several processes."""

import asyncio
import json
import os
import shutil
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
SECONDS = float(os.environ.get("LOAD_SECONDS", "0"))  # LOAD_SECONDS=30 pytest -k clients
Serve = Callable[..., "Server"]
Records = dict[str, list[dict[str, Any]]]


@pytest.fixture
def folder(project: Path, trained: dict[str, Run]) -> Path:
    source = trained[NAME].folder
    shutil.copytree(source, project / "experiments/runs" / source.name)
    return project


def test_200_clients_get_the_offline_prediction(
    serve: Serve, folder: Path, records: Records, offline: Records
) -> None:
    server = serve(folder, workloads=ONLY, max_concurrency=100)
    server.wait(server.ready)
    refused, slowest = 0, 0.0

    async def ask(client: httpx.AsyncClient, number: int, end: float) -> int:
        nonlocal refused
        answered, case = 0, number % len(records[NAME])
        while not answered or time.monotonic() < end:
            response = await client.post("/predict", json=records[NAME][case])
            if response.status_code == 503:
                refused += 1
                assert int(response.headers["retry-after"]) > 0
                await asyncio.sleep(0.05)
                continue
            answer, wanted = response.json(), offline[NAME][case]
            assert answer["prediction"] == pytest.approx(wanted["prediction"], abs=1e-6)
            if wanted["probabilities"]:
                assert answer["probabilities"] == pytest.approx(wanted["probabilities"], abs=1e-6)
            answered += 1
        return answered

    async def look(client: httpx.AsyncClient) -> None:
        nonlocal slowest
        while True:
            started = time.monotonic()
            assert (await client.get("/health/live")).status_code == 200
            slowest = max(slowest, time.monotonic() - started)
            await asyncio.sleep(0.02)

    async def main() -> int:
        limits = httpx.Limits(max_connections=None)
        base = server.client.base_url
        async with httpx.AsyncClient(base_url=base, limits=limits, timeout=60) as client:
            looking = asyncio.create_task(look(client))
            end = time.monotonic() + SECONDS
            answers = await asyncio.gather(*(ask(client, k, end) for k in range(CLIENTS)))
            assert not looking.done()
            looking.cancel()
            return sum(answers)

    answered = asyncio.run(main())
    assert answered >= CLIENTS
    print(f"{answered} answered, {refused} refused, /health/live within {slowest:.3f} s")
    assert server.metric("model_predictions_total") + server.metric(
        "model_predicted_value_count"
    ) == pytest.approx(answered)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_sigterm_under_load_loses_no_accepted_request(
    serve: Serve, folder: Path, records: Records
) -> None:
    server = serve(folder, workloads=ONLY)
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
        code = server.stop()
        assert time.monotonic() - started < 30
        for task in tasks:
            task.result()
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
        predicted = server.metric("model_predictions_total")
        assert predicted + server.metric("model_predicted_value_count") == 40
    server.stop()
