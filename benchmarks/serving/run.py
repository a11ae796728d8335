"""Requests per second and latency of a project's service beside three peers.

    python benchmarks/serving/run.py [--rounds N] [--seconds S] [--clients C] [--workers W]

One tabular project is made, set up and trained below build/benchmarks/; every server loads that one
scikit-learn model, in an environment of its own that holds the project and the peer. The same
client asks all: C connections, each of which sends the next row when it has the answer to the last.
The servers take turns, round by round, so that a slow minute of the machine hits all alike.
"""

import argparse
import asyncio
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "benchmarks"
PROJECT = WORK / "project"
PEERS = {"mlflow": "mlflow==3.17.2", "bentoml": "bentoml==1.4.39", "litserve": "litserve==0.2.19"}
MODEL_PACKAGES = ("numpy", "pandas", "scikit-learn", "scipy")
SAVE = """
import sys, mlflow.sklearn
from pathlib import Path
from my_project.models.tabular import Model
model = Model.load(Path(sys.argv[1]))
options = {"serialization_format": "cloudpickle", "pyfunc_predict_fn": "predict_proba"}
mlflow.sklearn.save_model(model.pipeline, sys.argv[2], pip_requirements=[], **options)
"""


@dataclass
class Contender:
    """A server: how to start it, what to ask it, and what was measured."""

    name: str
    python: Path
    command: list[str]
    path: str
    body: Callable[[dict[str, Any]], dict[str, Any]]
    port: int
    probability: Callable[[Any], float]
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    processor: float = 0  # seconds

    def start(self, model: Path, workers: int) -> "subprocess.Popen[bytes]":
        """Start the process, in a group of its own."""
        scripts = str(self.python.parent)
        more = {
            "MODEL": str(model),
            "WORKERS": str(workers),
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        }
        more |= {
            "DO_NOT_TRACK": "1",
            "BENTOML_DO_NOT_TRACK": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        log = (WORK / f"{self.name.split()[0]}.log").open("wb")
        words = [scripts + "/" + self.command[0], *self.command[1:]]
        return subprocess.Popen(
            words,
            cwd=PROJECT,
            env=os.environ | more,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def message(self, row: dict[str, Any]) -> bytes:
        """Return a whole HTTP request."""
        content = json.dumps(self.body(row)).encode()
        head = f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        return head.encode() + content


class Client(asyncio.Protocol):
    """One connection that asks again as soon as it is answered, until the end."""

    def __init__(self, messages: list[bytes], end: float) -> None:
        self.messages, self.end, self.number = messages, end, 0
        self.latencies: list[float] = []
        self.buffer = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self.transport = transport
        self._ask()

    def _ask(self) -> None:
        self.started = time.perf_counter()
        self.transport.write(self.messages[self.number % len(self.messages)])
        self.number += 1

    def data_received(self, data: bytes) -> None:
        """Go on when an answer is complete; chunked ones end with an empty chunk."""
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        if b"content-length: " in lower:
            complete = len(body) >= int(lower.split(b"content-length: ")[1].split(b"\r\n")[0])
        else:
            complete = body.endswith(b"0\r\n\r\n")
        if complete:
            now = time.perf_counter()
            if b" 200 " not in head[:20]:
                self.done.set_exception(RuntimeError(self.buffer.decode()))
                return
            self.latencies.append(now - self.started)
            self.buffer = b""
            if now < self.end:
                self._ask()
            else:
                self.transport.close()
                self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail if the server hangs up in the middle."""
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server hung up"))


async def load(
    contender: Contender, rows: list[dict[str, Any]], clients: int, seconds: float
) -> list[float]:
    """Ask for some seconds; return the time of each request, in seconds."""
    messages, loop = [contender.message(row) for row in rows], asyncio.get_running_loop()
    end = time.perf_counter() + seconds

    async def one() -> Client:
        _, client = await loop.create_connection(
            lambda: Client(messages, end), "127.0.0.1", contender.port
        )
        await client.done
        return client

    asked = await asyncio.gather(*(one() for _ in range(clients)))
    return [latency for client in asked for latency in client.latencies]


def ask(contender: Contender, row: dict[str, Any]) -> Any:
    """Ask once, by the standard library."""
    url = f"http://127.0.0.1:{contender.port}{contender.path}"
    request = urllib.request.Request(url, json.dumps(contender.body(row)).encode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def run(*command: object, **options: Any) -> str:
    """Run a command that must succeed; return what it prints."""
    words = [str(word) for word in command]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def prepare() -> Path:
    """Make the project, its run and the environments, once; return the folder of the model."""
    if not PROJECT.exists():
        recipes = ["--recipe=tabular", "--recipe=serving"]
        options = ["--name=My project", "--defaults", "--no-git", *recipes]
        run(sys.executable, "-m", "mlmw", "new", PROJECT, *options)
    run("make", "setup", cwd=PROJECT)
    for peer, requirement in PEERS.items():
        python = WORK / peer / "bin/python"
        if not python.exists():
            print(f"Making an environment with {peer} ...", flush=True)
            run(sys.executable, "-m", "venv", WORK / peer)
            pip = [python, "-m", "pip", "install", "--quiet", "--quiet"]
            run(*pip, *same_versions(), "-e", PROJECT, requirement)
    python = PROJECT / ".venv/bin/python"
    if not (PROJECT / "experiments/runs").exists():
        run(python, "-m", "my_project", "train", cwd=PROJECT)
    [model] = (PROJECT / "experiments/runs").glob("*/model")
    saved = WORK / "mlflow-model"
    shutil.rmtree(saved, ignore_errors=True)
    run(WORK / "mlflow/bin/python", "-c", SAVE, model, saved, cwd=WORK)
    return model


def same_versions() -> list[str]:
    """Return what the model computes with, pinned as the project pins it."""
    lines = (PROJECT / "envs/constraints.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line.split("==")[0] in MODEL_PACKAGES]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def contenders(workers: int) -> list[Contender]:
    """The project's service first, then the peers, each as its documentation starts it."""
    ports = [str(free_port()) for _ in range(4)]
    folder = Path(__file__).parent
    own = ["python", "-m", "my_project", "serve", "--port", ports[0], f"--workers={workers}"]
    mlflow = [
        "mlflow",
        "models",
        "serve",
        "-m",
        str(WORK / "mlflow-model"),
        "--env-manager=local",
        f"--workers={workers}",
    ]
    bento = ["bentoml", "serve", "bentoml_service:Service", "--working-dir", str(folder)]
    lit = ["python", str(folder / "litserve_server.py"), ports[3]]
    found = [
        ("this service", PROJECT / ".venv/bin/python", own, "/predict", lambda row: row),
        (
            "mlflow models serve",
            WORK / "mlflow/bin/python",
            [*mlflow, "-h", "127.0.0.1", "-p", ports[1]],
            "/invocations",
            lambda row: {"dataframe_records": [row]},
        ),
        (
            "BentoML",
            WORK / "bentoml/bin/python",
            [*bento, "--host", "127.0.0.1", "-p", ports[2]],
            "/predict",
            lambda row: {"rows": [row]},
        ),
        ("LitServe", WORK / "litserve/bin/python", lit, "/predict", lambda row: row),
    ]
    readers: list[Callable[[Any], float]] = [
        lambda answer: float(answer["probabilities"]["malignant"]),
        lambda answer: float(answer["predictions"][0][1]),
        lambda answer: float(answer[0]["probabilities"]["malignant"]),
        lambda answer: float(answer["probabilities"]["malignant"]),
    ]
    return [
        Contender(*facts, int(port), reader)
        for facts, port, reader in zip(found, ports, readers, strict=True)
    ]


def processor_time(server: int) -> float:
    """Return the seconds of processor time that a server and its children took; on Linux."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            facts = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        parents[int(path.parent.name)] = int(facts[1])
        ticks[int(path.parent.name)] = int(facts[11]) + int(facts[12])
    family = {server}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(ticks[member] for member in family) / os.sysconf("SC_CLK_TCK")


def wait_until_ready(contender: Contender, row: dict[str, Any]) -> Any:
    """Ask until there is an answer, for two minutes at most."""
    end = time.monotonic() + 120
    while True:
        try:
            return ask(contender, row)
        except OSError as error:
            if time.monotonic() > end:
                raise SystemExit(f"{contender.name}: no answer: {error}; see {WORK}") from None
            time.sleep(0.5)


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of all lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def print_environment(options: argparse.Namespace) -> None:
    """What the numbers hold for."""
    code = "import importlib.metadata as m; print(m.version('{}'))"
    versions = {
        peer: run(WORK / peer / "bin/python", "-c", code.format(peer)).strip() for peer in PEERS
    }
    names = ("fastapi", "uvicorn", "scikit-learn")
    python = PROJECT / ".venv/bin/python"
    versions |= {name: run(python, "-c", code.format(name)).strip() for name in names}
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    print(f"{system}, Python {platform.python_version()}")
    print(", ".join(f"{name} {number}" for name, number in versions.items()))
    rounds = f"{options.rounds} rounds of {options.seconds:g} s, workers each: {options.workers}"
    print(f"{options.clients} connections, {rounds}, the client on the same machine")
    print("load of the machine before: {:.2f} {:.2f} {:.2f}\n".format(*os.getloadavg()), flush=True)


def main() -> None:
    """Start all, compare their answers, take turns, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2, help="processes that predict, each")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    model = prepare()
    lines = (model.parent / "examples.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    print_environment(options)
    chosen, processes = contenders(options.workers), []
    try:
        for contender in chosen:
            processes.append(contender.start(model, options.workers))
        answers = [one.probability(wait_until_ready(one, rows[0])) for one in chosen]
        assert max(answers) - min(answers) < 1e-9, f"the servers differ: {answers}"
        for number in range(options.rounds + 1):
            pairs = list(zip(chosen, processes, strict=True))
            for contender, process in pairs if number % 2 else pairs[::-1]:
                seconds = options.seconds if number else 1
                before = processor_time(process.pid)
                latencies = asyncio.run(load(contender, rows, options.clients, seconds))
                if number:  # the first round warms up
                    contender.processor += processor_time(process.pid) - before
                    contender.rates.append(len(latencies) / seconds)
                    contender.latencies += latencies
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGTERM)
        for process in processes:
            process.wait(timeout=60)
    print("| server | requests/s (lowest to highest round) | p50 ms | p99 ms | ratio | CPU ms |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for one in chosen:
        ratio = statistics.median(a / b for a, b in zip(chosen[0].rates, one.rates, strict=True))
        rates = f"{statistics.median(one.rates):.0f} ({min(one.rates):.0f} to {max(one.rates):.0f})"
        p50, p99 = (1000 * percentile(one.latencies, share) for share in (0.5, 0.99))
        cost = 1000 * one.processor / len(one.latencies)
        print(f"| {one.name} | {rates} | {p50:.1f} | {p99:.1f} | {ratio:.2f} | {cost:.2f} |")
    print("\nload of the machine after: {:.2f} {:.2f} {:.2f}".format(*os.getloadavg()))


if __name__ == "__main__":
    main()
