"""The command `tracking-ui`."""

import contextlib
import os
import signal
import subprocess
import sys

from .. import tracking_mlflow
from ..utils.errors import UserError


def main(port: int = 5000) -> None:
    """Show the runs in a browser, on this machine only; Ctrl-C ends it."""
    if uri := tracking_mlflow.server():
        raise UserError(f"MLFLOW_TRACKING_URI is set: open {uri} in a browser")
    with tracking_mlflow.connected():
        print(f"http://127.0.0.1:{port} shows the runs in a few seconds", flush=True)
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # six processes less
    options = f"--host 127.0.0.1 --port {port} --workers 1".split()
    store = ["--backend-store-uri", tracking_mlflow.database()]
    quiet = ["--uvicorn-opts", "--log-level warning"]
    command = [sys.executable, "-m", "mlflow", "ui", *options, *store, *quiet]
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            code = process.wait()
        finally:  # MLflow leaves behind what it has started, unless all of them are told to end
            with contextlib.suppress(ProcessLookupError):
                getattr(os, "killpg", os.kill)(process.pid, signal.SIGTERM)
    raise UserError(
        f"MLflow ended with code {code}; if port {port} is taken, choose another --port"
    )
