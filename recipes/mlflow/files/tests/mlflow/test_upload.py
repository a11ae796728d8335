"""What MLflow holds of a run, and that no run is lost where it cannot hold it."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from my_project import (
    cli,
    pipeline,
    tracking,
    tracking_mlflow,
    tracking_upload,
    workloads,
)
from my_project.runs import Run
from my_project.utils.artifacts import write_json
from my_project.utils.errors import UserError
from my_project.utils.records import (
    format_predictions,
    read_records,
    validate,
)


@pytest.fixture
def client(run: Run) -> Iterator[Any]:
    with tracking_mlflow.connected() as client:
        yield client


def runs_in_mlflow(client: Any) -> list[Any]:
    return list(client.search_runs([one.experiment_id for one in client.search_experiments()]))


def test_mlflow_holds_all_that_the_folder_of_a_run_does(recorded: Run, client: Any) -> None:
    run_id = tracking_upload.upload(recorded)
    logged = client.get_run(run_id)
    config = tomllib.loads((recorded.folder / "config.toml").read_text(encoding="utf-8"))
    assert logged.data.params == {key: str(value) for key, value in config.items()}
    for part in ("test", "baseline"):
        for name, value in recorded.metrics[part].items():
            assert logged.data.metrics[f"{part}/{name}"] == value
    assert logged.info.run_name == recorded.folder.name
    assert logged.data.tags["data_sha256"] == recorded.metadata["data_sha256"]
    assert logged.data.tags["mlflow.source.git.commit"] == (
        recorded.metadata["git"]["commit"] or ""
    )
    artifacts = {one.path for one in client.list_artifacts(run_id)}
    assert artifacts >= {"config.toml", "examples.jsonl", "figures", "metadata.json"}
    history = recorded.folder / "history.jsonl"
    lines = history.read_text(encoding="utf-8").splitlines() if history.exists() else []
    steps = [json.loads(line) for line in lines]
    for name in {name for step in steps for name in step} - {"step"}:
        found = {one.step: one.value for one in client.get_metric_history(run_id, name)}
        assert found == {step["step"]: step[name] for step in steps if name in step}


def test_a_setting_that_is_a_word_is_no_metric(run: Run, client: Any) -> None:
    lines = ['{"step": 1, "depth": 3, "kind": "sqrt", "score": 0.5}', '{"step": 2, "kind": null}']
    (run.folder / "history.jsonl").write_text("\n".join(lines), encoding="utf-8")
    logged = client.get_run(tracking_upload.upload(run)).data.metrics
    assert (logged["depth"], logged["score"]) == (3, 0.5)
    assert "kind" not in logged


def test_a_fresh_process_loads_the_models_without_pickle(
    trained: Mapping[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = list(trained.values())
    monkeypatch.chdir(runs[0].folder.parents[2])
    ids = [tracking_upload.upload(run) for run in runs]
    with tracking_mlflow.connected() as client:
        models = [client.get_run(run_id).data.tags["model_id"] for run_id in ids]
    loading = (
        "import json, sys, mlflow, pandas\n"
        "for model, examples in zip(sys.argv[1::2], sys.argv[2::2]):\n"
        "    rows = [json.loads(line) for line in open(examples, encoding='utf-8')]\n"
        "    answers = mlflow.pyfunc.load_model(model).predict(pandas.DataFrame(rows))\n"
        "    print(json.dumps(answers.to_dict('records')))\n"
    )
    pairs = zip(models, runs, strict=True)
    sources = [(f"models:/{model}", str(run.folder / "examples.jsonl")) for model, run in pairs]
    outcome = subprocess.run(
        [sys.executable, "-c", loading, *(word for pair in sources for word in pair)],
        env=os.environ | {"MLFLOW_TRACKING_URI": tracking_mlflow.database()},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    for run, model, printed in zip(runs, models, outcome.stdout.splitlines(), strict=True):
        loaded = pipeline.load_model(run)
        path = run.folder / "examples.jsonl"
        answers = loaded.predict(validate(read_records(path), loaded.example_type, path))
        wanted = format_predictions(answers, ".jsonl").splitlines()
        assert json.loads(printed) == [json.loads(line) for line in wanted]
        [folder] = tracking_mlflow.STORE.absolute().glob(f"artifacts/models/{model}/artifacts")
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert files
        assert not [path for path in files if path.read_bytes().startswith(b"\x80")]
        pinned = (folder / "requirements.txt").read_text(encoding="utf-8").split()
        assert f"numpy=={run.metadata['packages']['numpy']}" in pinned
        assert not [line for line in pinned if line.startswith("pytest")]


def test_uploading_twice_gives_one_run(recorded: Run, client: Any) -> None:
    before = runs_in_mlflow(client)
    assert tracking_upload.upload(recorded) == tracking_upload.upload(recorded)
    assert len(runs_in_mlflow(client)) == len(before)


def test_an_upload_that_broke_off_is_replaced(
    run: Run, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context:
        context.setattr(tracking_upload, "log_model", fail)
        with pytest.raises(UserError, match="disk full"):
            tracking_upload.upload(run)
    assert [one.info.status for one in runs_in_mlflow(client)] == ["FAILED"]
    run_id = tracking_upload.upload(run)
    assert [one.info.run_id for one in runs_in_mlflow(client)] == [run_id]
    assert client.get_run(run_id).info.status == "FINISHED"


def fail(*_: object) -> str:
    raise OSError("disk full")


def test_a_server_that_fails_loses_no_run(
    run: Run,
    bad_server: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    tracking.record(run)
    [message] = caplog.messages
    assert message.startswith(f"MLflow at {bad_server} cannot be used: ")
    kept = f"{run.folder.as_posix()} is kept; to upload it later: "
    assert message.endswith(f"{kept}python -m my_project upload")
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == before
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.setattr("sys.argv", ["my_project", "upload"])
    with pytest.raises(SystemExit) as exit_:
        cli.run()
    assert not exit_.value.code
    run_id = tracking_upload.upload(run)
    assert capsys.readouterr().out == f"{run.folder.as_posix()} is run {run_id}\n"


def test_a_run_begins_without_a_server(project: Path, bad_server: str) -> None:
    name = workloads.NAMES[0]
    run = tracking.start(name, workloads.load(name).Config())
    assert (run.folder / "config.toml").exists()


def test_a_damaged_database_is_told_in_one_line(run: Run) -> None:
    (tracking_mlflow.STORE / "mlflow.db").write_text("not a database, whatever its name says")
    with pytest.raises(UserError, match="file is not a database"):
        tracking_upload.upload(run)


def test_two_processes_may_make_the_database_at_once(project: Path) -> None:
    Path("empty.db").write_bytes(tracking_mlflow.empty_database())
    making = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from my_project import tracking_mlflow\n"
        "def slowly():\n"
        "    Path(sys.argv[1]).touch()\n"
        "    time.sleep(2)\n"
        "    return Path('empty.db').read_bytes()\n"
        "tracking_mlflow.empty_database = slowly\n"
        "tracking_mlflow.make_database()\n"
    )
    names = ["one", "other"]
    processes = [subprocess.Popen([sys.executable, "-c", making, name]) for name in names]
    assert [process.wait() for process in processes] == [0, 0]
    assert sum(Path(name).exists() for name in names) == 1  # the other found it made
    with tracking_mlflow.connected() as client:
        assert [one.name for one in client.search_experiments()] == ["Default"]
    assert not list(tracking_mlflow.STORE.glob("tmp*"))


def test_a_project_that_moved_says_what_to_do(recorded: Run) -> None:
    write_json(recorded.folder / "metadata.json", recorded.metadata | {"note": "another run"})
    with pytest.raises(UserError, match="when the project was in another folder; remove it"):
        tracking_upload.upload(recorded)


def test_types_of_columns_allow_what_examples_allow() -> None:
    expected: list[tuple[Any, str]] = [
        (float, "DataType.double"),
        (float | None, "DataType.double"),
        (str | None, "DataType.string"),
        (bool, "Any"),
        (bool | None, "Any"),
        (int, "DataType.double"),
        (list[list[float]], "Array(Array(double))"),
        (dict[str, int], "Any"),
    ]
    for type_, wanted in expected:
        found = tracking_upload.column_type(TypeAdapter(type_).json_schema())
        assert (type_, str(found)) == (type_, wanted)


def test_mlflow_is_imported_only_where_it_is_needed() -> None:
    code = "import sys; from my_project import cli\n"
    code += "for name in ('train', 'predict', 'promote', 'upload', 'tracking-ui'):\n"
    code += "    cli.build([name])\n"
    code += "sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_telemetry_is_off_before_mlflow_is_imported_and_your_settings_stay() -> None:
    code = (
        "import os, sys\n"
        "class Watch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'mlflow':\n"
        "            print(os.environ['MLFLOW_DISABLE_TELEMETRY'])\n"
        "            print(os.environ['MLFLOW_HTTP_REQUEST_TIMEOUT'], flush=True)\n"
        "            os._exit(0)\n"
        "sys.meta_path.insert(0, Watch())\n"
        "from my_project import tracking\n"
        "tracking.champion('any')\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    yours = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_TIMEOUT": "7"}
    outcome = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | yours,
        capture_output=True,
        text=True,
        check=True,
    )
    assert outcome.stdout.split() == ["true", "7"]
