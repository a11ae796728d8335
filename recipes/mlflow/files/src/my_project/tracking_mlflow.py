"""MLflow as this project uses it: a database beside the runs, or the server of a team."""

import logging
import os
import re
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from .runs import RUNS
from .utils.errors import UserError

if TYPE_CHECKING:  # importing MLflow takes a second: only the functions that need it do
    from mlflow import MlflowClient

STORE = RUNS / "mlflow"
# What MLflow reads from the environment; what is set there already stays.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",  # seconds; by itself MLflow waits for many minutes
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
os.environ.update({**SETTINGS, **os.environ})  # here, as it reads some when it is imported


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
            mlflow.set_tracking_uri(uri)  # which sets MLFLOW_TRACKING_URI, too
        if not server():
            os.environ.pop("MLFLOW_TRACKING_URI", None)
        yield mlflow.MlflowClient()
    except (mlflow.MlflowException, OSError, SQLAlchemyError, sqlite3.Error) as error:
        reason = str(error).strip().partition("\n")[0].removesuffix("))")
        reason = re.sub(r".*\(Caused by \w+\([\"']?", "", reason).rstrip("\"'")[:300]
        message = f"MLflow at {uri} cannot be used: {reason}"
        raise UserError(re.sub(r"//[^/@]*@", "//", message)) from None  # without passwords


def make_database() -> None:
    """Make the project's database, complete or not at all; a damaged one is an error at once."""
    path = STORE / "mlflow.db"
    if not path.exists():
        STORE.mkdir(parents=True, exist_ok=True)
        with (
            closing(sqlite3.connect(STORE / "lock.db", timeout=60)) as lock,
            tempfile.TemporaryDirectory(dir=STORE) as temporary,
        ):
            lock.execute("BEGIN EXCLUSIVE")  # of several processes, one at a time
            if not path.exists():
                new = Path(temporary, "new.db")
                new.write_bytes(empty_database())
                os.replace(new, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA schema_version")  # where this fails, MLflow tries for minutes


@cache
def empty_database() -> bytes:
    """Return a database without runs: MLflow works a second on it, once in a process."""
    from mlflow import MlflowClient

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        new, copy = Path(temporary, "new.db"), Path(temporary, "copy.db")
        MlflowClient(f"sqlite:///{new.as_posix()}")  # which keeps this file open
        with closing(sqlite3.connect(new)) as made:
            made.execute("VACUUM INTO ?", [str(copy)])
        return copy.read_bytes()
