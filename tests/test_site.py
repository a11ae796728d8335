"""The documentation's site: built strictly, with small pictures that are all used."""

import re
import subprocess
import sys
from pathlib import Path

from projects import ROOT

DOCS = ROOT / "docs"


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-nW",
        "--keep-going",
        "-d",
        str(target) + ".d",
    ]
    return subprocess.run(
        [*command, str(source), str(target)], capture_output=True, text=True, check=False
    )


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    done = build(DOCS, tmp_path / "site")
    assert (done.returncode, done.stderr) == (0, "")
    pages = {path.stem for path in (tmp_path / "site").glob("*.html")}
    assert {path.stem for path in DOCS.glob("*.md")} <= pages


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    (source / "conf.py").write_text((DOCS / "conf.py").read_text(encoding="utf-8"))
    (source / "pictures").mkdir()
    (source / "index.md").write_text("# Here\n\n[there](nowhere.md), [above](#nothing)\n")
    done = build(source, tmp_path / "site")
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr
    assert "nothing" in done.stderr


def test_pictures_are_small_and_used() -> None:
    text = "".join(
        path.read_text(encoding="utf-8") for path in [*DOCS.rglob("*.md"), ROOT / "README.md"]
    )
    pictures = list((DOCS / "pictures").iterdir())
    assert [path.name for path in pictures if path.stat().st_size > 60_000] == []
    assert [path.name for path in pictures if f"pictures/{path.name}" not in text] == []


def test_the_commands_of_projects_that_are_shown_exist() -> None:
    """With their options; the tutorial and the projects' own pages are run, these are not."""
    sources = {
        path.stem.replace("_", "-"): path.read_text(encoding="utf-8")
        for place in ("template/src/*", "recipes/*/files/src/*", "docs/example/*/files/src/*")
        for path in ROOT.glob(f"{place}/commands/*.py")
    }
    tools = {"pip", "pytest", "ruff", "sphinx"}
    shown, wrong = 0, []
    for page in [*DOCS.rglob("*.md"), ROOT / "README.md"]:
        text = page.read_text(encoding="utf-8")
        for line, package, command in re.findall(r"(python -m (\w+) ([a-z][\w-]+)[^`#\n]*)", text):
            source = sources.get(command, "")
            options = re.findall(r" --([a-z-]+)", line)
            found = [re.search(rf'"--{o}"|\b{o.replace("-", "_")}: ', source) for o in options]
            if package not in tools:
                shown += 1
                if not (source and all(found)):
                    wrong.append(f"{page.name}: {line}")
    assert shown > 5
    assert wrong == []
