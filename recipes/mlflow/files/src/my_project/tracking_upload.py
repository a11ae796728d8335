"""What MLflow is told of a finished run: all that its folder holds, and a model that can be loaded.

Whatever the workload, the model is the folder of the run with `tracking_model.py` to read it: no
object is pickled.
"""

import hashlib
import importlib.metadata
import json
import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from . import tracking_mlflow, workloads
from .runs import Run
from .utils.errors import UserError
from .utils.records import read_records, validate


def upload(run: Run) -> str:
    """Bring a finished run to MLflow, unless it is there already; return its id there.

    A UserError where that fails; what is there then is replaced by the next upload.
    """
    metadata = run.metadata
    sha256 = hashlib.sha256((run.folder / "metadata.json").read_bytes()).hexdigest()
    with tracking_mlflow.connected() as client:
        import mlflow

        # A server has a place for artifacts; the project's own database has this one.
        place = (tracking_mlflow.STORE / "artifacts").absolute().as_uri()
        artifacts = None if tracking_mlflow.server() else place
        experiment = experiment_of(client, metadata["workload"], artifacts)
        identity = experiment.experiment_id
        for found in client.search_runs([identity], f"tags.metadata_sha256 = '{sha256}'"):
            if found.info.status == "FINISHED":
                return str(found.info.run_id)
            client.delete_run(found.info.run_id)  # an upload that was interrupted
        if artifacts not in (None, experiment.artifact_location):
            raise UserError(
                f"{tracking_mlflow.STORE.as_posix()}: was made when the project was in another "
                "folder; remove it, then run `upload`, and promote the champion again"
            )
        tags = {
            "data_sha256": metadata["data_sha256"],
            "metadata_sha256": sha256,
            "mlflow.source.git.commit": metadata["git"]["commit"] or "",
        }
        with mlflow.start_run(None, identity, run.folder.resolve().name, tags=tags) as active:
            run_id = str(active.info.run_id)
            config = (run.folder / "config.toml").read_text(encoding="utf-8")
            client.log_batch(run_id, metrics=list(metrics(run)))
            mlflow.log_params(tomllib.loads(config))
            for path in sorted(run.folder.iterdir()):  # the model comes with log_model
                if path != run.model and not path.name.startswith("."):
                    mlflow.log_artifact(str(path))
            mlflow.set_tag("model_id", log_model(run))
        return run_id


def experiment_of(client: Any, workload: str, artifacts: str | None) -> Any:
    """Return a workload's experiment, which is made where there is none."""
    from mlflow import MlflowException

    name = tracking_mlflow.name_in_mlflow(workload)
    found = client.get_experiment_by_name(name)
    if not found:
        try:
            client.create_experiment(name, artifacts)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another process was faster
                raise
    return found or client.get_experiment_by_name(name)


def metrics(run: Run) -> Iterator[Any]:
    """Yield the final metrics, such as `test/accuracy`, and those of each step."""
    from mlflow.entities import Metric

    time = int(datetime.fromisoformat(run.metadata["finished"]).timestamp() * 1000)
    for part in ("test", "baseline"):
        for name, value in run.metrics[part].items():
            yield Metric(f"{part}/{name}", value, time, 0)
    history = run.folder / "history.jsonl"
    for line in history.read_text(encoding="utf-8").splitlines() if history.exists() else []:
        step = json.loads(line)
        for name, value in step.items():
            if name != "step" and isinstance(value, int | float):  # a setting may be a word
                yield Metric(name, value, time, step["step"])


def log_model(run: Run) -> str:
    """Log the folder of a run as a model, with signature and examples of its input; its id."""
    import mlflow.pyfunc
    from mlflow.models import ModelSignature, infer_signature
    from mlflow.types.schema import ColSpec, Schema
    from pandas import DataFrame

    model = workloads.load(run.metadata["workload"]).Model.load(run.model)
    path = run.folder / "examples.jsonl"
    examples = validate(read_records(path), model.example_type, path)
    adapter = TypeAdapter(model.example_type)
    rows = [adapter.dump_python(example, mode="json", by_alias=True) for example in examples]
    columns = adapter.json_schema()["properties"].items()
    inputs = [ColSpec(column_type(one), name, "anyOf" not in one) for name, one in columns]
    answers = DataFrame([vars(prediction) for prediction in model.predict(examples)])
    outputs = infer_signature(model_output=answers).outputs
    logged = mlflow.pyfunc.log_model(
        name="model",
        python_model=str(Path(__file__).with_name("tracking_model.py")),
        artifacts={"run": str(run.folder)},
        code_paths=[str(Path(__file__).parent)],
        signature=ModelSignature(Schema([*inputs]), outputs),
        input_example=DataFrame(rows),
        pip_requirements=requirements(run.metadata["packages"]),
    )
    return str(logged.model_id)


def column_type(schema: dict[str, Any]) -> Any:
    """Return MLflow's type for what a JSON schema describes; AnyType where it has no other."""
    from mlflow.types import DataType
    from mlflow.types.schema import AnyType, Array

    kinds = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    if len(kinds) == 1 and kinds[0].get("type") == "array":
        return Array(column_type(kinds[0]["items"]))
    # Numbers are doubles and may be missing; MLflow refuses tables that lack other values.
    types = {"number": DataType.double, "integer": DataType.double, "string": DataType.string}
    found = {types.get(one.get("type")) for one in kinds}
    return (found.pop() if len(found) == 1 else None) or AnyType()  # type: ignore[no-untyped-call]


def requirements(packages: dict[str, str]) -> list[str]:
    """Return what this project declares to need, in the versions that the run had."""
    declared = importlib.metadata.requires(__package__ or "") or []
    needed = [re.split(r"[^\w.-]", text)[0] for text in declared if "extra ==" not in text]
    names = {importlib.metadata.distribution(name).name for name in needed}
    return sorted(f"{name}=={packages[name].partition('+')[0]}" for name in names & packages.keys())
