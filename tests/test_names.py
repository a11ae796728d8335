"""Package names: derived here and in copier.yml by the same steps; reserved names in one file."""

import keyword
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from copier._main import Worker
from hypothesis import example, given
from hypothesis import strategies as st

from mlmw import checks
from mlmw.catalogue import Recipe, load_catalogue
from mlmw.errors import Refusal
from mlmw.names import package_from, reserved_names

NAMES = {
    "my-project": "my_project",
    "Churn  2030!": "churn_2030",
    "Köln": "koln",
    "Ko\u0308ln": "koln",
    "Straße": "strasse",
    "I\u015f\u0131k": "isik",
    "Ærø øl": "aero_ol",
    "Łódź": "lodz",
    "naïve Bayes": "naive_bayes",
    "ﬁt": "fit",
    "日本 model": "model",
    "🚀 launch": "launch",
    r"a\N{BULLET}b": "a_b",
    "--x--": "x",
    "": "",
    "+": "",
}


@pytest.fixture(scope="module")
def template_package(root: Path) -> Callable[[str], str]:
    """The default of the question `package`, as Copier's own Jinja environment renders it."""
    source = (root / "copier.yml").read_text(encoding="utf-8")
    question = yaml.safe_load(source.replace("!include", ""))["package"]
    with Worker(src_path=str(root), vcs_ref="HEAD") as worker:
        template = worker.jinja_env.from_string(question["default"])
    return lambda name: template.render(project_name=name)


@pytest.mark.parametrize(("name", "package"), NAMES.items())
def test_package_from(name: str, package: str, template_package: Callable[[str], str]) -> None:
    assert package_from(name) == package
    assert template_package(name) == package


NEAR_LATIN = st.characters(max_codepoint=0x24F)
PIECES = st.sampled_from([r"\N{", "}", "LATIN SMALL LETTER A", r"\x", r"\u00", r"\U", "COMBINING"])


@given(st.one_of(st.text(), st.text(NEAR_LATIN), st.lists(PIECES | st.text()).map("".join)))
@example("\ud800")
@example("\ue000 private")
@example("a\nb")
def test_template_and_cli_derive_the_same(
    template_package: Callable[[str], str], name: str
) -> None:
    assert template_package(name) == package_from(name)


@given(st.text())
def test_a_derived_package_is_an_identifier_or_refused(name: str) -> None:
    try:
        package = checks.derived_package("--name", name)
    except Refusal:
        return
    assert package.isidentifier()
    assert not keyword.iskeyword(package)
    assert package not in sys.stdlib_module_names


def test_reserved_names_cover_python() -> None:
    public = {name.lower() for name in sys.stdlib_module_names if not name.startswith("_")}
    assert {name.lower() for name in keyword.kwlist} <= reserved_names()
    assert public <= reserved_names()


@pytest.mark.parametrize("recipe", load_catalogue(), ids=lambda recipe: recipe.name)
def test_reserved_names_cover_what_a_recipe_installs(recipe: Recipe) -> None:
    renamed = {"scikit_learn": "sklearn", "pyyaml": "yaml", "psycopg2_binary": "psycopg2"}
    for requirement in [*recipe.dependencies, *recipe.dev_dependencies]:
        (distribution,) = re.findall(r"^[\w-]+", requirement)
        name = distribution.lower().removesuffix("-stubs").replace("-", "_")
        assert renamed.get(name, name) in reserved_names()


def test_reserved_names_are_one_sorted_string(root: Path) -> None:
    text = (root / "generator" / "mlmw" / "reserved-names.yml").read_text(encoding="utf-8")
    (value,) = yaml.safe_load(text)
    names = value.split()
    assert names == sorted(set(names))
    assert set(names) == reserved_names()
    assert value == value.lower()
    assert value.isascii()
