"""The command `tracking-ui`."""

import subprocess
import sys

from .. import tracking_mlflow
from ..utils.errors import UserError


def main(port: int = 5000) -> None:
    """Show the runs in a browser, to this machine only; Ctrl-C ends it."""
    if uri := tracking_mlflow.server():
        raise UserError(f"MLFLOW_TRACKING_URI is set: open {uri} in a browser")
    with tracking_mlflow.connected():
        print(f"MLflow shows the runs at http://127.0.0.1:{port}", flush=True)
    options = ["--backend-store-uri", tracking_mlflow.database(), "--workers", "1"]
    where = ["--host", "127.0.0.1", "--port", str(port)]
    subprocess.run([sys.executable, "-m", "mlflow", "ui", *options, *where], check=True)
