"""Prove that every combination of recipes works: `python tests/prove.py`.

The projects are below `build/projects/`, the evidence of what passed below `build/evidence/`;
docs/combinations.md tells how it works.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import groupby
from pathlib import Path

from projects import Project, choices, combinations, of_data, template_copy
from proof.checks import checks
from proof.environment import Packages, requirements, set_up
from proof.evidence import Subject
from proof.schedule import Job, Result, run_all

# The checks that run none of a project's commands and tests.
TEXT = {"style", "types", "imports"}


def runs_in_pairs(project: Project) -> bool:
    """Whether a project is of two recipes at most, or of all of them."""
    return len(project.recipes) <= 2 or project.recipes == tuple(choices())


def growing(chosen: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Order combinations so that those of the first n recipes come before any with a later one."""
    names = choices()
    return sorted(chosen, key=lambda recipes: sum(2 ** names.index(name) for name in recipes))


def prepare(
    projects: Sequence[Project], python: Path | None = None
) -> list[tuple[Project, Subject, Packages]]:
    """Render the projects, and find the packages of each among those of `python`.

    Without `python` the project with all recipes sets itself up, and has them.
    """
    everything = Project(tuple(choices()))
    wanted = list(projects) if python or everything in projects else [everything, *projects]
    with template_copy() as template, ProcessPoolExecutor() as pool:
        rendered = dict(
            zip(wanted, pool.map(partial(Project.render, template=template), wanted), strict=True)
        )
    if python is None:
        set_up(everything)
    packages = Packages(python or everything.python)
    names = {project: packages.closure(requirements(rendered[project])) for project in projects}
    found = []
    for project in projects:
        subject = Subject(
            project.label,
            project.folder,
            project.python,
            rendered[project],
            frozenset(packages.versions(names[project])),
        )
        found.append((project, subject, packages))
    return found


def tell(result: Result) -> None:
    """One line for each check that was run, and all that it printed where it failed."""
    if not result.ran:
        return
    verdict = "FAILED" if result.failure else "passed"
    name = f"{result.job.project.label}: {result.job.check.name}"
    print(f"{verdict} {name} ({result.seconds:.1f} s)", flush=True)
    if result.failure:
        print(result.failure.rstrip(), flush=True)


def table(results: Sequence[Result]) -> str:
    """What each combination cost, and how the cost grows with the number of recipes.

    What was run for one combination and proves others too counts once.
    """
    lines = [f"{'combination':40} {'run':>4} {'proved':>7} {'seconds':>8}"]
    projects = {result.job.project for result in results}
    places = {recipes: place for place, recipes in enumerate(growing(combinations()))}
    for project in sorted(projects, key=lambda one: (one.data, places[one.recipes])):
        own = [result for result in results if result.job.project == project]
        cost, run = sum(result.seconds for result in own), sum(result.ran for result in own)
        lines.append(f"{project.label:40} {run:4} {len(own) - run:7} {cost:8.1f}")
    results = [result for result in results if not result.job.project.data]
    names = choices()
    for count in range(1, len(names) + 1):
        inside = [one for one in results if set(one.job.project.recipes) <= set(names[:count])]
        if 2**count == len({one.job.project for one in inside}):
            rests_on = {id(proof): proof.seconds for one in inside for proof in one.evidence}
            cost = sum(rests_on.values()) + sum(one.seconds for one in inside if not one.evidence)
            lines.append(f"{2**count:3} combinations of {count} recipes: {cost:8.1f} s")
    return "\n".join(lines)


def advice(failed: Sequence[Result], full: bool) -> str:
    """For each failed check the smallest combination that fails, and how to run only that."""
    lines = []
    by_check = sorted(failed, key=lambda result: result.job.check.name)
    for name, group in groupby(by_check, key=lambda result: result.job.check.name):
        smallest = min((result.job.project for result in group), key=lambda one: len(one.recipes))
        option = " --full" if full else ""
        lines += [
            f"{name} fails in {smallest.label}, the smallest of the combinations in which it does:",
            f"    python tests/prove.py{option} --only {smallest.label} --check {name}",
        ]
    return "\n".join(lines)


def processor_time() -> str:
    """What all processes of the proof have used, which does not depend on what else is running."""
    spent = os.times()
    total = spent.user + spent.system + spent.children_user + spent.children_system
    return f" ({total:.1f} s of processor time)" if spent.children_user else ""  # not on Windows


def main() -> int:
    """Run what was asked for; returns 1 where a check failed, 2 for a bad argument."""
    parser = argparse.ArgumentParser(description="Prove that every combination of recipes works.")
    parser.add_argument("--full", action="store_true", help="use no evidence: run all, everywhere")
    parser.add_argument(
        "--pairs", action="store_true", help="of three recipes and more, but all, only the text"
    )
    parser.add_argument("--only", action="append", metavar="COMBINATION", help="repeatable")
    parser.add_argument("--check", action="append", metavar="NAME", help="repeatable")
    parser.add_argument("--python", type=Path, help="take packages from this one's environment")
    options = parser.parse_args()
    known = [*map(Project, growing(combinations())), *of_data()]
    by_label = {project.label: project for project in known}
    if unknown := set(options.only or []) - by_label.keys():
        parser.error(f"no such combination: {', '.join(unknown)}; there are {', '.join(by_label)}")
    began = time.perf_counter()
    projects = [by_label[name] for name in options.only or by_label]
    subjects = prepare(projects, options.python and options.python.absolute())
    print(f"{len(projects)} projects are ready ({time.perf_counter() - began:.1f} s)", flush=True)
    jobs = [
        Job(check, project, subject, packages)
        for project, subject, packages in subjects
        for check in checks(project, options.full)
        if not options.check or check.name in options.check
        if not options.pairs or check.name in TEXT or runs_in_pairs(project)
    ]
    # The text of the largest project holds most modules of all others; what is run is best begun
    # in the smallest, whose packages all others have.
    text = [job for job in reversed(jobs) if job.check.name in TEXT]
    jobs = text + [job for job in jobs if job.check.name not in TEXT]
    results = run_all(jobs, cached=not options.full, told=tell)
    failed = [result for result in results if result.failure]
    print(table(results))
    seconds = f"{time.perf_counter() - began:.1f} s{processor_time()}"
    print(f"{len(results)} checks in {seconds}: {len(failed)} failed")
    if failed:
        print(advice(failed, options.full))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
