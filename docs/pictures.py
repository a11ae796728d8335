"""Make the pictures and the gallery of this documentation, from the real programs.

    python docs/pictures.py [PART ...]

Terminals are recorded at a pseudo-terminal and written as SVG. The projects of the gallery are
made, trained and reported below build/gallery/; their environments are linked from that of the
proof, which `python tests/prove.py --only none --check imports` makes. The picture of MLflow's
pages takes Chromium.
"""

import argparse
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent / "tests"))

from projects import Project, choices  # noqa: E402
from proof.environment import Packages, derive, requirements, tool_environment  # noqa: E402
from pyte.screens import Char  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.style import Style  # noqa: E402
from rich.text import Text  # noqa: E402
from terminal import CLEAR, DOWN, ENTER, MLMW, SPACE, Terminal  # noqa: E402
from walkthrough import free_port  # noqa: E402

PICTURES = DOCS / "pictures"
GALLERY = DOCS.parent / "build" / "gallery"
EVERYTHING = Project(tuple(choices()))
# Rich's own drawing asks a server for its font; this one takes the reader's.
SVG = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, Menlo, Consolas,
"DejaVu Sans Mono", monospace; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


@dataclass(frozen=True)
class Shown(Project):
    """A project of the gallery."""

    name: str = ""
    caption: str = ""
    figures: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where it is."""
        return GALLERY / self.name


PROJECTS = [
    Shown(
        (),
        "digits",
        "Without a recipe: softmax regression, written from scratch in NumPy",
        ("confusion_matrix",),
    ),
    Shown(
        ("tabular", "serving"),
        "tumours",
        "A table and a service",
        ("permutation_importance", "calibration_curve"),
    ),
    Shown(
        ("cnn",),
        "images",
        "Images with a residual network in PyTorch",
        ("confusion_matrix", "learning_curve"),
    ),
    Shown(("tabular", "mlflow", "prefect"), "flows", "The same table, tracked and on a schedule"),
]


def style_of(character: Char) -> Style:
    """How a character of the terminal looks."""
    colour = None if character.fg == "default" else character.fg.replace("brown", "yellow")
    if colour and re.fullmatch("[0-9a-f]{6}", colour):
        colour = f"#{colour}"
    return Style(color=colour, bold=character.bold, reverse=character.reverse)


def draw(name: str, title: str, terminal: Terminal, last: int | None = None) -> None:
    """Write what a terminal shows as an SVG; of long outputs the last rows only."""
    rows = terminal.rows
    while rows and not any(character.data.strip() for character in rows[-1].values()):
        rows.pop()
    rows = rows[-last:] if last else rows
    console = Console(record=True, width=terminal.columns, file=open(os.devnull, "w"))  # noqa: SIM115
    for row in rows:
        text = Text()
        cells = [row[column] for column in range(terminal.columns)]
        for style, run in groupby(cells, key=style_of):
            text.append("".join(one.data for one in run), style)
        text.rstrip()
        console.print(text)
    path = PICTURES / f"{name}.svg"
    svg = console.export_svg(title=title, code_format=SVG, unique_id=name)
    path.write_text("".join(f"{line.rstrip()}\n" for line in svg.splitlines()), encoding="utf-8")
    print(f"{path.relative_to(DOCS.parent)}: {path.stat().st_size // 1000} kB")


def draw_command(name: str, command: str, folder: Path, **options: int) -> None:
    """Draw a prompt, a command as it is typed, and what it prints."""
    script = f"set -o pipefail; printf '$ %s\\n' {_quoted(command)}; {command}"
    last = options.pop("last", None)
    path = os.pathsep.join([str(folder / ".venv" / "bin"), tool_environment()["PATH"]])
    known = {"PATH": path, "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300"}
    with Terminal(["bash", "-c", script], environment=known, folder=folder, **options) as one:
        if one.finish(900):
            sys.exit(f"{command}: failed\n{one.history}")
        draw(name, folder.name, one, last)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


IDENTITY = "[user]\nname = Ada Lovelace\nemail = ada@example.org\n"


@contextmanager
def elsewhere() -> Iterator[tuple[Path, dict[str, str]]]:
    """An empty folder outside any repository, and variables with which git knows somebody."""
    with tempfile.TemporaryDirectory() as temporary:
        settings = Path(temporary) / "gitconfig"
        settings.write_text(IDENTITY, encoding="utf-8")
        folder = Path(temporary) / "work"
        folder.mkdir()
        yield folder, {"GIT_CONFIG_GLOBAL": str(settings), "PATH": tool_environment()["PATH"]}


def draw_new() -> None:
    """Answer the questions, look at what will be made, and make it."""
    with (
        elsewhere() as (folder, known),
        Terminal([*MLMW, "new", "churn"], 84, 30, known, folder) as terminal,
    ):
        terminal.answer("Which recipes", SPACE, DOWN, DOWN, SPACE)
        terminal.wait_for("● serving")
        draw("recipes", "mlmw new churn", terminal)
        terminal.answer("● serving", ENTER)
        for question in ("project called", "Python package"):
            terminal.answer(question, ENTER)
        terminal.answer("one sentence", CLEAR, "Tell which customers leave.", ENTER)
        for question in ("author?", "e-mail", "licence is it", "Oldest Python"):
            terminal.answer(question, ENTER)
        terminal.wait_for("Is everything right?")
        draw("new", "mlmw new churn", terminal)
        terminal.answer("Is everything right?", ENTER)
        if terminal.finish():
            sys.exit(terminal.history)
        draw("made", "mlmw new churn", terminal, last=20)


def draw_doctor() -> None:
    """What is here."""
    command = [str(Path(sys.executable).with_name("mlmw")), "doctor"]
    with elsewhere() as (folder, known), Terminal(command, 92, 20, known, folder) as terminal:
        terminal.finish()
        draw("doctor", "mlmw doctor", terminal)


def make(project: Shown) -> None:
    """Make a project of the gallery anew, with an environment of links."""
    shutil.rmtree(project.folder, ignore_errors=True)
    options = [f"--recipe={name}" for name in project.recipes]
    command = [*MLMW, "new", str(project.folder), "--defaults", *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    packages = Packages(EVERYTHING.python)
    content = {"pyproject.toml": (project.folder / "pyproject.toml").read_bytes()}
    derive(project, packages, packages.closure(requirements(content)))


def work(project: Shown, *arguments: str) -> str:
    """Run one of a project's commands."""
    command = [str(project.python), *arguments]
    done = subprocess.run(command, cwd=project.folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def server(
    project: Shown, command: Sequence[str], address: str, **variables: str
) -> Iterator[None]:
    """A server of a project, up until the block ends."""
    process = subprocess.Popen(
        [str(project.python), "-m", project.name, *command],
        cwd=project.folder,
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        else:
            sys.exit(f"{address}: never answered")
        yield
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def shrink(source: Path, target: Path, python: Path) -> None:
    """Copy a picture with 64 colours, a third of the size."""
    code = "import sys; from PIL import Image; im = Image.open(sys.argv[1]).convert('RGB'); "
    code += "im.quantize(64).save(sys.argv[2], optimize=True)"
    subprocess.run([str(python), "-c", code, str(source), str(target)], check=True)
    print(f"{target.relative_to(DOCS.parent)}: {target.stat().st_size // 1000} kB")


def show_project(project: Shown) -> None:
    """Make a project, train and report, and draw what it prints."""
    make(project)
    if "prefect" in project.recipes:
        flow = f"python -m {project.name} flow 2>&1 | cut -c 1-110"
        draw_command("prefect", flow, project.folder, columns=112, lines=40, last=26)
    else:
        work(project, "-m", project.name, "train")
    work(project, "-m", project.name, "report")
    for figure in project.figures:
        (source,) = project.folder.glob(f"reports/*/{figure}.png")
        shrink(
            source, PICTURES / f"{project.name}-{figure.replace('_', '-')}.png", EVERYTHING.python
        )
    if "serving" in project.recipes:
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        with server(project, ["serve", "--port", str(port)], f"{address}/health/ready"):
            example = project.folder / "example.json"
            run = next(project.folder.glob("experiments/runs/*/examples.jsonl"))
            example.write_text(run.read_text(encoding="utf-8").partition("\n")[0], encoding="utf-8")
            ask = f"curl -s -d @example.json -H 'Content-Type: application/json' {address}/predict"
            draw_command("serving", f"{ask} | python -m json.tool", project.folder, columns=118)
    if "mlflow" in project.recipes:
        # At localhost MLflow covers a first visit with its assistant; here it is another machine.
        address = f"http://0.0.0.0:{(port := free_port())}"
        allowed = {"MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": address}
        with server(project, ["tracking-ui", "--port", str(port)], address, **allowed):
            database = sqlite3.connect(project.folder / "experiments/runs/mlflow/mlflow.db")
            ((run,),) = database.execute("select run_uuid from runs").fetchall()
            page = f"{address}/#/experiments/1/runs/{run}"
            screenshot(page, PICTURES / "mlflow.png")


def screenshot(address: str, path: Path) -> None:
    """A page as Chromium shows it."""
    quiet = ["--disable-gpu", "--no-sandbox", "--no-first-run", "--disable-background-networking"]
    subprocess.run(
        ["chromium", "--headless", *quiet, "--disable-sync", "--disable-component-update",
         "--window-size=1500,760", "--virtual-time-budget=20000", f"--screenshot={path}",
         f"--user-data-dir={GALLERY / 'chromium'}", address],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    shrink(path, path, EVERYTHING.python)


def results(project: Shown) -> str:
    """What `report` wrote into a project's README, without its pictures."""
    text = (project.folder / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"<!-- report:\w+ -->\n(.*?)<!-- /report", text, re.DOTALL)
    return re.sub(r"<p>\n.*?</p>\n\n", "", found[0], flags=re.DOTALL).strip()


def write_gallery() -> None:
    """The page of all projects, from what they are."""
    lines = [
        "# Gallery",
        "",
        "Projects as `mlmw new` makes them, and the results that `make report` put into",
        "READMEs: all of it made by `python docs/pictures.py`, from real runs. No number is typed.",
    ]
    for project in PROJECTS:
        options = "".join(f" --recipe {name}" for name in project.recipes)
        command = [*MLMW, "new", f"{project.name}", "--dry-run", "--defaults", *options.split()]
        shown = subprocess.run(
            command, cwd=DOCS, check=True, capture_output=True, encoding="utf-8"
        ).stdout
        tree, _, rest = shown.partition("\n\n")
        made = rest.partition("\n")[0].replace("Would make", "").partition(":")[0].strip()
        lines += ["", f"## {project.caption}", "", "```bash"]
        lines += [f"mlmw new {project.name}{options} --defaults", "```", "", results(project), ""]
        lines += [
            f"![{figure.replace('_', ' ')}](pictures/{project.name}-{figure.replace('_', '-')}.png)"
            for figure in project.figures
        ]
        lines += [
            "",
            f"Its package, of {made} in all:",
            "",
            "```text",
            *source_folders(tree),
            "```",
        ]
    (DOCS / "gallery.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def source_folders(tree: str) -> list[str]:
    """Of a tree the part that tells projects apart: the package."""
    lines = tree.splitlines()
    start = next(number for number, line in enumerate(lines) if line.endswith(" src/"))
    end = next(number for number, line in enumerate(lines) if line.endswith(" tests/"))
    return lines[start:end]


def main() -> None:
    """Make what was asked for, or everything."""
    parts: dict[str, Callable[[], None]] = {"new": draw_new, "doctor": draw_doctor}
    for project in PROJECTS:
        parts[project.name] = lambda project=project: show_project(project)  # type: ignore[misc]
    parts["gallery"] = write_gallery
    parser = argparse.ArgumentParser(description="Make the pictures and the gallery.")
    parser.add_argument("part", nargs="*", help=f"of {', '.join(parts)}; all of them by default")
    wanted = parser.parse_args().part or list(parts)
    PICTURES.mkdir(exist_ok=True)
    for part in wanted:
        if part not in parts:
            parser.error(f"no such part: {part}; give some of {', '.join(parts)}")
        parts[part]()


if __name__ == "__main__":
    main()
