"""The command line for data: `mlmw data inspect`."""

from typing import Annotated

import typer

data = typer.Typer()


@data.callback(invoke_without_command=True)
def data_root(context: typer.Context) -> None:
    """Look at your own data before a project is made for them, and again when they changed.

    \b
    Examples:
      mlmw data inspect customers.csv
      mlmw data refresh
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


@data.command("inspect", short_help="Show what is in a file, and what could be predicted.")
def inspect_command(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="CSV, TSV, JSON lines (or .gz) or Parquet.")
    ],
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="What is to be predicted [proposed].")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="TASK", help="classification or regression [as the target looks]."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a file's columns, what each could be used for, and what may be wrong with it.

    Nothing is written, and nothing of personal-looking columns is shown.

    \b
    Examples:
      mlmw data inspect customers.csv
      mlmw data inspect customers.csv --target churned --json
    """
    from mlmw import checks
    from mlmw.inspection import inspect, show
    from mlmw.inspection.roles import Choices

    if task is not None:
        checks.one_of("--task", task, ("classification", "regression"))
    found = inspect.inspect(file, Choices(target, task))
    if json:
        import json as encoder

        print(encoder.dumps(found, indent=2, ensure_ascii=False))
    else:
        print(show.text(found))


@data.command("refresh", short_help="Bring a project up to date with its changed file.")
def refresh_command(
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="A new file [the project's].", show_default=False),
    ] = None,
    project: Annotated[
        str, typer.Option(metavar="PATH", help="The project [this folder].", show_default=False)
    ] = ".",
    preview: Annotated[
        bool, typer.Option("--preview", help="Show the differences; change nothing.")
    ] = False,
) -> None:
    """Look at a project's file again, show what is different, and update the project.

    What follows from the columns is merged with what you wrote, and staged, as by mlmw update. A
    FILE takes the place of the one before.

    \b
    Examples:
      mlmw data refresh --preview
      mlmw data refresh
      mlmw data refresh ~/Downloads/customers-2027.csv
    """
    from mlmw import refresh, report

    found = refresh.look(project, file)
    print("\n".join(found.differences) or "The file is the one that the project knows.")
    if not preview:
        outcome = refresh.apply(project, file, found)
        print(report.outcome_text(outcome))
        raise typer.Exit(report.exit_code([outcome]))


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(data, name="data", short_help="Look at your own data.")
