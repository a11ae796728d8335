"""The command `upload`."""

from .. import tracking_upload, workloads
from ..runs import finished_runs


def main() -> None:
    """Bring to MLflow what it has not got: runs that finished while a server was down."""
    for run in [run for name in workloads.NAMES for run in reversed(finished_runs(name))]:
        print(f"{run.folder.as_posix()} is run {tracking_upload.upload(run)}", flush=True)
