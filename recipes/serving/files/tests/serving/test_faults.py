"""A model that fails, or that takes long: its request gets an answer, and the next one is fine."""

import asyncio
import functools
import json
import logging
import math
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from my_project import pipeline, workloads
from my_project.runs import Run
from my_project.serving.app import create_app
from my_project.serving.batching import Batcher
from my_project.serving.settings import Settings
from my_project.utils.errors import UserError
from my_project.utils.records import validate

NAME = workloads.NAMES[0]
JSON = {"Content-Type": "application/json"}
Records = dict[str, list[dict[str, Any]]]


class Moody:
    """A trained model that does what a test tells it to; it begins by working."""

    def __init__(self, run: Run) -> None:
        self.model = pipeline.load_model(run)
        self.example_type = self.model.example_type
        self.mood: Callable[[Sequence[Any]], Sequence[Any]] = self.model.predict
        self.sizes: list[int] = []

    def predict(self, examples: Sequence[Any]) -> Sequence[Any]:
        self.sizes.append(len(examples))
        return self.mood(examples)

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path) -> "Moody":
        raise NotImplementedError


@pytest.fixture
def model(trained: Mapping[str, Run], monkeypatch: pytest.MonkeyPatch) -> Moody:
    moody = Moody(trained[NAME])
    monkeypatch.setattr(pipeline, "served_run", lambda name: trained[name])
    monkeypatch.setattr(pipeline, "load_model", lambda run: moody)
    return moody


@asynccontextmanager
async def client(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(workloads=[NAME], **settings))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as asking:
            while (await asking.get("/health/ready")).status_code != 200:
                await asyncio.sleep(0.01)
            yield asking


def run(test: Callable[[httpx.AsyncClient], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with client(**settings) as asking:
            await test(asking)

    asyncio.run(main())


def count(metric: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(metric, labels) or 0


def failures() -> float:
    return count("http_requests_total", path="/predict", method="POST", status="500")


def test_an_exception_is_told_in_the_log_only(
    model: Moody, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(asking: httpx.AsyncClient) -> None:
        def fail(examples: Sequence[Any]) -> Sequence[Any]:
            raise RuntimeError("a secret path")

        working, before = model.mood, failures()
        model.mood = fail
        response = await asking.post("/predict", json=records[NAME][0])
        request_id = response.headers["x-request-id"]
        assert response.status_code == 500
        assert response.json() == {"error": "internal error", "request_id": request_id}
        assert failures() == before + 1
        [record] = [one for one in caplog.records if one.levelno >= logging.ERROR]
        assert "a secret path" in str(record.exc_info)
        assert record.__dict__["fields"] == {"request_id": request_id}
        model.mood = working
        assert (await asking.post("/predict", json=records[NAME][0])).status_code == 200

    run(test)


class Panic(BaseException):
    """As PyO3's PanicException, by which code in Rust breaks down, it is no Exception."""


@pytest.mark.parametrize("kind", [Panic, SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_a_panic_fails_its_request_and_no_other(
    model: Moody, records: Records, caplog: pytest.LogCaptureFixture, kind: type[BaseException]
) -> None:
    async def test(asking: httpx.AsyncClient) -> None:
        def panic(examples: Sequence[Any]) -> Sequence[Any]:
            raise kind("a secret path")

        working = model.mood
        for mood, status in [(panic, 500), (panic, 500), (working, 200)]:  # one slot, which is free
            model.mood = mood
            async with asyncio.timeout(60):
                response = await asking.post("/predict", json=records[NAME][0])
            assert response.status_code == status
        told = [str(one.exc_info) for one in caplog.records if one.levelno >= logging.ERROR]
        assert ["the model broke down" in text for text in told] == [True, True]

    run(test, max_concurrency=1)


def test_of_requests_predicted_together_a_panic_fails_the_bad_one_only(
    model: Moody, records: Records
) -> None:
    def fussy(examples: Sequence[Any]) -> Sequence[Any]:
        if len(examples) > 1:
            raise Panic
        return working(examples)

    working, model.mood = model.mood, fussy
    first, bad, last = batches(model, records, [1, 2, 1], limit=6)
    assert (len(first), len(last)) == (1, 1)
    assert isinstance(bad, RuntimeError)


def test_without_a_thread_requests_fail_and_do_not_wait(
    model: Moody, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def test() -> None:
        batcher = Batcher(6, seconds=60)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            for _ in range(2):
                with pytest.raises(RuntimeError, match="can't start new thread"):
                    await batcher.predict(model, examples[:1])
        assert len(await batcher.predict(model, examples[:1])) == 1

    examples = validate(records[NAME], model.example_type, "records")
    asyncio.run(test())


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", ["prediction", "probabilities"])
def test_a_number_that_is_not_finite_is_withheld(
    model: Moody, records: Records, number: float, place: str
) -> None:
    async def test(asking: httpx.AsyncClient) -> None:
        def spoil(examples: Sequence[Any]) -> Sequence[Any]:
            value = number if place == "prediction" else {"a": number}
            return [replace(one, **{place: value}) for one in working(examples)]

        working, metric = model.mood, "model_non_finite_predictions_total"
        before, failed = count(metric, workload=NAME), failures()
        model.mood = spoil
        response = await asking.post("/predict", json=records[NAME][0])
        assert response.status_code == 500
        assert response.json()["error"] == "internal error"
        assert (count(metric, workload=NAME), failures()) == (before + 1, failed + 1)
        model.mood = working
        assert (await asking.post("/predict", json=records[NAME][0])).status_code == 200

    run(test)


def test_a_model_that_loses_a_prediction_fails(model: Moody, records: Records) -> None:
    async def test(asking: httpx.AsyncClient) -> None:
        working = model.mood
        model.mood = lambda examples: working(examples)[1:]
        assert (await asking.post("/predict", json=records[NAME])).status_code == 500

    run(test)


def test_what_the_model_refuses_is_the_clients_fault(model: Moody, records: Records) -> None:
    async def test(asking: httpx.AsyncClient) -> None:
        def refuse(examples: Sequence[Any]) -> Sequence[Any]:
            raise UserError("image: must be one")

        model.mood = refuse
        response = await asking.post("/predict", json=records[NAME][0])
        assert response.status_code == 422
        assert response.json()["error"] == "image: must be one"

    run(test)


@asynccontextmanager
async def busy(model: Moody) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Keep the model busy with the next call until the block ends; yield how to wait for it."""
    entered, go_on, mood = threading.Event(), threading.Event(), model.mood

    def wait(examples: Sequence[Any]) -> Sequence[Any]:
        model.mood = mood
        entered.set()
        assert go_on.wait(60)
        return model.model.predict(examples)

    async def wait_for_it() -> None:
        while not entered.is_set():
            await asyncio.sleep(0.001)

    model.mood = wait
    yield wait_for_it
    go_on.set()


def batches(model: Moody, records: Records, sizes: list[int], limit: int) -> list[Any]:
    """What the batcher answers to requests of these sizes that come while the first one runs."""
    examples = validate(records[NAME], model.example_type, "records")

    async def main() -> list[Any]:
        batcher = Batcher(limit, seconds=60)
        async with busy(model) as entered:
            first = asyncio.create_task(batcher.predict(model, examples[:1]))
            await entered()
            jobs = [asyncio.create_task(batcher.predict(model, examples[:n])) for n in sizes]
            await settled()
            model.sizes.clear()
        await first
        return list(await asyncio.gather(*jobs, return_exceptions=True))

    return asyncio.run(main())


def test_requests_that_wait_are_predicted_together(model: Moody, records: Records) -> None:
    answers = batches(model, records, [1, 1, 1, 1, 2, 5], limit=6)
    assert [len(answer) for answer in answers] == [1, 1, 1, 1, 2, 5]
    assert model.sizes == [6, 5]  # up to 6 at a time, and no request is cut in two


def test_of_requests_predicted_together_only_the_bad_one_fails(
    model: Moody, records: Records
) -> None:
    def fussy(examples: Sequence[Any]) -> Sequence[Any]:
        if len(examples) > 1:
            raise RuntimeError("one of them is bad")
        return working(examples)

    working, model.mood = model.mood, fussy
    first, bad, last = batches(model, records, [1, 2, 1], limit=6)
    assert (len(first), len(last)) == (1, 1)
    assert isinstance(bad, RuntimeError)


def test_above_the_limit_a_request_is_sent_away_at_once(model: Moody, records: Records) -> None:
    async def test(asking: httpx.AsyncClient) -> None:
        async with busy(model) as entered:
            first = asyncio.create_task(asking.post("/predict", json=records[NAME][0]))
            await entered()
            second = asyncio.create_task(asking.post("/predict", json=records[NAME][0]))
            await settled()
            third = await asking.post("/predict", json=records[NAME][0])
            assert third.status_code == 503
            assert int(third.headers["retry-after"]) > 0
            for path in ("/health/live", "/health/ready", "/metrics", "/metadata"):
                assert (await asking.get(path)).status_code == 200
        assert [(await one).status_code for one in (first, second)] == [200, 200]
        assert (await asking.post("/predict", json=records[NAME][0])).status_code == 200

    run(test, max_concurrency=2)


def test_what_a_model_does_not_predict_in_time_is_given_up(model: Moody, records: Records) -> None:
    async def test(asking: httpx.AsyncClient) -> None:
        before = count("http_requests_total", path="/predict", method="POST", status="503")
        async with busy(model):
            for _ in range(3):  # the first keeps the thread, the others wait for it: one slot
                late = await asking.post("/predict", json=records[NAME][0])
                assert late.status_code == 503
                assert late.json()["error"] == "no prediction within 0.05 seconds"
                assert int(late.headers["retry-after"]) > 0
            assert (await asking.get("/health/ready")).status_code == 503
            assert (await asking.get("/health/live")).status_code == 200
        while (await asking.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.01)
        after = count("http_requests_total", path="/predict", method="POST", status="503")
        assert after == before + 3

    run(test, predict_seconds=0.05, max_concurrency=1)


STUCK = """
import asyncio, time
from my_project.serving.batching import Batcher, Overdue
class Stuck:
    def predict(self, examples):
        time.sleep(3600)
try:
    asyncio.run(Batcher(1, seconds=0.01).predict(Stuck(), [None]))
except Overdue:
    print("overdue")
"""


def test_a_model_that_is_stuck_does_not_keep_the_process_from_ending() -> None:
    command = [sys.executable, "-c", STUCK]
    assert subprocess.check_output(command, timeout=600, text=True) == "overdue\n"


async def trickle(text: str, go_on: asyncio.Event) -> AsyncIterator[bytes]:
    """Send a body, its last byte when told to."""
    yield text[:-1].encode()
    await go_on.wait()
    yield text[-1:].encode()


async def settled() -> None:
    """Let everything run that can, until all wait."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_slow_bodies_take_no_slot_from_quick_ones(model: Moody, records: Records) -> None:
    async def test(asking: httpx.AsyncClient) -> None:
        body, go_on = json.dumps(records[NAME][0]), asyncio.Event()
        send = functools.partial(asking.post, "/predict", headers=JSON)
        slow = [asyncio.create_task(send(content=trickle(body, go_on))) for _ in range(5)]
        await settled()
        assert (await send(content=body)).status_code == 200
        assert not any(task.done() for task in slow)
        go_on.set()
        assert {(await task).status_code for task in slow} <= {200, 503}  # now they need one, too
        assert (await slow[0]).status_code == 200

    run(test, max_concurrency=1)


def test_unfinished_bodies_hold_little_memory_together(model: Moody, records: Records) -> None:
    async def test(asking: httpx.AsyncClient) -> None:
        go_on, slow = asyncio.Event(), []
        for _ in range(5):  # two fit, and the oldest make room
            sent = asking.post("/predict", content=trickle(body, go_on), headers=JSON)
            slow.append(asyncio.create_task(sent))
            await settled()
            assert not any(task.done() for task in slow[-2:])
            assert all(task.done() for task in slow[:-2])
        go_on.set()
        assert [(await task).status_code for task in slow] == [408, 408, 408, 200, 200]

    body = json.dumps(records[NAME][0])
    run(test, max_pending_bytes=5 * len(body) // 2)


def test_a_body_that_takes_too_long_is_given_up(model: Moody, records: Records) -> None:
    async def test(asking: httpx.AsyncClient) -> None:
        slow = trickle(json.dumps(records[NAME][0]), asyncio.Event())
        response = await asking.post("/predict", content=slow, headers=JSON)
        assert response.status_code == 408
        assert response.headers["connection"] == "close"

    run(test, body_seconds=0.05)


@pytest.mark.parametrize(("seconds", "signals"), [(0.05, 1), (3600, 2)])
def test_before_it_ends_it_is_unready_and_answers(
    model: Moody, records: Records, seconds: float, signals: int
) -> None:
    async def test(asking: httpx.AsyncClient) -> None:
        signal.raise_signal(signal.SIGTERM)
        assert (await asking.get("/health/ready")).status_code == 503
        for path in ("/health/live", "/metrics"):
            assert (await asking.get(path)).status_code == 200
        assert (await asking.post("/predict", json=records[NAME][0])).status_code == 200
        for _ in range(1, signals):  # a second one does not wait
            signal.raise_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            await ended.wait()

    ended = asyncio.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: ended.set())  # as the server sets one
    try:
        run(test, drain_seconds=seconds)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_settings_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    from my_project.commands import serve

    used: dict[str, Any] = {}
    monkeypatch.setattr("uvicorn.run", lambda *_, **options: used.update(options))
    monkeypatch.setenv("SERVE_KEEP_ALIVE_SECONDS", "75")
    monkeypatch.setenv("SERVE_SHUTDOWN_SECONDS", "7")
    monkeypatch.setenv("SERVE_HOST", "127.0.0.2")
    serve.main()
    assert used["ws"] == "none"
    names = ("timeout_keep_alive", "timeout_graceful_shutdown", "host")
    assert [used[name] for name in names] == [75, 7, "127.0.0.2"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SERVE_PORT", "70000", "SERVE_PORT: Input should be less than or equal to 65535"),
        ("SERVE_PORT", "many", "SERVE_PORT: Input should be a valid integer"),
        ("SERVE_MAX_BODY_BYTES", "0", "SERVE_MAX_BODY_BYTES: Input should be greater"),
        ("SERVE_WORKLOADS", '["nothing"]', "SERVE_WORKLOADS.0: must name some of"),
        ("SERVE_WORKLOADS", "nothing", "SERVE_WORKLOADS: must be JSON"),
        ("SERVE_WORKLOADS", "[]", "SERVE_WORKLOADS: List should have at least 1"),
        ("SERVE_EXPECTED_SHA256", '{"nothing": "' + "0" * 64 + '"}', "must name some of"),
        ("SERVE_POLL_SECONDS", "inf", "SERVE_POLL_SECONDS: Input"),
        ("SERVE_HOST", "", "SERVE_HOST: String should have at least 1 character"),
        ("SERVE_MAX_BODYBYTES", "1", "no such setting; did you mean SERVE_MAX_BODY_BYTES?"),
        ("serve_hots", "1", "no such setting; did you mean SERVE_HOST?"),
        ("SERVE_XYZ", "1", "SERVE_XYZ: no such setting; see docs/serving.md"),
        ("SERVE_EXPECTED_SHA256", '{"a": "b"}', "SERVE_EXPECTED_SHA256.a: String should match"),
    ],
)
def test_wrong_settings_are_told_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    message: str,
) -> None:
    from my_project import cli

    monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["my_project", "serve"])
    with pytest.raises(SystemExit) as exit_:
        cli.run()
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
