"""Which model answers: one that is whole and expected; a promotion takes over without a pause."""

import asyncio
import shutil
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client import REGISTRY

from my_project import pipeline, tracking, workloads
from my_project.runs import Run
from my_project.serving.app import create_app
from my_project.serving.models import Models
from my_project.serving.settings import Settings
from my_project.utils import artifacts

if TYPE_CHECKING:
    from .conftest import Server

NAME = workloads.NAMES[0]
Records = dict[str, list[dict[str, Any]]]


@pytest.fixture
def first(project: Path, trained: Mapping[str, Run]) -> Run:
    """A real run of the first workload."""
    source = trained[NAME].folder
    return Run(shutil.copytree(source, Path("experiments/runs") / source.name))


def copy(run: Run, number: int, note: str) -> Run:
    """A newer run with another model: the same weights, and a file more."""
    target = run.folder.with_name(f"{NAME}-9999123{number}-000000-0")
    other = Run(shutil.copytree(run.folder, target))
    (other.model / "note.txt").write_text(note, encoding="utf-8")
    return finish(other)


def finish(run: Run) -> Run:
    changed = {"model_sha256": artifacts.sha256_folder(run.model)}
    artifacts.write_json(run.folder / "metadata.json", run.metadata | changed)
    return run


def spoil(run: Run) -> Run:
    for path in run.model.iterdir():
        path.write_bytes(b"damaged")
    return run


def version(run: Run) -> str:
    return str(run.metadata["model_sha256"])[:12]


def test_without_a_good_model_the_service_lives_and_waits_for_one(
    first: Run, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    good = Run(Path(shutil.move(first.folder, "good")))

    def told() -> list[str]:
        return [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]

    def put(change: Callable[[Run], object]) -> None:
        """Put a changed copy of the good run in place, at one stroke, as the newest."""
        changed = Run(shutil.copytree(good.folder, Path("changed")))
        change(changed)
        changed.folder.rename(first.folder.with_name(f"{NAME}-99991230-{len(told()):06}"))

    async def expect(client: httpx.AsyncClient, reason: str, number: int) -> None:
        while len(told()) < number:
            await asyncio.sleep(0.01)
        assert len(told()) == number  # each once, however often it looked again
        assert reason in told()[-1]
        assert "\n" not in told()[-1]
        assert (await client.get("/health/live")).status_code == 200
        ready = await client.get("/health/ready")
        assert ready.status_code == 503
        assert NAME in ready.json()["error"]
        predict = await client.post("/predict", json=records[NAME][0])
        assert predict.status_code == 503
        assert int(predict.headers["retry-after"]) > 0
        for path in ("/metadata", "/metrics", "/openapi.json", "/docs"):
            assert (await client.get(path)).status_code == 200

    async def test() -> None:
        app = create_app(Settings(workloads=[NAME], poll_seconds=0.02))
        transport = httpx.ASGITransport(app)
        async with (
            asyncio.timeout(60),
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        ):
            await expect(client, "no finished run yet", 1)
            put(spoil)
            await expect(client, "differs from what the run saved", 2)
            put(lambda run: finish(spoil(run)))
            await expect(client, "cannot be read", 3)
            put(lambda run: (run.folder / "examples.jsonl").unlink())
            await expect(client, "examples.jsonl: cannot be read", 4)
            put(lambda run: artifacts.write_text(run.folder / "metadata.json", "{}"))
            await expect(client, "metadata.json is not complete", 5)
            put(lambda run: None)
            while (await client.get("/health/ready")).status_code != 200:
                await asyncio.sleep(0.01)
            assert (await client.post("/predict", json=records[NAME][0])).status_code == 200

    asyncio.run(test())
    assert len(told()) == 5


def statuses(started: threading.Event, asked: threading.Event, **content: Any) -> list[int]:
    """What a service answers to its first requests; the events tell when it does, and did."""

    async def ask() -> list[int]:
        app = create_app(Settings(workloads=[NAME]))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        ):
            started.set()
            paths = [("GET", "/health/live"), ("GET", "/health/ready"), ("POST", "/predict")]
            found = [(await client.request(*path, **content)).status_code for path in paths]
            asked.set()
            return found

    return asyncio.run(ask())


def test_nothing_is_accepted_before_the_first_model_is_there(
    first: Run, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(run: Run) -> Any:
        assert not started.wait(0.5)
        return load(run)

    load, started, asked = pipeline.load_model, threading.Event(), threading.Event()
    monkeypatch.setattr(pipeline, "load_model", slow)
    assert statuses(started, asked, json=records[NAME][0]) == [200, 200, 200]


def test_a_model_that_never_comes_does_not_keep_the_service_from_living(
    first: Run, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(name: str) -> Run:
        assert asked.wait(60)
        return first

    started, asked = threading.Event(), threading.Event()
    monkeypatch.setattr(pipeline, "served_run", wait)
    limit = "my_project.serving.app.FIRST_LOAD_SECONDS"
    monkeypatch.setattr(limit, 0.05)
    assert statuses(started, asked, json=records[NAME][0]) == [200, 503, 503]


def test_only_the_expected_model_is_served(first: Run, caplog: pytest.LogCaptureFixture) -> None:
    newer = copy(first, 1, "not expected")
    expected = {NAME: first.metadata["model_sha256"]}
    models = Models(Settings(workloads=[NAME], expected_sha256=expected))
    models.refresh(NAME)  # the newest, as none was promoted
    assert not models.loaded
    tracking.promote(first)
    models.refresh(NAME)
    tracking.promote(newer)
    models.refresh(NAME)
    assert models.loaded[NAME].version == version(first)
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert ["is expected" in text for text in told] == [True, True]


def test_a_promoted_model_takes_over_under_load(
    server: "Server", trained: Mapping[str, Run], records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(server.folder)
    first = Run(Path("experiments/runs") / trained[NAME].folder.name)
    tracking.promote(first)  # else the newest run is served
    second = copy(first, 0, "better")
    logged, seen = len(server.lines), list[str]()
    stop = threading.Event()

    def ask() -> list[tuple[int, set[str]]]:
        found = []
        with httpx.Client(base_url=server.client.base_url, timeout=60) as client:
            while not stop.is_set():
                response = client.post("/predict", json=records[NAME][:2])
                answers = response.json()
                found.append((response.status_code, {one["model_version"] for one in answers}))
                seen.append(answers[0]["model_version"])
        return found

    try:
        with ThreadPoolExecutor(4) as pool:
            tasks = [pool.submit(ask) for _ in range(4)]
            try:
                server.wait(lambda: version(first) in seen)
                tracking.promote(second)
                server.wait(lambda: version(second) in seen)
                count = len(seen)
                server.wait(lambda: len(seen) > count + 50)
            finally:
                stop.set()
        results = [result for task in tasks for result in task.result()]
        assert {status for status, _ in results} == {200}
        assert all(len(versions) == 1 for _, versions in results)
        assert set(seen) == {version(first), version(second)}
        assert seen[-1] == version(second)
        card = server.client.get("/metadata").json()[NAME]
        assert (card["version"], card["run"]) == (version(second), second.folder.name)
        assert version(second) in server.client.get("/openapi.json").text
        assert not [line for line in server.lines[logged:] if '"level": "error"' in line]
    finally:  # as the other tests expect it
        tracking.promote(first)
        server.wait(
            lambda: version(first) == server.client.get("/metadata").json()[NAME]["version"]
        )


def test_the_old_model_stays_while_the_new_one_is_bad(
    first: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def served(name: str) -> Run:
        if isinstance(champion, BaseException):
            raise champion
        return champion

    monkeypatch.setattr(pipeline, "served_run", served)
    models = Models(Settings(workloads=[NAME]))
    champion: Run | BaseException = first
    models.refresh(NAME)
    loaded, before = models.loaded[NAME], metric("model_refused_total", workload=NAME) or 0
    corrupt, foreign = copy(first, 1, "corrupt"), copy(first, 3, "examples of another model")
    unreadable = finish(spoil(copy(first, 2, "unreadable")))
    (corrupt.model / "note.txt").write_text("changed", encoding="utf-8")
    (foreign.folder / "examples.jsonl").write_text('{"other": 1}\n', encoding="utf-8")
    bad: list[Run | BaseException] = [corrupt, unreadable, foreign]
    bad += [ConnectionError("no server"), BaseException("a panic in Rust code")]
    for number, new in enumerate(bad, start=1):
        champion = new
        for _ in range(3):
            models.refresh(NAME)
        assert models.loaded[NAME] is loaded
        told = [record for record in caplog.records if record.levelname == "ERROR"]
        assert len(told) == number  # once, however often it looked again
        assert f"{version(first)} stays" in told[-1].getMessage()
        assert metric("model_refused_total", workload=NAME) == before + number
    champion = copy(first, 4, "good")
    models.refresh(NAME)
    assert models.loaded[NAME].version == version(champion)
    for run, processes in [(first, 0), (corrupt, None), (unreadable, None), (champion, 1)]:
        assert metric("model_in_use", workload=NAME, model_version=version(run)) == processes


def metric(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)
