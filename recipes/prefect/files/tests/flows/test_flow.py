"""The flow on a server: its states, its cache, its gate, and what is in use afterwards."""

import json
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from my_project import cli, pipeline, promotion, tracking, workloads
from my_project.runs import Run, finished_runs
from my_project.utils import records
from my_project.utils.artifacts import sha256_folder, write_json
from my_project.utils.errors import UserError

NAME = workloads.NAMES[0]
FLOWS = "my_project.flows"
STEPS = ["prepare data", "train", "evaluate", "gate", "promote", "flow"]


@pytest.fixture
def flow(
    flow_project: Path,
    trained: Mapping[str, Run],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> "Flow":
    """The flow, in which a training takes the run that was trained for all tests."""
    known = trained[NAME]

    def train_run(name: str, config: Any) -> Run:
        run = tracking.start(name, config)
        shutil.copytree(known.folder, run.folder, dirs_exist_ok=True)
        if config.seed:  # another model: the same weights, and a file more
            (run.model / "note.txt").write_text(f"seed {config.seed}", encoding="utf-8")
            changed = {"model_sha256": sha256_folder(run.model)}
            write_json(run.folder / "metadata.json", run.metadata | changed)
            metric = run.metadata["primary_metric"]
            metrics = {"test": {metric: 2.0}, "baseline": {metric: 1.0}}
            write_json(run.folder / "metrics.json", metrics)
        tracking.record(run)
        return run

    monkeypatch.setattr(pipeline, "train_run", train_run)
    # To measure the same model on the same data gives the same, as the contract's tests show.
    monkeypatch.setattr(pipeline, "evaluate_run", lambda run, of=None: known.metrics)
    caplog.set_level("INFO")
    return Flow(caplog)


class Flow:
    """Runs the flow, and reads the states of its steps from the log."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.caplog = caplog

    def __call__(self, **parameters: Any) -> str:
        from my_project.flows import training

        self.caplog.clear()
        return training.run({"workload": NAME, **parameters})

    @property
    def states(self) -> dict[str, str]:
        """The name of the last state of each step, and of the flow."""
        found = {}
        for record in self.caplog.records:
            _, marked, state = record.getMessage().partition("Finished in state ")
            if marked:
                step = vars(record).get("task_run_name", "flow-").rpartition("-")[0]
                found[step] = state.partition("(")[0]
        return found


def champion() -> str:
    run = tracking.champion(NAME)
    assert run is not None
    return run.folder.name


def test_the_first_model_is_promoted_and_predicts_the_same_as_offline(
    flow: Flow, trained: Mapping[str, Run]
) -> None:
    source = trained[NAME].folder / "examples.jsonl"
    answer = flow(source=str(source), target="out.jsonl")
    assert flow.states == dict.fromkeys([*STEPS, "batch-score"], "Completed")
    [run] = finished_runs(NAME)
    assert answer.startswith(f"{NAME}: {run.folder} is the champion: ")
    model = pipeline.load_model(pipeline.served_run(NAME))
    offline = model.predict(
        records.validate(records.read_records(source), model.example_type, source)
    )
    assert Path("out.jsonl").read_text(encoding="utf-8") == records.format_predictions(
        offline, ".jsonl"
    )


def test_what_has_not_changed_is_taken_from_the_cache(flow: Flow) -> None:
    assert flow() == flow()
    assert flow.states == dict.fromkeys(STEPS, "Completed") | dict.fromkeys(
        ["train", "evaluate"], "Cached"
    )
    assert len(finished_runs(NAME)) == 1


def test_a_run_that_was_removed_is_trained_again(flow: Flow) -> None:
    flow()
    [run] = finished_runs(NAME)
    tracking.promote(pipeline.train_run(NAME, workloads.load(NAME).Config()))
    shutil.rmtree(run.folder)
    flow()
    assert flow.states["train"] == "Completed"
    assert len(finished_runs(NAME)) >= 2  # a registry may bring the removed champion back


def test_what_has_changed_is_trained_again(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    flow()
    monkeypatch.setattr(promotion, "compare", lambda run: (0.9, 0.8))
    flow(settings=["seed=1"])
    assert flow.states["train"] == "Completed"
    with monkeypatch.context() as context:
        workload = workloads.load(NAME)
        prepare, other = workload.prepare, type("Data", (), {"sha256": "0" * 64})()
        answers = iter([other])
        context.setattr(workload, "prepare", lambda config: next(answers, prepare(config)))
        flow()
        assert flow.states["train"] == "Completed"
    monkeypatch.setattr(f"{FLOWS}.steps.sha256_folder", lambda *_: "changed")
    flow()
    assert flow.states["train"] == "Completed"
    assert len(finished_runs(NAME)) == 4


def test_the_metrics_are_an_artifact(flow: Flow) -> None:
    from prefect.client.orchestration import get_client

    flow()
    with get_client(sync_client=True) as client:
        artifacts = client.read_artifacts()
    [run] = finished_runs(NAME)
    [artifact] = [one for one in artifacts if run.folder.name in str(one.data)]
    assert artifact.key == f"{NAME}-metrics".replace("_", "-")
    metric = run.metadata["primary_metric"]
    assert f"| {metric} | {run.metrics['test'][metric]:.3f}" in str(artifact.data)
    assert "At the gate: " in str(artifact.data)


def test_only_a_better_model_passes_the_gate(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    flow()
    before = champion()
    with monkeypatch.context() as context:
        context.setattr(promotion, "compare", lambda run: (0.8, 0.8))
        with pytest.raises(UserError, match=r"^GateFailed: .* does not beat the champion: "):
            flow(settings=["seed=1"])
    assert flow.states["gate"] == "Failed"
    assert flow.states["flow"] == "GateFailed"
    assert "promote" not in flow.states
    assert champion() == before
    monkeypatch.setattr(promotion, "compare", lambda run: (0.81, 0.8))
    flow(settings=["seed=2"])
    assert champion() != before


def test_drift_stops_at_the_gate(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    flow()
    before = tracking.champion(NAME)
    assert before is not None
    path = before.folder / "predictions.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        line["prediction"] = lines[0]["prediction"]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(promotion, "compare", lambda run: (0.9, 0.8))
    with pytest.raises(UserError, match=r"^GateFailed: the data has drifted by"):
        flow(settings=["seed=1"])
    assert champion() == before.folder.name
    flow(settings=["seed=1"], max_drift=100.0)
    assert flow.states["evaluate"] == "Cached"
    assert champion() != before.folder.name


def test_bad_data_stop_the_flow_in_one_line(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(config: Any) -> None:
        raise UserError("table.csv: column 'a' is missing; add it")

    monkeypatch.setattr(workloads.load(NAME), "prepare", refuse)
    monkeypatch.setattr("sys.argv", ["my_project", "flow"])
    with pytest.raises(SystemExit) as exit_:
        cli.run()
    assert exit_.value.code == 2
    message = "error: DataCheckFailed: table.csv: column 'a' is missing; add it"
    assert message in capsys.readouterr().err.splitlines()
    assert flow.states == {"prepare data": "Failed", "flow": "DataCheckFailed"}
    assert not finished_runs(NAME)


def test_a_disk_that_fails_is_tried_again(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    from my_project.flows import steps

    workload, failures = workloads.load(NAME), [TimeoutError("no answer"), OSError("stale handle")]
    prepare, at_once = workload.prepare, steps.prepare.with_options(retry_delay_seconds=0)

    def fail_twice(config: Any) -> Any:
        try:
            if failures:
                raise failures.pop()
        except OSError as error:  # as the readers of files do
            raise UserError(f"cannot be read: {error}") from None
        return prepare(config)

    monkeypatch.setattr(workload, "prepare", fail_twice)
    monkeypatch.setattr("my_project.flows.training.prepare", at_once)
    flow()
    assert flow.states["prepare data"] == "Completed"
    assert not failures


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ConnectionResetError(), True),
        (FileNotFoundError(), False),
        (PermissionError(), False),
        (UserError("bad"), False),
        (None, False),
    ],
)
def test_only_what_may_pass_is_tried_again(error: BaseException | None, again: bool) -> None:
    from my_project.flows.steps import may_pass

    assert may_pass(error) is again


def test_the_best_candidate_goes_to_the_gate(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers of a Dask cluster train them at the same time: each waits for the other."""
    import distributed

    from my_project.flows import training

    local_cluster: Any = distributed.LocalCluster  # which has no types
    train_run, both = pipeline.train_run, threading.Barrier(2)

    def train_together(name: str, config: Any) -> Run:
        both.wait(timeout=120)
        return train_run(name, config)

    monkeypatch.setattr(pipeline, "train_run", train_together)
    workers = {"n_workers": 2, "threads_per_worker": 1, "processes": False}
    with local_cluster(**workers, protocol="tcp://", dashboard_address=None) as cluster:
        monkeypatch.setenv("FLOW_DASK", cluster.scheduler_address)
        on_dask = training.train_and_promote.with_options(task_runner=training.task_runner())
        monkeypatch.setattr(training, "train_and_promote", on_dask)
        flow(candidates=["seed=0", "seed=1"])
    assert len(finished_runs(NAME)) == 2
    best = tracking.champion(NAME)
    assert best is not None
    assert (best.model / "note.txt").exists()


def test_a_number_of_local_workers_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from my_project.flows import training

    monkeypatch.setenv("FLOW_DASK", "2")
    runner: Any = training.task_runner()
    assert runner.cluster_kwargs == {"n_workers": 2, "threads_per_worker": 1}
    monkeypatch.setitem(sys.modules, "prefect_dask.task_runners", None)
    with pytest.raises(UserError, match=r"^FLOW_DASK: needs the extra: pip install"):
        training.task_runner()


@pytest.mark.parametrize("name", workloads.NAMES)
def test_what_a_worker_gets_can_be_sent(name: str) -> None:
    config = workloads.load(name).Config()
    assert pickle.loads(pickle.dumps(config)) == config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "nothing: no such workload"),
        (["--set", "sed=1"], "sed: unknown key; did you mean seed?"),
        (["--candidate", "seed=many"], "seed: input should be a valid integer"),
    ],
)
def test_bad_arguments_are_refused_before_anything_runs(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    before = sorted(project.rglob("*"))
    monkeypatch.setattr("sys.argv", ["program", "flow", *arguments])
    with pytest.raises(SystemExit) as exit_:
        cli.run()
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
    assert sorted(project.rglob("*")) == before


def test_help_does_not_wait_for_prefect() -> None:
    code = "import sys; from my_project import cli\n"
    code += "cli.build(['flow']); sys.exit('prefect' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_prefect_tells_nobody_that_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect._internal.analytics import enabled
    from prefect.settings import get_current_settings

    monkeypatch.setattr(enabled, "is_ci_environment", lambda: False)  # where it is off anyway
    assert not enabled.is_telemetry_enabled()
    assert not get_current_settings().server.analytics_enabled
