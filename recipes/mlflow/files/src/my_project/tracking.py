"""Tracking with MLflow: each finished run is uploaded, and the registry knows the champions.

A run's folder stays where it is, so that no run depends on a server to be kept or read.
"""

import logging
import os
import tempfile
from pathlib import Path

from . import tracking_mlflow
from .runs import RUNS, Run
from .tracking_upload import upload
from .utils.artifacts import sha256_folder
from .utils.config import BaseConfig
from .utils.errors import UserError

logger = logging.getLogger(__name__)
CHAMPION = "champion"  # the alias in the registry
UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # a model's name; an alias


def start(workload: str, config: BaseConfig) -> Run:
    """Begin a run: a folder, so that training never waits for a server."""
    return Run.create(workload, config)


def record(run: Run) -> None:
    """Upload a finished run; where that fails, the run is kept and the log says what to do."""
    try:
        upload(run)
    except UserError as error:
        later = f"to upload it later: python -m {__package__} upload"
        logger.warning("%s; %s is kept; %s", error, run.folder.as_posix(), later)


def promote(run: Run) -> None:
    """Make a run its workload's champion: MLflow's registry gives its model that alias."""
    run_id, metadata = upload(run), run.metadata
    name = tracking_mlflow.name_in_mlflow(metadata["workload"])
    with tracking_mlflow.connected() as client:
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        versions = list(client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'"))
        if not versions:
            tags = {"run": run.folder.resolve().name, "model_sha256": metadata["model_sha256"]}
            model = client.get_run(run_id).data.tags["model_id"]
            source = f"models:/{model}"
            versions = [client.create_model_version(name, source, run_id, tags, model_id=model)]
        client.set_registered_model_alias(name, CHAMPION, versions[0].version)


def downloads() -> Path:
    """Return where champions of other machines go: TRACKING_DOWNLOADS, else beside the runs."""
    return Path(os.environ.get("TRACKING_DOWNLOADS", RUNS))


def champion(workload: str) -> Run | None:
    """Return the champion, downloaded if it is not here; None before the first was promoted.

    One small request, unless there is a new champion. A UserError where MLflow cannot be reached.
    """
    if not tracking_mlflow.server() and not (tracking_mlflow.STORE / "mlflow.db").exists():
        return None
    from mlflow import MlflowException
    from mlflow.artifacts import download_artifacts

    name = tracking_mlflow.name_in_mlflow(workload)
    with tracking_mlflow.connected() as client:
        try:
            version = client.get_model_version_by_alias(name, CHAMPION)
        except MlflowException as error:
            if error.error_code not in UNKNOWN:
                raise
            return None
        sha256 = version.tags.get("model_sha256")
        run = Run(RUNS / Path(version.tags.get("run", "no-run")).name)
        if not (run.folder / "metadata.json").exists():
            run = Run(downloads() / run.folder.name)
        if not (run.folder / "metadata.json").exists():
            downloads().mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=downloads(), prefix=".download-") as temporary:
                source = f"models:/{name}/{version.version}/artifacts/{run.folder.name}"
                fetched = Run(Path(download_artifacts(artifact_uri=source, dst_path=temporary)))
                if sha256_folder(fetched.model) != sha256:
                    raise UserError(f"{source}: differs from what was promoted; promote another")
                os.replace(fetched.folder, run.folder)
    if run.metadata["model_sha256"] != sha256:
        raise UserError(f"{run.folder}: is not the champion of that name; move it away")
    return run
