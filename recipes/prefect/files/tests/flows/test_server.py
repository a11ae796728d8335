"""Processes that talk to a server: deployments, served flows, and one that is killed."""

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from my_project import pipeline, tracking, workloads
from my_project.runs import Run, finished_runs
from my_project.scoring import CHUNK, predict_file
from my_project.utils.config import load_config

NAME = workloads.NAMES[0]
ROOT = Path(__file__).parents[2]
FLOW = [sys.executable, "-m", "my_project", "flow"]


@pytest.fixture
def environment(flow_project: Path, server: str) -> dict[str, str]:
    """What a process needs to reach the server, and the results of this one."""
    own = {
        "PREFECT_API_URL": server,
        "PREFECT_HOME": str(flow_project / "home"),
        "PREFECT_LOCAL_STORAGE_PATH": str(flow_project / "storage"),
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",  # second, instead of 10
        "PYTHONPATH": str(ROOT / "src"),
    }
    return {**os.environ, **own}


@pytest.fixture
def cached(flow_project: Path, trained: Mapping[str, Run], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that the cache knows: what a process trains is the same, and is shown elsewhere."""
    from my_project.flows import steps

    config = load_config(workloads.load(NAME).Config, Path(f"experiments/{NAME}.toml"))
    source = trained[NAME].folder
    run = Run(shutil.copytree(source, Path("experiments/runs") / source.name))
    with monkeypatch.context() as context:
        context.setattr(pipeline, "train_run", lambda name, config: run)
        steps.train(NAME, config, run.metadata["data_sha256"])
    return run


def wait_for(ready: Any, process: subprocess.Popen[bytes]) -> Any:
    """Return what `ready` returns, once it is true; longest wait: five minutes."""
    for _ in range(600):
        assert process.poll() is None, "has ended"
        if found := ready():
            return found
        time.sleep(0.5)
    raise TimeoutError


def open_pipe(path: Path) -> BinaryIO | None:
    """Open a named pipe to write into it; None while nobody has it open to read."""
    if sys.platform == "win32":
        raise NotImplementedError("Windows has no such pipes")
    try:
        number = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return None
    os.set_blocking(number, True)
    return os.fdopen(number, "wb")


def find_deployment(client: Any, name: str) -> Any:
    """Return what the server knows of a deployment, None before it was made."""
    from prefect.exceptions import ObjectNotFound

    try:
        return client.read_deployment_by_name(f"train and promote/{name}")
    except ObjectNotFound:
        return None


def test_a_served_flow_runs_when_the_server_says_so(
    environment: dict[str, str], cached: Run
) -> None:
    from prefect.client.orchestration import get_client

    command = [*FLOW, "--serve", "--cron", "0 3 * * *"]
    with (
        get_client(sync_client=True) as client,
        subprocess.Popen(command, env=environment) as process,
    ):
        try:
            deployment = wait_for(lambda: find_deployment(client, NAME), process)
            assert [one.schedule.cron for one in deployment.schedules] == ["0 3 * * *"]
            started = client.create_flow_run_from_deployment(deployment.id)

            def outcome() -> str | None:
                state = client.read_flow_run(started.id).state
                return state.name if state and state.is_final() else None

            assert wait_for(outcome, process) == "Completed"
        finally:
            process.terminate()
    assert tracking.champion(NAME) == cached
    assert finished_runs(NAME) == [cached]


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
        deployment = find_deployment(client, "nightly")
    assert [one.schedule.cron for one in deployment.schedules] == ["0 3 * * *"]
    assert isinstance(load_flow_from_entrypoint(deployment.entrypoint), Flow)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such named pipes")
def test_a_flow_that_is_killed_while_it_scores_is_run_again(
    environment: dict[str, str], cached: Run
) -> None:
    """What it reads is a pipe that never ends, so it is killed in the middle of its file."""
    examples = (cached.folder / "examples.jsonl").read_bytes() * (CHUNK // 2)
    source, target = Path("in.jsonl"), Path("out.csv")
    if sys.platform != "win32":  # for mypy, which has not read the mark above
        os.mkfifo(source)
    command = [*FLOW, "--score", str(source), "--output", str(target)]
    with subprocess.Popen(command, env=environment) as process:
        try:
            with wait_for(lambda: open_pipe(source), process) as pipe:
                pipe.write(examples)
                pipe.flush()
                wait_for(
                    lambda: any(one.stat().st_size for one in Path().glob(".out.csv.*")), process
                )
                process.kill()
        finally:
            process.kill()  # whatever went wrong: it would be waited for
    assert not target.exists()
    assert tracking.champion(NAME) == cached
    source.unlink()
    source.write_bytes(examples)
    from my_project.flows import training

    training.run({"workload": NAME, "source": str(source), "target": str(target)})
    assert finished_runs(NAME) == [cached]
    predict_file(cached, source, Path("wanted.csv"))
    assert target.read_bytes() == Path("wanted.csv").read_bytes()
