"""The command line: `mlmw new`, `recipes` and `doctor`; `cli_projects` has the other commands.

Each command imports what it needs when it runs, so that the help comes at once.
"""

import functools
import gc
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

from mlmw import __version__, cli_data, cli_projects, completion
from mlmw.errors import MlmwError, Refusal

INTERRUPTED = 130  # 128 + SIGINT, as shells count

app = typer.Typer(
    name="mlmw",
    rich_markup_mode=None,  # plain help comes in half the time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mlmw {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Make machine-learning projects that train, test and explain a model from the first minute.

    \b
    Examples:
      mlmw doctor
      mlmw new my-project
      mlmw recipes
      mlmw update
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("new", short_help="Make a project.")
def new_command(
    path: Annotated[
        str | None, typer.Argument(metavar="PATH", help="The folder to make.", show_default=False)
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RECIPE",
            help="Start with this recipe; may repeat or take commas.",
            autocompletion=completion.recipe,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Name of the project [PATH's last part].")
    ] = None,
    package: Annotated[
        str | None, typer.Option(metavar="NAME", help="Python package [made from the name].")
    ] = None,
    description: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What it is for, in one sentence.")
    ] = None,
    author: Annotated[str | None, typer.Option(metavar="TEXT", help="Who writes it.")] = None,
    email: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="The author's e-mail address.")
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(
            "--licence",
            "--license",
            metavar="NAME",
            help="MIT, Apache-2.0, BSD-3-Clause or none [MIT].",
            autocompletion=completion.licence,
        ),
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="Oldest Python that it must run on: 3.11, 3.12 or 3.13 [3.11].",
            autocompletion=completion.python,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Make it for this file: CSV, TSV, JSON lines, Parquet."),
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="What to predict from it [proposed].")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="TASK", help="classification or regression [as the target looks]."),
    ] = None,
    data_by: Annotated[
        str, typer.Option(metavar="WAY", help="Bring the file by copy, link or reference.")
    ] = "copy",
    yes: Annotated[
        bool, typer.Option("--yes", help="Take what was found in the file as it is.")
    ] = False,
    template: Annotated[
        str | None,
        typer.Option(metavar="SRC", help="Another template: URL, Git repository or bundle."),
    ] = None,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="Ask nothing; what is not given keeps its default.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be made; write nothing.")
    ] = False,
    no_git: Annotated[
        bool, typer.Option("--no-git", help="Make no Git repository and no first commit.")
    ] = False,
) -> None:
    """Make a project at PATH: a folder that is not there yet or empty, and not the current one.

    At a terminal it asks for what is not given; in a pipe, or with --defaults, it asks nothing.

    \b
    Examples:
      mlmw new my-project
      mlmw new my-project --recipe tabular --defaults
      mlmw new churn --data customers.csv --target churned
      mlmw new my-project --name "Churn 2030" --licence none --dry-run
    """
    ask = not defaults and sys.stdin.isatty() and sys.stdout.isatty()
    if path is None:
        if not ask:
            raise Refusal("PATH", "it is missing", "name the folder to make: mlmw new my-project")
        from mlmw.wizard import ask_path

        path = ask_path()
    from mlmw.new import Options, new, preview

    options = Options(
        recipes=recipe or (),
        name=name,
        package=package,
        description=description,
        author=author,
        email=email,
        licence=licence,
        python=python,
        data=data,
        target=target,
        task=task,
        data_by=data_by,
        yes=yes,
        template=template,
        ask=ask,
        with_git=not no_git,
    )
    (preview if dry_run else new)(path, options)


@app.command("recipes", short_help="List the recipes, or show one of them.")
def recipes_command(
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE",
            help="Show all about this one.",
            show_default=False,
            autocompletion=completion.any_recipe,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the recipes that a project can start with, or show one of them.

    \b
    Examples:
      mlmw recipes
      mlmw recipes tabular
      mlmw recipes --json
    """
    from mlmw import catalogue, listing

    recipes = catalogue.load_catalogue()
    if recipe is None:
        print(listing.as_json(recipes) if json else listing.overview(recipes))
        return
    chosen = catalogue.find(recipe, recipes)
    print(listing.as_json(chosen) if json else listing.details(chosen))


@app.command("doctor", short_help="Tell which tools are here, and how to get the others.")
def doctor_command(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell which tools are here, what is missing, which recipes want it and how to get it.

    Exit codes: 0 nothing that every project requires is missing, 1 something is.

    \b
    Examples:
      mlmw doctor
      mlmw doctor --json
    """
    from pathlib import Path

    from mlmw import doctor

    findings = doctor.examine(Path.cwd())
    print(doctor.as_json(findings) if json else doctor.text(findings))
    raise typer.Exit(0 if doctor.healthy(findings) else 1)


cli_projects.register(app)
cli_data.register(app)


_command = functools.cache(typer.main.get_command)  # many command lines may run in one process


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; whatever fails is told in one line."""
    try:
        code = _command(app).main(list(arguments), prog_name="mlmw", standalone_mode=False)
    except MlmwError as error:
        return _fail(str(error), error.exit_code)
    except TyperException as error:  # a usage error, told in Typer's words
        words = " ".join(error.format_message().split()).rstrip(".")
        known = [command.name for command in app.registered_commands]
        parts = ["mlmw", *(part for part in arguments[:1] if part in known), "--help"]
        words = f"{words[:1].lower()}{words[1:]}".replace(". Did you mean", "; did you mean")
        return _fail(f"{words} (see '{' '.join(parts)}')", error.exit_code)
    except (Abort, KeyboardInterrupt):
        code = INTERRUPTED
    if code == INTERRUPTED:
        how = "nothing half-made is left; run it again"
        if {*arguments[:2]} & {"update", "add", "remove", "refresh"}:
            how = "mlmw status tells how it is"
        return _fail(f"interrupted: {how}", INTERRUPTED)
    return int(code or 0)


def _fail(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


def main() -> None:
    """Entry point of the `mlmw` script."""
    if isinstance(sys.stdout, TextIOWrapper):  # names that this terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough: `mlmw recipes | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    if "duckdb" not in sys.modules:  # its bindings complain about what was not collected
        gc.freeze()  # nothing left to collect is worth a collection at exit
    sys.exit(code)
