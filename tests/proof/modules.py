"""The parts of a project that pass or fail a check by themselves, and what each depends on.

Ruff judges a file by its text. Mypy judges a module, and Python imports it, by its text and by
that of all modules that it imports, directly or not. So where a project shares parts with one
that has passed, only what is new in it needs to be seen by the tool.
"""

import ast
import hashlib
import json
from collections.abc import Iterator
from functools import cache

from projects import PACKAGE

from proof.environment import Packages
from proof.evidence import Subject


def files(subject: Subject, environment: Packages, tool: str) -> set[str]:
    """Return the hash of each source and notebook, with the tool that judges it."""
    tools = environment.versions({tool})
    paths = [path for path in subject.files if path.endswith((".py", ".ipynb"))]
    return {digest(subject, path, {path}, tools) for path in paths}


def modules(subject: Subject, environment: Packages, tool: str) -> set[str]:
    """Return a hash of each module with all that it imports, and the tool that judges it."""
    found = set()
    for path in (path for path in subject.files if path.endswith(".py")):
        needed, names = closure(subject, path)
        present = {one.partition("==")[0] for one in subject.packages}
        packages = environment.providers(names) & present
        brought = set().union(*(environment.brought_by(one) for one in {tool, *packages}))
        versions = environment.versions(brought)
        # A name without a package is of the standard library, or is not installed.
        missing = [name for name in names if not environment.providers({name}) & present]
        found.add(digest(subject, path, needed, [*versions, *sorted(missing)]))
    return found


def digest(subject: Subject, path: str, needed: set[str], others: list[str]) -> str:
    """Return one hash of a part: its name, the files that it needs, what else it depends on."""
    hashes = [(one, subject.hash(one)) for one in sorted({*needed, "pyproject.toml"})]
    return hashlib.sha256(json.dumps([path, hashes, others]).encode()).hexdigest()[:32]


def closure(subject: Subject, path: str) -> tuple[set[str], set[str]]:
    """Return the files of the project that a module needs, and the other packages it names."""
    needed, names, waiting = set(), set(), [path]
    while waiting:
        if (source := waiting.pop()) in needed:
            continue
        needed.add(source)
        for name in imports(subject.files[source], module_name(source)):
            if name.split(".")[0] != PACKAGE:
                names.add(name.split(".")[0])
                continue
            parts = name.split(".")
            stems = (subject.source(".".join(parts[:end])) for end in range(1, len(parts) + 1))
            waiting += [one for one in stems if one]
    return needed, names


def module_name(path: str) -> str:
    """Return the name of a module; one of a package ends in `__init__`."""
    return path.removeprefix("src/").removesuffix(".py").replace("/", ".")


@cache
def imports(source: bytes, module: str) -> list[str]:
    """Return the full names of all that a module imports, and may import where it is a module."""
    return [name for node in ast.walk(ast.parse(source)) for name in _named(node, module)]


def _named(node: ast.AST, module: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (one.name for one in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = module.split(".")[: -node.level] if node.level else []
        start = ".".join([*base, *filter(None, [node.module])])
        yield start
        yield from (f"{start}.{one.name}" for one in node.names)
