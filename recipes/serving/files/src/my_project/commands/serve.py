"""The command `serve`."""

import logging
import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from threading import Thread
from typing import Annotated

import typer

# With limits, where httptools is: not on Windows.
PROTOCOL = "my_project.serving.protocol:Protocol"
Host = Annotated[str | None, typer.Option(help="Default: SERVE_HOST, else 127.0.0.1.")]
Port = Annotated[int | None, typer.Option(help="Default: SERVE_PORT, else 8000; 0: any.")]
Workers = Annotated[int | None, typer.Option(help="Processes. Default: SERVE_WORKERS, else 1.")]


def main(host: Host = None, port: Port = None, workers: Workers = None) -> None:
    """Answer over HTTP, with the models in use."""
    import uvicorn  # no other command needs it

    from ..serving.logs import log_config
    from ..serving.settings import load_settings

    given = {"SERVE_HOST": host, "SERVE_PORT": port, "SERVE_WORKERS": workers}
    os.environ.update({name: str(value) for name, value in given.items() if value is not None})
    settings = load_settings()
    with tempfile.TemporaryDirectory() as folder:
        if settings.workers > 1:
            # The processes share their metrics through files, and the processor's cores.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
            cores = max(1, (os.cpu_count() or 1) // settings.workers)
            os.environ.setdefault("OMP_NUM_THREADS", str(cores))
            Thread(target=forget_the_dead, args=[Path(folder)], daemon=True).start()
        uvicorn.run(
            "my_project.serving.app:create_app",
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            log_config=log_config(logging.getLogger().level),
            access_log=False,
            server_header=False,
            timeout_keep_alive=settings.keep_alive_seconds,
            timeout_graceful_shutdown=settings.shutdown_seconds,
            # A worker that loads, or predicts, may not answer its parent for a while. One that was
            # killed just when it was asked is missed for as long.
            timeout_worker_healthcheck=20,
            http="auto" if os.name == "nt" else PROTOCOL,
            ws="none",
        )


def forget_the_dead(folder: Path) -> None:
    """Drop the gauges of processes that have ended: what they had in flight is no longer."""
    from prometheus_client.multiprocess import mark_process_dead

    while True:
        time.sleep(1)
        files = list(folder.glob("gauge_live*.db"))  # before the processes: a new one stays
        alive = {child.pid for child in multiprocessing.active_children()}
        for pid in {int(file.stem.rpartition("_")[2]) for file in files} - alive:
            mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
