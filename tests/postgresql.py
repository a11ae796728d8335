"""A PostgreSQL server of its own, on a free port of this machine.

Debian: `apt-get install postgresql`. PostgreSQL refuses to run as root; for root, Debian's user
`postgres` runs it.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, which Debian keeps off the path; None without them."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    program = shutil.which("pg_ctl") or (found[-1] if found else None)
    return Path(program).resolve().parent if program else None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass(frozen=True)
class Database:
    """A database that can be stopped and started again."""

    folder: Path
    port: int

    @property
    def uri(self) -> str:
        return f"postgresql+psycopg2://mlflow@127.0.0.1:{self.port}/postgres"

    def run(self, program: str, *arguments: str) -> None:
        folder = programs()
        assert folder is not None
        user = "postgres" if hasattr(os, "getuid") and os.getuid() == 0 else None
        data = ["--pgdata", str(self.folder / "data")]
        command = [str(folder / program), *data, *arguments]
        subprocess.run(command, user=user, cwd=self.folder, check=True, capture_output=True)

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k '{self.folder}'"
        log = str(self.folder / "log")
        self.run("pg_ctl", "start", "--wait", "--log", log, "--options", options)

    def stop(self) -> None:
        self.run("pg_ctl", "stop", "--wait", "--mode", "immediate")


@contextmanager
def database(folder: Path) -> Iterator[Database]:
    """Start a fresh database in an empty folder, and stop it."""
    if hasattr(os, "getuid") and os.getuid() == 0:
        shutil.chown(folder, "postgres")
    server = Database(folder, free_port())
    server.run("initdb", "--username", "mlflow", "--auth", "trust", "--encoding", "UTF8")
    server.start()
    try:
        yield server
    finally:
        server.stop()
