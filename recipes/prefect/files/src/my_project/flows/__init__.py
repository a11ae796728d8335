"""Flows: the steps from data to predictions, run, retried and scheduled by Prefect."""

import logging
import os
from pathlib import Path

SETTINGS = {
    # Results, logs and the embedded server's database belong to the project, like its runs.
    "PREFECT_HOME": str(Path(".prefect").absolute()),
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",  # the server's telemetry
    "DO_NOT_TRACK": "1",  # the client's, with the notice that it prints at a terminal
    # Seconds; a busy machine needs more than the 20 that Prefect waits for its embedded server.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    # What the package logs is shown, and sent to the server, like Prefect's own lines.
    "PREFECT_LOGGING_EXTRA_LOGGERS": "my_project",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_LOGGING_LEVEL": "INFO",
}
os.environ.update({**SETTINGS, **os.environ})  # Prefect reads them when it is imported
logging.getLogger(__name__.split(".")[0]).setLevel(os.environ["PREFECT_LOGGING_LEVEL"])
