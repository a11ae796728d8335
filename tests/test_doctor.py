"""`mlmw doctor` with tools that pretend: what it says, and with which exit code."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from conftest import Mlmw

from mlmw import doctor
from mlmw.catalogue import load_catalogue

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the pretended tools are shell scripts")

Tools = Callable[..., None]
SOUND = {
    "git": 'case "$1" in -c) echo "$4 <$2> 17 +0100";; *) echo git version 2.45.1;; esac',
    "python3": "echo Python 3.12.4",
    "uv": "echo uv 0.9.2",
    "make": "echo GNU Make 4.4",
    "docker": "echo 28.0.1",
    "nvidia-smi": "echo NVIDIA H100, 580.10",
}


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """Puts only these tools into PATH; all are sound but for those given, `None` for none."""

    def pretend(other: Mapping[str, str | None] | None = None) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name, script in (SOUND | dict(other or {})).items():
            if script is not None:
                (folder / name).write_text(f"#!/bin/sh\n{script}\n")
                (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        monkeypatch.delenv("BOOTSTRAP_PYTHON", raising=False)
        monkeypatch.setattr(sys, "platform", "linux")

    return pretend


def line(output: str, tool: str) -> str:
    (found,) = re.findall(rf"^  (?:ok|missing|optional) +{tool} .*$", output, re.MULTILINE)
    return str(found)


def test_all_is_well(tools: Tools, mlmw: Mlmw) -> None:
    tools()
    result = mlmw("doctor")
    assert (result.code, result.err) == (0, "")
    assert line(result.out, "git").split() == ["ok", "git", "git", "version", "2.45.1"]
    assert line(result.out, "identity").endswith("GIT_AUTHOR_IDENT <user.useConfigOnly=true>")
    assert line(result.out, "docker").endswith("engine 28.0.1; wanted by serving, mlflow")
    assert line(result.out, "gpu").endswith("NVIDIA H100, 580.10 (CUDA); wanted by cnn")
    assert result.out.endswith("\nNothing required is missing.\n")


@pytest.mark.parametrize(
    ("tool", "script", "code", "state", "words"),
    [
        ("git", None, 1, "missing", "not found; git 2.38 or newer"),
        ("git", "echo git version 2.37.9", 1, "missing", "2.37.9; git 2.38 or newer"),
        ("git", "echo 'git version 2.38.0.windows.1'", 0, "ok", "2.38.0"),
        ("python3", None, 1, "missing", "python3: not found; projects need Python 3.11 or newer"),
        ("python3", "echo Python 3.10.14", 1, "missing", "Python 3.10.14; projects need"),
        ("uv", None, 0, "optional", "pip does its work, more slowly"),
        ("uv", "exit 3", 0, "optional", "ended with code 3"),
        ("make", None, 0, "optional", "README has the same commands"),
        ("docker", None, 0, "optional", "not found; wanted by serving, mlflow; only for"),
        ("docker", "echo no daemon >&2; exit 1", 0, "optional", "no engine answers the client"),
        ("nvidia-smi", None, 0, "optional", "none: nvidia-smi: not found; wanted by cnn"),
    ],
)
def test_one_tool(
    tool: str, script: str | None, code: int, state: str, words: str, tools: Tools, mlmw: Mlmw
) -> None:
    tools({tool: script})
    result = mlmw("doctor")
    assert (result.code, result.err) == (code, "")
    told = line(result.out, {"python3": "python", "nvidia-smi": "gpu"}.get(tool, tool))
    assert told.split()[0] == state
    assert words in told


def test_a_tool_that_hangs_is_not_waited_for(tools: Tools, mlmw: Mlmw) -> None:
    tools({"docker": "exec /bin/sleep 60", "make": "exec /bin/sleep 60"})
    started = time.monotonic()
    result = mlmw("doctor")
    assert time.monotonic() - started < 30
    assert result.code == 0
    assert f"gave no answer within {doctor.LIMIT} s" in line(result.out, "make")


def test_unknown_identity_is_told_with_the_commands(tools: Tools, mlmw: Mlmw) -> None:
    tools({"git": '[ "$1" = --version ] && echo git version 2.45.1'})
    result = mlmw("doctor")
    assert result.code == 0
    assert "git config --global user.name" in line(result.out, "identity")


def test_identity_from_the_environment(mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Ada Lovelace")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "ada@example.org")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Ada Lovelace")
    assert line(mlmw("doctor").out, "identity").split()[0] == "optional"
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "ada@example.org")
    assert line(mlmw("doctor").out, "identity").endswith("Ada Lovelace <ada@example.org>")


def test_little_disk(tools: Tools, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch) -> None:
    tools()
    for free, code, state in ((0.4e9, 1, "missing"), (2e9, 0, "optional"), (9e9, 0, "ok")):
        usage = type("Usage", (), {"free": free})
        monkeypatch.setattr("shutil.disk_usage", lambda folder, usage=usage: usage)
        result = mlmw("doctor")
        assert (result.code, line(result.out, "disk").split()[0]) == (code, state)


def test_json(tools: Tools, mlmw: Mlmw) -> None:
    tools({"git": None})
    result = mlmw("doctor", "--json")
    assert result.code == 1
    found = {one["tool"]: one for one in json.loads(result.out)}
    assert list(found) == ["git", "identity", "python", "uv", "make", "docker", "gpu", "disk"]
    assert (found["git"]["ok"], found["git"]["required"]) == (False, True)
    assert found["docker"]["recipes"] == ["serving", "mlflow"]


def test_apple_silicon(tools: Tools, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch) -> None:
    tools({"nvidia-smi": None})
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert "Apple silicon (MPS)" in line(mlmw("doctor").out, "gpu")


def test_recipes_name_only_tools_that_are_looked_for() -> None:
    wanted = {tool for recipe in load_catalogue() for tool in recipe.tools}
    assert wanted <= {finding.tool for finding in doctor.examine(Path.cwd())}
