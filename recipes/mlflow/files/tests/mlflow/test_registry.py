"""Champions in MLflow's registry, on this machine and on a colleague's."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from my_project import (
    pipeline,
    tracking,
    tracking_mlflow,
    tracking_upload,
    workloads,
)
from my_project.runs import Run
from my_project.utils.artifacts import sha256_folder, write_json
from my_project.utils.errors import UserError

NAME = workloads.NAMES[0]


def another(run: Run) -> Run:
    """The same model, trained at another time."""
    other = Run(shutil.copytree(run.folder, run.folder.with_name(f"{NAME}-99991231-000000-0")))
    write_json(other.folder / "metadata.json", run.metadata | {"finished": "9999-12-31T00:00:00Z"})
    return other


def test_there_is_no_champion_before_the_first(project: Path, recorded: Run) -> None:
    assert tracking.champion(NAME) is None


def test_asking_for_a_champion_makes_no_database(project: Path) -> None:
    assert tracking.champion(NAME) is None
    assert not tracking_mlflow.STORE.exists()


def test_a_champion_that_is_gone_here_is_downloaded(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Path("Größe 7 #1").absolute()
    shutil.copytree(run.folder, project / run.folder)
    monkeypatch.chdir(project)
    tracking.promote(run)
    before = sha256_folder(run.folder)
    shutil.rmtree(run.folder)
    assert tracking.champion(NAME) == run
    assert sha256_folder(run.folder) == before
    assert pipeline.served_run(NAME) == run
    names = {path.name for path in run.folder.parent.iterdir()}
    assert names == {run.folder.name, tracking_mlflow.STORE.name}


def test_a_champion_is_downloaded_beside_runs_that_cannot_be_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container: its runs are mounted read-only, and another folder is writable."""
    tracking.promote(run)
    before = sha256_folder(run.folder)
    shutil.rmtree(run.folder)
    monkeypatch.setenv("TRACKING_DOWNLOADS", str(tmp_path / "downloads"))
    for _ in range(2):  # the second time it is there already
        champion = tracking.champion(NAME)
        assert champion == Run(tmp_path / "downloads" / run.folder.name)
        assert sha256_folder(champion.folder) == before
        names = {path.name for path in run.folder.parent.iterdir()}
        assert names == {tracking_mlflow.STORE.name}


def test_a_download_that_is_damaged_is_refused(run: Run) -> None:
    tracking.promote(run)
    shutil.rmtree(run.folder)
    [model] = tracking_mlflow.STORE.glob("artifacts/models/*/artifacts/artifacts/*/model")
    next(path for path in model.rglob("*") if path.is_file()).write_bytes(b"damaged")
    with pytest.raises(UserError, match="differs from what was promoted"):
        tracking.champion(NAME)
    assert [path.name for path in Path("experiments/runs").iterdir()] == ["mlflow"]


def test_another_run_of_that_name_is_not_the_champion(recorded: Run) -> None:
    tracking.promote(recorded)
    changed = recorded.metadata | {"model_sha256": "0" * 64}
    write_json(recorded.folder / "metadata.json", changed)
    with pytest.raises(UserError, match="is not the champion of that name; move it away"):
        tracking.champion(NAME)


def test_promoting_back_and_forth_keeps_one_version_per_run(run: Run) -> None:
    runs = [run, another(run)]
    for champion in [*runs, *runs]:
        tracking.promote(champion)
        assert tracking.champion(NAME) == champion
    with tracking_mlflow.connected() as client:
        name = tracking_mlflow.name_in_mlflow(NAME)
        assert len(client.search_model_versions(f"name = '{name}'")) == 2


def test_a_thread_sees_each_promotion(run: Run) -> None:
    runs, seen, asked = [run, another(run)], [], threading.Semaphore(0)
    tracking.promote(runs[0])

    def poll() -> None:
        for _ in range(2):
            asked.acquire()
            seen.append(tracking.champion(NAME))

    thread = threading.Thread(target=poll)
    thread.start()
    asked.release()
    while not seen:
        thread.join(0.01)
    tracking.promote(runs[1])
    asked.release()
    thread.join()
    assert seen == runs


def test_a_server_that_fails_is_told_in_one_line(run: Run, bad_server: str) -> None:
    actions: list[Callable[[], object]] = [
        lambda: tracking.champion(NAME),
        lambda: tracking.promote(run),
    ]
    for action in actions:
        with pytest.raises(UserError, match=f"^MLflow at {bad_server} cannot be used: ") as caught:
            action()
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_colleague_gets_the_champion_from_the_server(
    run: Run, server: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    assert tracking.champion(NAME) is None
    tracking.record(run)
    tracking.promote(run)
    trained = sha256_folder(run.folder)
    monkeypatch.chdir(tmp_path_factory.mktemp("colleague"))
    assert tracking.champion(NAME) == run
    assert sha256_folder(run.folder) == trained
    assert [path.name for path in Path("experiments/runs").iterdir()] == [run.folder.name]
    with tracking_mlflow.connected() as client:
        experiment = tracking_upload.experiment_of(client, NAME, None)
        [found] = client.search_runs([experiment.experiment_id])
    assert tracking_upload.upload(run) == found.info.run_id
