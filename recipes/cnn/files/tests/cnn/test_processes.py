"""Several processes: killed and resumed, or side by side, they end with the weights of one."""

import multiprocessing
import os
import random
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from my_project.commands import train as command
from my_project.data.cnn import Data
from my_project.models.cnn import read_tensors
from my_project.runs import Run
from my_project.training.cnn import Config, train
from my_project.utils.errors import UserError

# A server that has torch imported forks each process in no time; Windows can only start anew.
FORKSERVER = "forkserver" in multiprocessing.get_all_start_methods()
CONTEXT = multiprocessing.get_context("forkserver" if FORKSERVER else "spawn")
KILLS = int(os.environ.get("KILLS", "3"))  # KILLS=50 pytest -k killed takes half a minute
IN_FLOAT64 = """
import torch
torch.cpu.get_capabilities = dict  # no bfloat16
torch.set_default_dtype(torch.float64)
from my_project.cli import run
run()
"""


def train_in(folder: Path, resume: bool) -> Any:
    """Start `python -m my_project train cnn` in `folder`."""
    before = Path.cwd()
    os.chdir(folder)
    if FORKSERVER:
        modules = ["my_project.training.cnn", "torch._dynamo"]
        multiprocessing.set_forkserver_preload(modules)
    process = CONTEXT.Process(target=command.main, args=("cnn", None, None, resume))  # type: ignore[attr-defined]
    process.start()
    os.chdir(before)
    return process


def new_project(folder: Path, **settings: object) -> Path:
    """A folder in which to train a small network on the CPU, which all promises hold for."""
    (folder / "experiments").mkdir(parents=True)
    small = {"width": 4, "device": '"cpu"'}
    lines = [f"{key} = {value}" for key, value in (small | settings).items()]
    (folder / "experiments/cnn.toml").write_text("\n".join(lines), encoding="utf-8")
    return folder


def history(folder: Path) -> str:
    return (only_run(folder).folder / "history.jsonl").read_text(encoding="utf-8")


def only_run(folder: Path) -> Run:
    [path] = (folder / "experiments/runs").glob("cnn-*")
    return Run(path)


def test_killed_again_and_again_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = new_project(tmp_path / "whole", epochs=KILLS + 2)
    killed = new_project(tmp_path / "killed", epochs=KILLS + 2, checkpoint_seconds=0)
    train_in(whole, False).join()
    moments, positions = random.Random(0), []
    for kill in range(KILLS):
        process = train_in(killed, kill > 0)
        while not (checkpoints := list(killed.glob("experiments/runs/*/checkpoint"))):
            time.sleep(0.001)
        for _ in range(moments.randint(1, 5)):  # so many checkpoints, on a machine of any speed
            before = checkpoints[0].stat().st_mtime_ns
            while process.is_alive() and checkpoints[0].stat().st_mtime_ns == before:
                time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.002))
        process.kill()  # SIGKILL: nothing is tidied up
        process.join()
        positions.append(read_tensors(checkpoints[0])[1]["position"])
    assert len(set(positions)) == KILLS, "each process must have come further than the one before"
    train_in(killed, True).join()
    assert only_run(killed).metadata["model_sha256"] == only_run(whole).metadata["model_sha256"]
    assert only_run(killed).metrics == only_run(whole).metrics
    assert history(killed) == history(whole)


def test_a_checkpoint_of_other_data_is_refused(digits: Data, quick: Config, run: Run) -> None:
    often = quick.model_copy(update={"checkpoint_seconds": 0.0})
    train(often, digits, run)
    other = replace(digits, sha256="0" * 64)
    changed = "checkpoint: data or configuration have changed"
    with pytest.raises(UserError, match=changed):
        train(often, other, run)
    with pytest.raises(UserError, match=changed):
        train(often.model_copy(update={"width": 5}), digits, run)


def test_a_run_has_one_writer_and_can_be_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(new_project(tmp_path, epochs=2))
    with monkeypatch.context() as failing:
        failing.setattr(sys.modules[train.__module__], "evaluate", lambda *_: 1 / 0)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                command.main("cnn")
    older, newer = sorted(Path("experiments/runs").iterdir())
    with FileLock(older / ".lock0"), pytest.raises(UserError, match=f"{older.name}: another"):
        command.main("cnn", folder=older)
    assert (older / "checkpoint").exists()
    command.main("cnn", folder=older)
    assert (older / "metadata.json").exists()
    assert not (newer / "metadata.json").exists()
    with pytest.raises(UserError, match=f"{older.name}: no run was stopped that can be resumed"):
        command.main("cnn", folder=older)


def test_a_training_that_diverged_is_not_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(new_project(tmp_path, epochs=1, learning_rate=1e30, checkpoint_seconds=0))
    with pytest.raises(UserError, match="loss not finite"):
        command.main("cnn")
    assert (only_run(tmp_path).folder / "checkpoint.diverged").exists()
    with pytest.raises(UserError, match="one that diverged cannot"):
        command.main("cnn", resume=True)


def test_a_checkpoint_is_whole_or_not_there(
    digits: Data, quick: Config, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        train(quick, digits, run)
    assert not run.checkpoint.exists()


def test_two_processes_end_with_the_weights_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    one, two = (new_project(tmp_path / name, epochs=2) for name in ("one", "two"))
    processes = []
    for rank in range(2):
        variables = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
        environment = {name: str(value) for name, value in variables.items()}
        environment |= {"MASTER_ADDR": "127.0.0.1", "PYTHONPATH": os.pathsep.join(sys.path)}
        arguments = [sys.executable, "-c", IN_FLOAT64, "train", "cnn"]
        processes.append(subprocess.Popen(arguments, cwd=two, env=os.environ | environment))
    monkeypatch.chdir(one)
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    try:
        torch.set_default_dtype(torch.float64)
        command.main("cnn")
    finally:
        torch.set_default_dtype(torch.float32)
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    [wanted, found] = (
        read_tensors(only_run(folder).model / "model.safetensors")[0] for folder in (one, two)
    )
    # What differs is the order of sums. In float32 its rounding may turn a ReLU on or off, and
    # 32 steps make 0.01 of it; in float64 next to nothing is left.
    for name in wanted.keys() - {name for name in wanted if "num_batches" in name}:
        torch.testing.assert_close(found[name], wanted[name], rtol=0, atol=1e-9, msg=name)
    assert history(one).count("step") == history(two).count("step") == 2
