"""One Prefect server for all tests of the flows: it takes seconds to start."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from my_project.flows import SETTINGS


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where an empty database is kept: Prefect works on one for seconds, so pytest caches it."""
    from prefect import __version__

    cache = request.config.cache if hasattr(request.config, "cache") else None
    folder = cache.mkdir("prefect") if cache else tmp_path_factory.mktemp("cache")
    return Path(folder, f"{__version__}.db")


@pytest.fixture(scope="session")
def server(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with its database in a temporary folder."""
    home = tmp_path_factory.mktemp("prefect")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    own = {"PREFECT_HOME": str(home), "PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
    if database.exists():
        shutil.copy(database, home / "prefect.db")
    command = [sys.executable, "-m", "prefect", "server", "start", "--no-ui", "--port", port]
    with subprocess.Popen(command, env=os.environ | SETTINGS | own) as process:
        try:
            wait_for(own["PREFECT_API_URL"], process)
            if not database.exists():
                copy = home / "copy.db"
                with closing(sqlite3.connect(home / "prefect.db")) as made:
                    made.execute("VACUUM INTO ?", [str(copy)])
                os.replace(copy, database)
            yield from connected(own)
        finally:
            process.terminate()


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    while True:
        assert process.poll() is None, "the server has ended"
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=60):
                return
        except OSError:
            time.sleep(0.2)


def connected(own: dict[str, str]) -> Iterator[str]:
    """Give the server's address while this process uses it; at the end it gets all logs."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (SETTINGS | own).items():
            patch.setenv(name, value)
        from prefect.events.worker import EventsWorker
        from prefect.logging.configuration import setup_logging
        from prefect.logging.handlers import APILogWorker
        from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

        setup_logging()  # else the first flow does it, and takes pytest's handler away
        address, home = own["PREFECT_API_URL"], Path(own["PREFECT_HOME"])
        with temporary_settings({PREFECT_API_URL: address, PREFECT_HOME: home}):
            yield address
            APILogWorker.drain_all()
            EventsWorker.drain_all()


@pytest.fixture
def flow_project(server: str, project: Path) -> Iterator[Path]:
    """A project with that server, and with no result cached yet."""
    from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: project / "storage"}):
        yield project
