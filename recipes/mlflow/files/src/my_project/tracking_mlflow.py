"""MLflow as this project uses it: a database beside the runs, or the server of a team."""

import logging
import os
import re
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .runs import RUNS, Run
from .utils.artifacts import sha256_folder
from .utils.errors import UserError

if TYPE_CHECKING:  # importing MLflow takes a second: only the functions that need it do
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

STORE = RUNS / "mlflow"
CHAMPION = "champion"  # the alias in the registry
# What MLflow reads from the environment; what is set there already stays.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",  # seconds; by itself MLflow waits for many minutes
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def server() -> str | None:
    """Return MLFLOW_TRACKING_URI; None where runs are tracked in the project itself."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    return None if uri == database() else uri or None


def database() -> str:
    """Return the URI of the project's own database."""
    return f"sqlite:///{(STORE / 'mlflow.db').absolute().as_posix()}"


def name_in_mlflow(workload: str) -> str:
    """Return what a workload is called in MLflow, as an experiment and as a registered model."""
    return f"{__package__}-{workload}"


@contextmanager
def connected() -> Iterator["MlflowClient"]:
    """Give a client; a UserError in one line where the server or the database fails."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    # MLflow uses what SQLAlchemy and pandas have deprecated, and warns of its own type hints.
    warnings.filterwarnings("ignore", "The ``noload`` loader", DeprecationWarning)
    warnings.filterwarnings("ignore", "Operation with range", DeprecationWarning)
    warnings.filterwarnings("ignore", ".*Any type hint is inferred", UserWarning)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # the UserError says it
    import mlflow
    from sqlalchemy.exc import SQLAlchemyError

    uri = server() or database()
    try:
        if not server():
            make_database()
        if mlflow.get_tracking_uri() != uri:
            own = not server()
            mlflow.set_tracking_uri(uri)  # which sets MLFLOW_TRACKING_URI, too
            if own:
                del os.environ["MLFLOW_TRACKING_URI"]
        yield mlflow.MlflowClient()
    except (mlflow.MlflowException, OSError, SQLAlchemyError, sqlite3.Error) as error:
        reason = str(error).strip().partition("\n")[0].removesuffix("))")
        reason = re.sub(r".*\(Caused by \w+\([\"']?", "", reason).rstrip("\"'")[:300]
        message = f"MLflow at {uri} cannot be used: {reason}"
        raise UserError(re.sub(r"//[^/@]*@", "//", message)) from None  # without passwords


def make_database() -> None:
    """Make the project's database, complete or not at all; a damaged one is an error at once."""
    from mlflow import MlflowClient

    path = STORE / "mlflow.db"
    if not path.exists():
        STORE.mkdir(parents=True, exist_ok=True)
        with (
            closing(sqlite3.connect(STORE / "lock.db", timeout=60)) as lock,
            tempfile.TemporaryDirectory(dir=STORE, ignore_cleanup_errors=True) as temporary,
        ):
            lock.execute("BEGIN EXCLUSIVE")  # of several processes, one at a time
            if not path.exists():
                new = Path(temporary, "new.db").absolute()
                MlflowClient(f"sqlite:///{new.as_posix()}")  # which keeps this file open
                copy = new.with_name("copy.db")
                with closing(sqlite3.connect(new)) as one, closing(sqlite3.connect(copy)) as other:
                    one.backup(other)
                os.replace(copy, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA schema_version")  # where this fails, MLflow tries for minutes


def register(run: Run, run_id: str) -> None:
    """Make the model of an uploaded run the champion of its workload, at one stroke."""
    from mlflow import MlflowException

    metadata, name = run.metadata, name_in_mlflow(run.metadata["workload"])
    with connected() as client:
        if not client.search_registered_models(f"name = '{name}'"):
            try:
                client.create_registered_model(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another process was faster
                    raise
        versions = list(client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'"))
        if not versions:
            tags = {"run": run.folder.resolve().name, "model_sha256": metadata["model_sha256"]}
            model_id = client.get_run(run_id).data.tags["model_id"]
            source = f"models:/{model_id}"
            found = client.create_model_version(name, source, run_id, tags, model_id=model_id)
            versions = [found]
        client.set_registered_model_alias(name, CHAMPION, versions[0].version)


def registered(workload: str) -> Run | None:
    """Return the champion of a workload as a local run; None where nothing was promoted."""
    if not server() and not (STORE / "mlflow.db").exists():
        return None
    from mlflow import MlflowException

    with connected() as client:
        try:
            version = client.get_model_version_by_alias(name_in_mlflow(workload), CHAMPION)
        except MlflowException as error:
            # MLflow's answers for an unknown model and for an unknown alias.
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise
        run = Run(RUNS / version.tags["run"])
        if not (run.folder / "metadata.json").exists():
            download(version, run)
    if run.metadata["model_sha256"] != version.tags["model_sha256"]:
        raise UserError(f"{run.folder}: is not the champion of that name; move it away")
    return run


def download(version: "ModelVersion", run: Run) -> None:
    """Fetch the folder of a run, complete or not at all, wherever it was trained."""
    from mlflow.artifacts import download_artifacts

    RUNS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RUNS, prefix=".download-") as temporary:
        source = f"models:/{version.name}/{version.version}/artifacts/{run.folder.name}"
        fetched = Run(Path(download_artifacts(artifact_uri=source, dst_path=temporary)))
        if sha256_folder(fetched.model) != version.tags["model_sha256"]:
            raise UserError(f"{source}: differs from what was promoted; promote another run")
        try:
            os.replace(fetched.folder, run.folder)
        except OSError:
            if not (run.folder / "metadata.json").exists():  # else another process was faster
                raise
