"""The command line for projects that exist: status, update, add, remove; and the settings."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from mlmw import completion, progress
from mlmw.errors import MlmwError, Refusal

if TYPE_CHECKING:
    from mlmw.update import Outcome, Wanted

T = TypeVar("T")
Paths = Annotated[
    list[str] | None,
    typer.Argument(metavar="PATH", help="Projects [this folder].", show_default=False),
]
Projects = Annotated[
    list[str] | None,
    typer.Option("--project", metavar="PATH", help="The project [this folder]; may repeat."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Preview = Annotated[bool, typer.Option("--preview", help="Show the patch; change nothing.")]
Recipes = Annotated[
    list[str],
    typer.Argument(metavar="RECIPE", show_default=False, autocompletion=completion.recipe),
]


def status_command(path: Paths = None, json: Json = False) -> None:
    """Show a project's version and layers, how far behind it is, and what was changed in it.

    \b
    Examples:
      mlmw status
      mlmw status team/* --json
    """
    from mlmw import report
    from mlmw.status import status

    paths = path or ["."]
    states, errors = [], []
    for one in progress.over(paths, "status"):
        try:
            states.append(_step(status, one))
        except MlmwError as error:
            if len(paths) == 1:
                raise
            errors.append(error)
    print(report.as_json(states) if json else "\n\n".join(map(report.status_text, states)))
    for failed in errors:
        print(f"error: {failed}", file=sys.stderr)
    if errors:
        raise typer.Exit(max(failed.exit_code for failed in errors))


def update_command(
    path: Paths = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="This version [the newest].")
    ] = None,
    template: Annotated[
        str | None, typer.Option(metavar="SRC", help="Where the template is now [as recorded].")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only tell whether it is behind: exit code 1 if so.")
    ] = False,
    preview: Preview = False,
    abort: Annotated[
        bool, typer.Option("--abort", help="Bring back the state before the last update.")
    ] = False,
    go_on: Annotated[
        bool,
        typer.Option("--continue", help="Conclude an update that had conflicts or was killed."),
    ] = False,
    json: Json = False,
) -> None:
    """Bring projects to a newer version of their template, without losing anything of yours.

    The result is staged, not committed. Exit codes: 0 done, 1 behind (--check) or failed,
    2 refused and nothing changed, 3 conflicts, which are listed.

    \b
    Examples:
      mlmw update
      mlmw update --preview
      mlmw update --check team/*
      mlmw update --abort
    """
    modes = [name for name, given in {
        "--check": check, "--preview": preview, "--abort": abort, "--continue": go_on,
    }.items() if given]  # fmt: skip
    if len(modes) > 1 or (modes and modes[0] in ("--abort", "--continue") and (to or template)):
        given = " ".join([*modes, *(["--to"] if to else []), *(["--template"] if template else [])])
        raise Refusal(given, "these do not go together", "give one of them")
    from mlmw import checks, conclude, source, update

    if template is not None:
        template = source.normal(checks.single_line("--template", template))
    wanted = update.Wanted(to=to, template=template)
    steps: dict[str, Callable[[str], Outcome]] = {
        "--check": lambda one: update.check(one, wanted),
        "--abort": conclude.undo,
        "--continue": conclude.resume,
    }
    if preview:
        _preview(path, wanted, json)
    else:
        step = steps[modes[0]] if modes else lambda one: update.apply(one, wanted)
        _for_each(path, "update", step, json)


def add_command(
    recipe: Recipes, project: Projects = None, preview: Preview = False, json: Json = False
) -> None:
    """Add recipes to a project: it becomes what `mlmw new` with them would have made.

    \b
    Examples:
      mlmw add cnn
      mlmw add tabular --preview
      mlmw add cnn --project one --project two
    """
    _change("add", recipe, project, preview, json)


def remove_command(
    recipe: Recipes, project: Projects = None, preview: Preview = False, json: Json = False
) -> None:
    """Remove recipes from a project; files of theirs that you edited stay, and are listed.

    \b
    Examples:
      mlmw remove cnn
      mlmw remove tabular --preview
    """
    _change("remove", recipe, project, preview, json)


def config_command(
    key: Annotated[str | None, typer.Argument(metavar="KEY", show_default=False)] = None,
    value: Annotated[str | None, typer.Argument(metavar="VALUE", show_default=False)] = None,
    unset: Annotated[bool, typer.Option("--unset", help="Remove KEY.")] = False,
    json: Json = False,
) -> None:
    """Show or change your settings, which `mlmw new` takes where an option is not given.

    \b
    Examples:
      mlmw config
      mlmw config author "Ada Lovelace"
      mlmw config template https://git.example.org/ml/template.git
      mlmw config --unset template
    """
    from mlmw import config

    if unset and (key is None or value is not None):
        raise Refusal("--unset", "it takes a KEY and no VALUE", "mlmw config --unset KEY")
    if key is not None and (unset or value is not None):
        path = config.change(key, None if unset else value)
        print(f"{key} {'removed from' if unset else 'written to'} {path}")
        return
    settings = config.load()
    if key is not None:
        if key not in config.PURPOSE:
            raise Refusal(
                f"KEY {key!r}", "there is no such setting", f"settings: {', '.join(config.PURPOSE)}"
            )
        settings = {key: settings[key]} if key in settings else {}
    if json:
        import json as encoder

        known = {
            name: {"value": one.value, "file": str(one.path)} for name, one in settings.items()
        }
        print(encoder.dumps(known, indent=2))
        return
    for name in [key] if key else config.PURPOSE:
        setting = settings.get(name)
        told = (
            f"{setting.value}   ({setting.path})" if setting else f"not set: {config.PURPOSE[name]}"
        )
        print(f"{name:9} {told}")


def _change(
    action: str, recipes: Sequence[str], paths: list[str] | None, preview: bool, json: bool
) -> None:
    from mlmw import update

    names = [name.strip() for value in recipes for name in value.split(",")]
    wanted = update.Wanted(action, names)
    if preview:
        _preview(paths, wanted, json)
    else:
        _for_each(paths, action, lambda one: update.apply(one, wanted), json)


def _step(step: Callable[[str], T], path: str) -> T:
    """Do one step; where git or the system fails before it changes anything, say so in one line."""
    from subprocess import CalledProcessError

    from mlmw import git

    try:
        return step(path)
    except (OSError, CalledProcessError) as error:
        why = f"it cannot be looked at ({git.first_line(error)})"
        raise Refusal(f"project {path!r}", why, "nothing was changed") from None


def _for_each(
    paths: list[str] | None,
    action: str,
    step: "Callable[[str], Outcome]",
    json: bool,
    bar: bool = True,
) -> None:
    """Do a step in each project; one that fails does not stop the others."""
    from mlmw import report

    outcomes: list[Outcome] = []
    alone = len(paths or ["."]) == 1
    try:
        for path in progress.over(paths or ["."], action, bar):
            try:
                outcomes.append(_step(step, path))
            except MlmwError as error:
                if not json and alone:
                    raise
                outcomes.append(report.failure(path, action, error))
    finally:  # also after Ctrl-C: what was done is told
        if json:
            print(report.as_json(outcomes))
        elif outcomes:
            print(report.outcome_text(outcomes[0]) if alone else report.table(outcomes))
    raise typer.Exit(report.exit_code(outcomes))


def _preview(paths: list[str] | None, wanted: "Wanted", json: bool) -> None:
    from mlmw import update

    def step(path: str) -> "Outcome":
        colour = "--color=always" if sys.stdout.isatty() and not json else "--color=never"
        outcome, patch = update.preview(path, wanted, colour)
        if not json:
            print(patch, end="")
        return outcome

    _for_each(paths, wanted.action, step, json, bar=False)  # the steps print


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("status", short_help="Show where projects stand towards their template.")(
        status_command
    )
    app.command("update", short_help="Bring projects to a newer version.")(update_command)
    app.command("add", short_help="Add recipes to projects.")(add_command)
    app.command("remove", short_help="Remove recipes from projects.")(remove_command)
    app.command("config", short_help="Show or change your settings.")(config_command)
