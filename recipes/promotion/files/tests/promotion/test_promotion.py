"""Which model is in use: it changes only for a better one, and at one stroke."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from my_project import cli, pipeline, promotion, tracking, workloads
from my_project.runs import Run
from my_project.utils.artifacts import sha256_folder, write_json
from my_project.utils.errors import UserError

NAME = workloads.NAMES[0]


@pytest.fixture
def first(project: Path, trained: Mapping[str, Run]) -> Run:
    """A real run of the first workload."""
    source = trained[NAME].folder
    return Run(shutil.copytree(source, Path("experiments/runs") / source.name))


@pytest.fixture
def second(first: Run) -> Run:
    """A newer run with another model: the same weights, and a file more."""
    run = Run(shutil.copytree(first.folder, first.folder.with_name(f"{NAME}-99991231-000000-0")))
    (run.model / "note.txt").write_text("another model", encoding="utf-8")
    changed = {"model_sha256": sha256_folder(run.model)}
    write_json(run.folder / "metadata.json", run.metadata | changed)
    return run


def measure(monkeypatch: pytest.MonkeyPatch, values: dict[Run, float]) -> None:
    """Let the evaluation of each run give a value of its primary metric."""

    def evaluate(run: Run, of: Run | None = None) -> dict[str, Any]:
        by_name = {one.folder.name: value for one, value in values.items()}
        return {"test": {run.metadata["primary_metric"]: by_name[(of or run).folder.name]}}

    monkeypatch.setattr(pipeline, "evaluate_run", evaluate)


def test_the_newest_run_is_served_until_one_is_promoted(first: Run, second: Run) -> None:
    assert pipeline.served_run(NAME).folder.name == second.folder.name
    tracking.promote(first)
    assert pipeline.served_run(NAME).folder.name == first.folder.name


def test_without_a_run_there_is_nothing_to_serve(project: Path) -> None:
    with pytest.raises(UserError, match="no finished run yet"):
        pipeline.served_run(NAME)


def test_the_first_run_is_measured_and_promoted(first: Run) -> None:
    metric = first.metadata["primary_metric"]
    value, champion = promotion.compare(first)
    assert value == pytest.approx(first.metrics["test"][metric])
    assert champion is None
    assert "no other to beat" in promotion.promote(first)
    assert tracking.champion(NAME) is not None


def test_the_same_model_is_no_better(first: Run, second: Run) -> None:
    promotion.promote(first)
    assert "is the champion already" in promotion.promote(first)
    with pytest.raises(UserError, match="does not beat the champion"):
        promotion.promote(second)


@pytest.mark.parametrize("value", [0.5, 0.6, 0.7])
def test_only_a_better_run_takes_the_place(
    first: Run, second: Run, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    promotion.promote(first)
    measure(monkeypatch, {first: 0.6, second: value})
    if value > 0.6:
        assert "0.7000, 0.6000 before" in promotion.promote(second)
    else:
        with pytest.raises(UserError, match=rf"{value:.4f} against 0.6000; the champion stays"):
            promotion.promote(second)
    champion = tracking.champion(NAME)
    assert champion is not None
    assert champion.folder.name == (second if value > 0.6 else first).folder.name


def test_force_goes_back_without_a_comparison(
    first: Run, second: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion.promote(second)
    measure(monkeypatch, {})
    assert "without a comparison" in promotion.promote(first, force=True)
    assert pipeline.served_run(NAME).folder.name == first.folder.name


def test_force_replaces_a_champion_whose_run_was_removed(first: Run, second: Run) -> None:
    promotion.promote(first)
    shutil.rmtree(first.folder)
    promotion.promote(second, force=True)
    assert pipeline.served_run(NAME).folder.name == second.folder.name


def test_a_damaged_model_is_never_promoted(first: Run) -> None:
    next(path for path in first.model.rglob("*") if path.is_file()).write_bytes(b"damaged")
    for force in (False, True):
        with pytest.raises(UserError, match="differs from what the run saved"):
            promotion.promote(first, force)
    assert tracking.champion(NAME) is None


def test_models_with_other_inputs_are_not_compared(
    first: Run, second: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other:
        example_type = UserError

    promotion.promote(first)
    load_model = pipeline.load_model

    def load(run: Run) -> Any:
        return Other() if run.folder.name == first.folder.name else load_model(run)

    monkeypatch.setattr(pipeline, "load_model", load)
    with pytest.raises(UserError, match="takes other inputs than the champion"):
        promotion.promote(second)


def test_runs_are_listed_with_the_champion_marked(
    first: Run, second: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["promote", NAME, "--run", str(first.folder)], ["runs"]):
        monkeypatch.setattr("sys.argv", ["my_project", *command])
        with pytest.raises(SystemExit) as exit_:
            cli.run()
        assert not exit_.value.code
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{first.folder.name} is the champion now")
    assert [line.split()[:2] for line in lines[2:]] == [
        [second.folder.name, first.metadata["primary_metric"]],
        ["*", first.folder.name],
    ]


def test_predict_uses_the_champion(
    first: Run, second: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The newer run would be refused: its model was damaged."""
    tracking.promote(first)
    (second.model / "note.txt").unlink()
    examples = str(first.folder / "examples.jsonl")
    arguments = ["my_project", "predict", examples]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as exit_:
        cli.run()
    assert not exit_.value.code
    found = [json.loads(line)["prediction"] for line in capsys.readouterr().out.splitlines()]
    known = (first.folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()[:5]
    assert found == pytest.approx([json.loads(line)["prediction"] for line in known])


def test_runs_are_listed_where_the_champion_cannot_be_had(
    first: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(workload: str) -> None:
        raise UserError("the server is down")

    monkeypatch.setattr(tracking, "champion", fail)
    monkeypatch.setattr("sys.argv", ["my_project", "runs"])
    with pytest.raises(SystemExit) as exit_:
        cli.run()
    assert not exit_.value.code
    printed = capsys.readouterr()
    assert printed.out.splitlines()[1].split()[0] == first.folder.name
    assert f"the server is down; no champion of {NAME} is marked" in printed.err.splitlines()
