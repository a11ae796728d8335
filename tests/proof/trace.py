"""What a process of a project reads, written down as it happens; and no way to the network.

A copy of this file stands in every environment of the proof and is imported at each start of its
Python (`environment.install_trace`), so that child processes are followed too. It does nothing
unless PROOF_TRACE names a folder. It needs nothing but the standard library.
"""

import contextlib
import os
import re
import socket
import sys
import uuid
from typing import Any

LOCAL = {None, "", "localhost", "0.0.0.0", "::1", "::", b"localhost", socket.gethostname()}

METADATA = re.compile(r"/importlib[/_]metadata/")  # looks for packages where modules are


def is_local(host: object) -> bool:
    """Whether a host is this machine."""
    text = host.decode() if isinstance(host, bytes) else host
    return text in LOCAL or (isinstance(text, str) and text.startswith("127."))


def start(folder: str) -> None:
    """Write a line for each file and folder that is opened and each module that is imported.

    Kinds: `file`, or `text` where the source of a module was opened, but not to run it; `list`, or
    `walk` where it was not to find modules; `import`; `copy`, with both paths; `blind`.
    """
    name = os.path.join(folder, f"{os.getpid()}-{uuid.uuid4().hex}")
    stream = os.open(name, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    seen: set[tuple[str, str]] = set()

    def write(kind: str, text: str) -> None:
        if (kind, text) not in seen:
            seen.add((kind, text))
            os.write(stream, f"{kind}\t{text}\n".encode(errors="surrogateescape"))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.abspath(os.fsdecode(arguments[0]))
            caller = sys._getframe(1).f_code.co_filename
            code = path.endswith(".py") and not caller.startswith("<frozen importlib")
            write("text" if code else "file", path)
        elif event == "compile" and str(arguments[1]).endswith(".py"):
            write("file", os.path.abspath(str(arguments[1])))
        elif event in ("os.listdir", "os.scandir") and not isinstance(arguments[0], int):
            # The import system lists whole folders to find one module: the `import` tells which.
            caller = sys._getframe(1).f_code.co_filename.replace(os.sep, "/")
            if not (caller.startswith("<frozen importlib") or METADATA.search(caller)):
                kind = "list" if caller.endswith("/pkgutil.py") else "walk"
                write(kind, os.path.abspath(os.fsdecode(arguments[0] or ".")))
        elif event == "shutil.copyfile":
            source, target = (os.path.abspath(os.fsdecode(one)) for one in arguments)
            write("copy", f"{source}\t{target}")
        elif event == "import":
            write("import", arguments[0])
        elif event == "subprocess.Popen":
            program, environment = os.fsdecode(arguments[0] or ""), arguments[3]
            python = os.path.basename(program).startswith("python")
            if python and environment is not None and "PROOF_TRACE" not in map(str, environment):
                write("blind", program)
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            if not is_local(arguments[1][0]):
                raise PermissionError(f"the proof has no network: {arguments[1]}")
        elif event == "socket.getaddrinfo" and not is_local(arguments[0]):
            raise PermissionError(f"the proof has no network: {arguments[0]}")

    sys.addaudithook(hook)


if __name__ != "__main__" and os.environ.get("PROOF_TRACE"):
    with contextlib.suppress(FileNotFoundError):  # the check is over, a straggler starts
        start(os.environ["PROOF_TRACE"])
