"""Batch scoring: the same predictions as in one piece, in flat memory, all or nothing."""

import json
import shutil
import subprocess
import sys
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import pytest

from my_project import cli, pipeline, tracking, workloads
from my_project.flows.scoring import CHUNK, score_file
from my_project.runs import Run
from my_project.utils import records
from my_project.utils.errors import UserError

NAME = workloads.NAMES[0]
every_workload = pytest.mark.parametrize("name", workloads.NAMES)


def repeat(source: Path, target: Path, count: int) -> Path:
    """Write the lines of a file again and again, until there are `count`."""
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    with target.open("w", encoding="utf-8") as file:
        for number in range(count):
            file.write(lines[number % len(lines)])
    return target


@every_workload
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_the_same_as_in_one_piece(
    trained: dict[str, Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    suffix: str,
) -> None:
    run, target = trained[name], tmp_path / f"out{suffix}"
    source = run.folder / "examples.jsonl"
    model = pipeline.load_model(run)
    examples = records.validate(records.read_records(source), model.example_type, source)
    pieces = [model.predict(examples[:3]), model.predict(examples[3:])]
    wanted = records.format_predictions([one for piece in pieces for one in piece], suffix)
    monkeypatch.setattr("my_project.flows.scoring.CHUNK", 3)
    assert score_file(run, source, target) == len(examples) == 5
    assert target.read_text(encoding="utf-8") == wanted


class Echo:
    """A model that costs nothing: it predicts the number that it is given."""

    @dataclass(frozen=True)
    class Example:
        number: float

    @dataclass(frozen=True)
    class Prediction:
        prediction: float
        probabilities: None = None

    example_type = Example

    def predict(self, examples: list[Example]) -> list[Prediction]:
        return [self.Prediction(example.number) for example in examples]


def peak_memory(folder: Path, count: int) -> int:
    """Return the most bytes that Python held at a time while it scored `count` rows."""
    source, target = folder / "large.csv", folder / "out.csv"
    with source.open("w", encoding="utf-8") as file:
        file.write("number,text\n")
        file.writelines(f"{number},text\n" for number in range(count))
    tracemalloc.start()
    assert score_file(Run(folder), source, target) == count
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    with target.open(encoding="utf-8") as file:
        assert next(file) == "prediction\n"
        assert all(float(line) == number for number, line in enumerate(file))
    return peak


def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "load_model", lambda run: Echo())
    peak_memory(tmp_path, 2_000)  # what is only allocated once
    assert peak_memory(tmp_path, 100_000) < 2 * peak_memory(tmp_path, 5_000)


def test_what_fails_midway_leaves_nothing_and_a_rerun_is_complete(
    trained: dict[str, Run], tmp_path: Path
) -> None:
    run, target = trained[NAME], tmp_path / "out.csv"
    good = repeat(run.folder / "examples.jsonl", tmp_path / "good.jsonl", CHUNK + 2)
    score_file(run, good, target)
    wanted = target.read_bytes()
    target.write_bytes(b"of an earlier day")
    bad = tmp_path / "bad.jsonl"
    bad.write_text(good.read_text(encoding="utf-8") + "{}\n", encoding="utf-8")
    with pytest.raises(UserError, match=rf"bad\.jsonl, row {CHUNK + 3}: "):
        score_file(run, bad, target)
    assert target.read_bytes() == b"of an earlier day"
    assert {path.name for path in tmp_path.iterdir()} == {"good.jsonl", "bad.jsonl", "out.csv"}
    assert score_file(run, good, target) == CHUNK + 2
    assert target.read_bytes() == wanted


def test_the_source_is_never_overwritten(trained: dict[str, Run], tmp_path: Path) -> None:
    source = repeat(trained[NAME].folder / "examples.jsonl", tmp_path / "in.jsonl", 2)
    with pytest.raises(UserError, match="is the file that is read"):
        score_file(trained[NAME], source, source)
    assert len(records.read_records(source)) == 2


def test_the_command_uses_the_champion(
    project: Path,
    trained: dict[str, Run],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = trained[NAME].folder
    champion = Run(shutil.copytree(folder, Path("experiments/runs") / folder.name))
    shutil.copytree(folder, Path("experiments/runs") / f"{NAME}-99991231-000000-0")
    tracking.promote(champion)
    source = str(champion.folder / "examples.jsonl")
    monkeypatch.setattr("sys.argv", ["program", "score", source, "out.jsonl"])
    with pytest.raises(SystemExit) as exit_:
        cli.run()
    assert not exit_.value.code
    assert capsys.readouterr().out == f"out.jsonl: 5 predictions by {champion.folder.name}\n"
    offline = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    known = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()[:5]
    wanted = [json.loads(line)["prediction"] for line in known]
    assert [one["prediction"] for one in offline] == pytest.approx(wanted)


def test_help_does_not_wait_for_prefect() -> None:
    code = """
import sys
from my_project import cli
cli.build([])
print('prefect' in sys.modules)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
