"""`mlmw new`: check, render into a hidden folder, commit, rename once, say what is next."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from mlmw import answers as answers_file
from mlmw import (
    catalogue,
    checks,
    config,
    git,
    history,
    layout,
    own_data,
    source,
    target,
    times,
    tree,
)
from mlmw.errors import MlmwError, Refusal
from mlmw.names import package_from
from mlmw.template import template_root

# What a template has to ask for, so that this module can tell what it made.
NEEDED = {"project_name", "package", "author", "email", "recipes"}

# Of a first commit by nobody.
UNNAMED = (
    "git does not know your name and e-mail address, so the first commit has mlmw's own; set "
    "user.name and user.email with git config --global, "
    "then: git commit --amend --reset-author --no-edit"
)


@dataclass(frozen=True)
class Options:
    """What the command line said besides PATH; `None` and empty mean: not given."""

    recipes: Sequence[str] = ()
    name: str | None = None
    package: str | None = None
    description: str | None = None
    author: str | None = None
    email: str | None = None
    licence: str | None = None
    python: str | None = None
    template: str | None = None
    data: str | None = None
    target: str | None = None
    task: str | None = None
    data_by: str = "copy"
    yes: bool = False
    ask: bool = False
    with_git: bool = True


@dataclass(frozen=True)
class Origin:
    """Which template is rendered, and what a project records of it."""

    root: Path
    source: str
    version: str | None  # `None`: the one that Copier finds, in a checkout

    @property
    def own(self) -> bool:
        """Whether it is mlmw's own."""
        return self.root == template_root()


@contextlib.contextmanager
def _origin(given: str | None) -> Iterator[Origin]:
    """The template of `--template`, unpacked for a while, or mlmw's own."""
    if given is None:
        yield Origin(template_root(), *source.own())
        return
    git.drop_redirections()
    with (
        source.opened(source.normal(given)) as template,
        tempfile.TemporaryDirectory(prefix="mlmw-", ignore_cleanup_errors=True) as temporary,
    ):
        root = Path(temporary) / "template"
        commit = template.commit(template.newest())
        template.export(commit, root)
        if not (root / "copier.yml").is_file():
            why = f"its version {template.name(commit)} has no copier.yml"
            raise Refusal(f"template {given!r}", why, "give a template made for mlmw")
        yield Origin(root, template.source, template.name(commit))


def checked_answers(options: Options, folder_name: str, root: Path) -> dict[str, Any]:
    """The answers that the command line gives, by the names of copier.yml's questions."""
    answers: dict[str, Any] = {}
    if options.name is None:
        name = checks.project_name("PATH's name", folder_name)
        what = "PATH's name"
    else:
        name = checks.project_name("--name", options.name)
        what = "--name"
    answers["project_name"] = name
    if options.package is None:
        checks.derived_package(what, name)
    else:
        value = checks.single_line("--package", options.package)
        what = f"--package {value!r}"
        answers["package"] = checks.package(what, value, "choose another name")
    for question in ("description", "author"):
        text = getattr(options, question)
        if text is not None:
            answers[question] = checks.single_line(f"--{question}", text)
    if options.email is not None:
        answers["email"] = checks.email(options.email)
    if options.licence is not None:
        answers["licence"] = checks.one_of("--licence", options.licence, checks.LICENCES)
    if options.python is not None:
        version = checks.one_of("--python", options.python, checks.PYTHON_VERSIONS)
        answers["python_version"] = version
    if options.recipes:
        answers["recipes"] = _recipes(options.recipes, root)
    if options.data is not None:
        answers["recipes"] = own_data.recipes(answers.get("recipes", []))
        answers |= _data_answers(options)
    elif options.target is not None or options.task is not None:
        what = "--target" if options.target is not None else "--task"
        raise Refusal(what, "it says what to predict from a file", "give the file: --data FILE")
    return answers


def _recipes(given: Sequence[str], root: Path) -> list[str]:
    """The recipes that the command line names."""
    names = [name.strip() for value in given for name in value.split(",")]
    if "none" in names:  # as the summary puts it
        raise Refusal("recipe 'none'", "no such recipe", "without --recipe it is the baseline")
    return catalogue.choose(names, catalogue.load_catalogue(root))


def _data_answers(options: Options) -> dict[str, Any]:
    """What a project keeps of a file, and what it is for, unless that was given."""
    assert options.data is not None
    way = checks.one_of("--data-by", options.data_by, tuple(own_data.WAYS))
    if options.task is not None:
        checks.one_of("--task", options.task, ("classification", "regression"))
    from mlmw.inspection.inspect import looking
    from mlmw.inspection.roles import Choices

    choices = Choices(options.target, options.task)
    with looking(options.data) as decide:
        if options.ask and not options.yes:
            from mlmw import wizard_data

            schema, way = wizard_data.ask(decide, choices, way)
        else:
            schema = decide(choices)
    answers: dict[str, Any] = {own_data.QUESTION: schema | own_data.facts(options.data, way)}
    if options.description is None:
        answers["description"] = own_data.description(schema)
    return answers


def new(given_path: str, options: Options) -> None:
    """Make a project and print its tree and the next commands."""
    place = target.check(given_path)
    settings = config.load()
    with _tidy_when_told_to_stop(), _origin(_template(options, settings)) as origin:
        answers = checked_answers(options, place.name, origin.root)
        with target.staging(place) as folder:
            answers = _answered(folder, origin, answers, options, settings, place)
            if options.data is not None:
                own_data.bring(options.data, answers[own_data.QUESTION]["by"], folder)
            notes = _commit(folder, place, answers) if options.with_git else []
            target.publish(folder, place)
        notes += _keep_history(origin)
    _print_data(options, answers)
    _print_tree(place.path, place.given)
    print(f"\n{_summary('Made', place.path, answers)}")
    for note in notes:
        print(layout.paragraph(f"Note: {note}"))
    print(f"\n{_next_commands(place, answers)}")


def preview(given_path: str, options: Options) -> None:
    """Print the tree that `new` would make; write nothing outside the system's temporary folder."""
    place = target.check(given_path)
    settings = config.load()
    with (
        _tidy_when_told_to_stop(),
        _origin(_template(options, settings)) as origin,
        tempfile.TemporaryDirectory(prefix="mlmw-") as temporary,
    ):
        answers = checked_answers(options, place.name, origin.root)
        folder = Path(temporary) / "project"
        answers = _answered(folder, origin, answers, options, settings, place)
        _print_data(options, answers)
        _print_tree(folder, place.given)
        print(f"\n{_summary('Would make', folder, answers)}")
    print("Dry run: nothing was written.")


def _template(options: Options, settings: Mapping[str, config.Setting]) -> str | None:
    """The template that was asked for, on the command line or in the settings."""
    if options.template is not None:
        return checks.single_line("--template", options.template)
    return settings["template"].value if "template" in settings else None


def _keep_history(origin: Origin) -> list[str]:
    """Keep the template's history where `copier update` will look for it."""
    if origin.source != history.KEPT:
        return []
    try:
        history.keep()
    except (OSError, subprocess.CalledProcessError) as error:
        why = f"{history.KEPT} could not be written ({git.first_line(error)})"
        return [f"{why}; updates need it, and mlmw status tries again"]
    return []


def _answered(
    folder: Path,
    origin: Origin,
    answers: Mapping[str, Any],
    options: Options,
    settings: Mapping[str, config.Setting],
    place: target.Target,
) -> dict[str, Any]:
    """Render the template; at a terminal ask for what is open, and again for what shall change."""
    git.drop_redirections()
    given, offered = dict(answers), config.offered(settings)
    if not options.ask:
        return _render(folder, origin, given, offered, ask=False)
    if options.name is None:
        offered["project_name"] = given.pop("project_name")
    if options.description is None and "description" in given:  # made from the file
        offered["description"] = given.pop("description")
    offered = _offered_identity(folder.parent) | offered
    return _ask(folder, origin, given, offered, place)


def _ask(
    folder: Path,
    origin: Origin,
    given: dict[str, Any],
    offered: dict[str, Any],
    place: target.Target,
) -> dict[str, Any]:
    """Ask, show what was answered, ask again for what shall change, until it is right.

    `given` will not be asked for; `offered` are defaults for the rest.
    """
    from mlmw import wizard

    recipes = catalogue.load_catalogue(origin.root)
    if "recipes" not in given:
        given["recipes"] = wizard.ask_recipes(recipes)
    elif given.keys() >= NEEDED | set(config.QUESTIONS.values()):  # nothing is open
        return _render(folder, origin, given, offered, ask=True)
    while True:
        try:
            with wizard.brief_refusals():
                found = _render(folder, origin, given, offered, ask=True)
        except Refusal as refusal:
            why = re.search(r"question 'package': (.*); ", str(refusal))
            if why is None or "project_name" in given:
                raise
            print(layout.paragraph(f"Its package {why[1]}; choose another name."))
            continue
        given = answers_file.given(answers_file.read(folder))
        wanted = wizard.review(place.given, given, found.get("layers", ()))
        if wanted is None:
            return found
        before = given.pop(wanted)
        if wanted == "recipes":
            given[wanted] = wizard.ask_recipes(recipes, before)
            if own_data.QUESTION in given and own_data.RECIPE not in given[wanted]:
                print(layout.paragraph(f"Only {own_data.RECIPE} learns from your file: it stays."))
                given[wanted] = before
            continue
        offered[wanted] = before
        if wanted == "project_name" and given["package"] == package_from(before):
            given.pop("package")


def _render(
    folder: Path,
    origin: Origin,
    given: Mapping[str, Any],
    offered: Mapping[str, Any],
    ask: bool,
) -> dict[str, Any]:
    """Render the template into a folder, of which nothing earlier stays."""
    from mlmw.render import render

    target.clear(folder)
    try:
        found = render(origin.root, folder, given, offered, ask)
        missing = ", ".join(sorted(NEEDED - found.keys()))
        if missing:
            why = f"it does not ask for {missing}"
            raise Refusal(f"template {origin.source!r}", why, "give a template made for mlmw")
        answers_file.record(folder, origin.source, origin.version)
        return found
    except ValueError as error:  # answers that only fail together, or come from Copier's settings
        why = " ".join(str(error).split())
        if not why.startswith(("Validation error", "Invalid choice")):
            raise
        raise Refusal("answers", why, "start again with other answers") from None
    except OSError as error:
        if error.errno is None:  # Jinja's TemplateNotFound: no trouble with the disk
            raise
        why = f"it could not be written ({error.strerror})"
        raise MlmwError(f"file {error.filename!r}", why, "nothing was made") from None


def _offered_identity(folder: Path) -> dict[str, str]:
    """Author and e-mail address as Git knows them, if they would be accepted."""
    offered = {}
    known = git.identity(folder)
    with contextlib.suppress(KeyError, Refusal):
        offered["author"] = checks.single_line("user.name", known["name"])
    with contextlib.suppress(KeyError, Refusal):
        offered["email"] = checks.email(known["email"])
    return offered


def _commit(folder: Path, place: target.Target, answers: Mapping[str, Any]) -> list[str]:
    """Make the first commit; a project without one is still a project, so this only notes why."""
    later = "when you want a repository: git init && git add . && git commit"
    if not git.available():
        return [f"git was not found, so there is no first commit; {later}"]
    message = f"Start {answers['project_name']} with mlmw"
    try:
        named = git.first_commit(folder, message, answers["author"], answers["email"])
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).split("\n")[0]
        return [f"git made no first commit ({said}); {later}"]
    notes = [] if named else [UNNAMED]
    outer = git.enclosing(place.ancestor)
    if outer:
        notes.append(f"the project is a repository of its own inside that of {outer}")
    return notes


def _print_data(options: Options, answers: Mapping[str, Any]) -> None:
    """What was found in the file, unless it was shown and asked about."""
    if options.data is not None and (options.yes or not options.ask):
        from mlmw import wizard_data

        schema = answers[own_data.QUESTION]
        print(f"{wizard_data.told(schema, schema['by'])}\n")


def _print_tree(folder: Path, label: str) -> None:
    print(f"{label.rstrip('/' + os.sep)}/")
    try:
        "├└│".encode(sys.stdout.encoding or "ascii")
        plain = False
    except UnicodeEncodeError:
        plain = True
    for line in tree.draw(folder, plain):
        print(line)


def _summary(verb: str, folder: Path, answers: Mapping[str, Any]) -> str:
    recipes = ", ".join(answers["recipes"]) or "none"
    files = tree.count_files(folder)
    return layout.paragraph(
        f"{verb} {files} files: package {answers['package']}, recipes: {recipes}."
    )


def _next_commands(place: target.Target, answers: Mapping[str, Any]) -> str:
    """The commands that come next, and how long they took where they were measured."""
    measured = times.load()
    stated = times.estimate(answers["recipes"], measured)
    width = max(map(len, times.COMMANDS))
    lines = ["Next:", f"  cd {shlex.quote(place.given)}"]
    for command in times.COMMANDS:
        told = f"   # {times.words(stated[command])}" if command in stated else ""
        lines.append(f"  {command:{width}}{told}".rstrip())
    notes = ["Without make: README.md has a line of Python for each."]
    if stated:
        notes.insert(0, times.basis(measured))
    return "\n".join([*lines, *(layout.paragraph(note) for note in notes)])


@contextlib.contextmanager
def _tidy_when_told_to_stop() -> Iterator[None]:
    """Let a polite kill or a closed terminal end the program like Ctrl-C, tidying up."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    wanted = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    numbers = [number for number in wanted if number is not None]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
