"""Processes that talk to a server: deployments, served flows, and workers of Dask."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest

from my_project import tracking, workloads
from my_project.runs import Run, finished_runs
from my_project.scoring import CHUNK, predict_file
from my_project.utils.config import load_config

NAME = workloads.NAMES[0]
ROOT = Path(__file__).parents[2]
FLOW = [sys.executable, "-m", "my_project", "flow"]


@pytest.fixture
def environment(flow_project: Path, server: str) -> dict[str, str]:
    """What a process needs to reach the server."""
    own = {"PREFECT_API_URL": server, "PREFECT_HOME": str(flow_project / "home")}
    return {**os.environ, **own, "PYTHONPATH": str(ROOT / "src")}


def wait_for(ready: Any, process: subprocess.Popen[bytes] | None = None) -> Any:
    """Return what `ready` returns, once it is true; longest wait: two minutes."""
    for _ in range(480):
        assert process is None or process.poll() is None, "has ended"
        if found := ready():
            return found
        time.sleep(0.25)
    raise TimeoutError


def find_deployment(name: str) -> Any:
    """Return what the server knows of a deployment, None before it was made."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    try:
        with get_client(sync_client=True) as client:
            return client.read_deployment_by_name(f"train and promote/{name}")
    except ObjectNotFound:
        return None


def test_a_served_flow_runs_when_the_server_says_so(
    environment: dict[str, str], flow_project: Path
) -> None:
    from prefect.client.orchestration import get_client

    command = [*FLOW, "--serve", "--cron", "0 3 * * *"]
    with subprocess.Popen(command, env=environment) as process:
        try:
            deployment = wait_for(lambda: find_deployment(NAME), process)
            assert [one.schedule.cron for one in deployment.schedules] == ["0 3 * * *"]
            with get_client(sync_client=True) as client:
                started = client.create_flow_run_from_deployment(deployment.id)

                def outcome() -> str | None:
                    state = client.read_flow_run(started.id).state
                    return state.name if state and state.is_final() else None

                assert wait_for(outcome, process) == "Completed"
        finally:
            process.terminate()
    champion = tracking.champion(NAME)
    assert champion is not None
    assert [run.folder for run in finished_runs(NAME)] == [champion.folder]


def test_the_deployments_file_is_accepted_by_a_server(
    environment: dict[str, str], flow_project: Path
) -> None:
    from prefect import Flow
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.flows import load_flow_from_entrypoint

    shutil.copy(ROOT / "prefect.yaml", flow_project)
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="local", type="process"))
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    deployment = find_deployment("nightly")
    assert [one.schedule.cron for one in deployment.schedules] == ["0 3 * * *"]
    assert isinstance(load_flow_from_entrypoint(deployment.entrypoint), Flow)


def test_two_workers_train_candidates(environment: dict[str, str], flow_project: Path) -> None:
    """All models between which the workload can choose; two seeds where there is one model."""
    config = workloads.load(NAME).Config
    field = config.model_fields.get("model")
    models = [f"model={name}" for name in get_args(field.annotation)] if field else []
    wanted = models or ["seed=0", "seed=1"]
    command = [*FLOW, *(word for one in wanted for word in ("--candidate", one))]
    subprocess.run(command, env=environment | {"FLOW_DASK": "2"}, check=True)
    runs = finished_runs(NAME)
    trained = [load_config(config, run.folder / "config.toml") for run in runs]
    assert sorted(trained, key=str) == sorted(
        [load_config(config, Path(f"experiments/{NAME}.toml"), [one]) for one in wanted], key=str
    )
    best = max(runs, key=lambda run: run.metrics["test"][run.metadata["primary_metric"]])
    assert tracking.champion(NAME) == best


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_flow_that_is_killed_while_it_scores_is_run_again(
    environment: dict[str, str], flow_project: Path, trained: Mapping[str, Run]
) -> None:
    """What it reads is a pipe that never ends, so it is killed in the middle of its file."""
    examples = (trained[NAME].folder / "examples.jsonl").read_bytes() * (CHUNK // 2)
    source, target = Path("in.jsonl"), Path("out.csv")
    os.mkfifo(source)
    storage = {"PREFECT_LOCAL_STORAGE_PATH": str(flow_project / "storage")}
    command = [*FLOW, "--score", str(source), "--output", str(target)]
    with subprocess.Popen(command, env=environment | storage) as process, source.open("wb") as pipe:
        pipe.write(examples)
        pipe.flush()
        wait_for(lambda: [path for path in Path().glob(".out.csv.*") if path.stat().st_size])
        process.kill()
    assert not target.exists()
    [run] = finished_runs(NAME)
    assert tracking.champion(NAME) == run
    source.unlink()
    source.write_bytes(examples)
    from my_project.flows import training

    training.run({"workload": NAME, "source": str(source), "target": str(target)})
    assert finished_runs(NAME) == [run]
    predict_file(run, source, Path("wanted.csv"))
    assert target.read_bytes() == Path("wanted.csv").read_bytes()
