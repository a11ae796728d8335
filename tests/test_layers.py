"""`mlmw add`, `mlmw remove`, `mlmw status`: joining later is like being there from the start."""

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Mlmw
from releases import (
    Releases,
    append,
    commit,
    copy_project,
    copy_template,
    git,
    pack,
    working_tree,
)

from mlmw import cli
from mlmw.catalogue import load_catalogue

RECIPES = [recipe.name for recipe in load_catalogue() if not recipe.implicit]
IMPLICIT = [recipe.name for recipe in load_catalogue() if recipe.implicit]
PAIRS = [((), recipe) for recipe in RECIPES] + [
    ((present,), added) for present, added in itertools.permutations(RECIPES, 2)
]
Fresh = Callable[..., Path]


@pytest.fixture(scope="module")
def template(prepared: Releases, tmp_path_factory: pytest.TempPathFactory) -> Releases:
    copy = prepared.copy(tmp_path_factory.mktemp("template"))
    copy.publish("v0.1.0")
    return copy


@pytest.fixture(scope="module")
def fresh(template: Releases, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """A project that `mlmw new` made with these recipes; each set is made once."""
    made: dict[frozenset[str], Path] = {}

    def fresh(*recipes: str) -> Path:
        key = frozenset(recipes)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("fresh") / "project"
            options = [f"--recipe={recipe}" for recipe in recipes]
            command = ("new", str(made[key]), "--template", str(template.place), "--defaults")
            assert cli.run([*command, *options]) == 0
            pack(made[key])
        return made[key]

    return fresh


@pytest.mark.parametrize(("present", "added"), PAIRS, ids=lambda one: "-".join(one) or "none"
                         if isinstance(one, tuple) else one)  # fmt: skip
def test_added_later_is_as_if_from_the_start_and_leaves_nothing(
    present: tuple[str, ...], added: str, fresh: Fresh, here: Path, mlmw: Mlmw
) -> None:
    copy_project(fresh(*present), here / "project")
    result = mlmw("add", added, "--project", "project")
    assert (result.code, result.err) == (0, "")
    assert working_tree(here / "project") == working_tree(fresh(*present, added))
    assert mlmw("remove", added, "--project", "project").code == 0
    assert working_tree(here / "project") == working_tree(fresh(*present))
    assert git(here / "project", "status", "--porcelain", "--ignored") == ""


def test_all_at_once(fresh: Fresh, here: Path, mlmw: Mlmw) -> None:
    copy_project(fresh(), here / "project")
    assert mlmw("add", ",".join(reversed(RECIPES)), "--project", "project").code == 0
    assert working_tree(here / "project") == working_tree(fresh(*RECIPES))
    assert mlmw("remove", *RECIPES, "--project", "project").code == 0
    assert working_tree(here / "project") == working_tree(fresh())


@pytest.fixture
def project(fresh: Fresh, here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a project with the first recipe."""
    copy_project(fresh(RECIPES[0]), here / "project")
    monkeypatch.chdir(here / "project")
    return here / "project"


def test_what_the_owner_edited_stays(project: Path, mlmw: Mlmw) -> None:
    edited = project / "src" / "project" / "models" / f"{RECIPES[0]}.py"
    append(edited, "\n# mine\n")
    readme = project / "README.md"
    readme.write_text("Mine.\n\n" + readme.read_text())
    commit(project)
    before = edited.read_bytes()
    result = mlmw("remove", RECIPES[0], "--json")
    assert result.code == 3
    [outcome] = json.loads(result.out)
    path = f"src/project/models/{RECIPES[0]}.py"
    assert path in [one["path"] for one in outcome["conflicts"]]
    assert edited.read_bytes() == before
    assert readme.read_text().startswith("Mine.\n\n")
    assert mlmw("update", "--abort").code == 0
    assert git(project, "status", "--porcelain") == ""


def test_adding_what_is_there_and_removing_what_is_not(project: Path, mlmw: Mlmw) -> None:
    before = working_tree(project)
    for command in (("add", RECIPES[0]), ("remove", RECIPES[1])):
        result = mlmw(*command)
        assert (result.code, result.err) == (0, "")
        assert result.out.startswith(f".: nothing to {command[0]} (")
    assert working_tree(project) == before


@pytest.mark.parametrize("command", ["add", "remove"])
@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("nonsense", "error: recipe 'nonsense': no such recipe; "),
        (RECIPES[0].upper(), f"did you mean {RECIPES[0]!r}?"),
        *((name, f"error: recipe {name!r}: it joins ") for name in IMPLICIT),
    ],
)
def test_recipes_that_cannot_be_chosen(
    command: str, recipe: str, words: str, project: Path, mlmw: Mlmw
) -> None:
    before = working_tree(project)
    result = mlmw(command, recipe)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert words in result.err
    assert working_tree(project) == before


def test_preview(project: Path, mlmw: Mlmw) -> None:
    before = working_tree(project)
    result = mlmw("remove", RECIPES[0], "--preview")
    assert (result.code, result.err) == (0, "")
    assert "deleted file mode 100644\n" in result.out
    assert f"  D src/project/training/{RECIPES[0]}.py\n" in result.out
    assert working_tree(project) == before


def with_future_recipe(root: Path) -> None:
    """Add a recipe to a template."""
    recipe = root / "recipes" / "future"
    (recipe / "files" / "docs").mkdir(parents=True)
    (recipe / "files" / "docs" / "future.md").write_text("The future of my_project.\n")
    (recipe / "README.md").write_text("## Future\n")
    (recipe / "recipe.yml").write_text(
        "- {name: future, title: Future, summary: To come, kind: other, implicit: false, "
        "requires: [], dependencies: [], dev_dependencies: [], commands: {}, "
        "files: [docs/future.md]}\n"
    )
    path = root / "copier.yml"
    text = path.read_text()
    first = f"    - !include recipes/{RECIPES[0]}/recipe.yml\n"
    assert first in text
    path.write_text(text.replace(first, f"{first}    - !include recipes/future/recipe.yml\n"))


def test_recipe_of_a_newer_version(here: Path, mlmw: Mlmw, tmp_path: Path) -> None:
    """A recipe is looked up in the version that the project has, and no version loses one."""
    releases = Releases(tmp_path / "future")
    releases.add("v0.1.0", copy_template)
    releases.add("v0.2.0", with_future_recipe)
    releases.publish("v0.1.0")
    assert mlmw("new", "project", "--template", str(releases.place), "--defaults").code == 0
    releases.publish("v0.2.0")
    project = ("--project", "project")
    assert mlmw("add", "future", *project).err.startswith("error: recipe 'future': no such recipe;")
    assert mlmw("update", "project").code == 0
    assert mlmw("add", "future", *project).code == 0
    assert (here / "project" / "docs" / "future.md").read_text() == "The future of project.\n"
    commit(here / "project")
    before = working_tree(here / "project")
    result = mlmw("update", "project", "--to", "v0.1.0")
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert "future" in result.err
    assert working_tree(here / "project") == before


def test_several_projects(project: Path, here: Path, mlmw: Mlmw) -> None:
    shutil.copytree(project, here / "other")
    options = ("--project", str(project), "--project", str(here / "other"))
    result = mlmw("add", RECIPES[1], *options, "--json")
    assert result.code == 0
    assert [one["result"] for one in json.loads(result.out)] == ["changed", "changed"]
    assert working_tree(project) == working_tree(here / "other")


@pytest.mark.parametrize("recipes", [[], RECIPES[:1]], ids=["none", "one"])
def test_status(
    recipes: list[str], fresh: Fresh, here: Path, mlmw: Mlmw, template: Releases
) -> None:
    project = here / "project"
    copy_project(fresh(*recipes), project)
    (project / "LICENSE").unlink()
    append(project / "README.md", "mine\n")
    append(project / "Makefile", "# mine\n")
    (project / "notes.txt").write_text("mine\n")
    [state] = json.loads(mlmw("status", "project", "--json").out)
    assert state["recipes"] == recipes
    assert set(recipes) <= set(state["layers"])
    assert set(state["layers"]) & set(IMPLICIT)
    assert (state["modified"], state["deleted"]) == (["Makefile", "README.md"], ["LICENSE"])
    assert (state["version"], state["newest"], state["behind"]) == ("v0.1.0", "v0.1.0", 0)
    assert (state["added"], state["conflicts"], state["under_way"]) == (1, [], None)
    text = mlmw("status", "project").out
    assert f"  Version    v0.1.0 of {template.place}\n  Newest     v0.1.0: up to date\n" in text
    assert f"3 of the template's {state['files']} files, 1 added\n" in text


def test_status_without_git_and_template(fresh: Fresh, here: Path, mlmw: Mlmw) -> None:
    shutil.copytree(fresh(), here / "project", ignore=shutil.ignore_patterns(".git"))
    answers = here / "project" / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("_src_path: ", "_src_path: /lost"))
    result = mlmw("status", "project")
    assert (result.code, result.err) == (0, "")
    assert "  Newest     unknown\n" in result.out
    assert "it is in no Git repository" in result.out
    assert "it is not on this machine" in result.out


def test_status_of_several(fresh: Fresh, here: Path, mlmw: Mlmw) -> None:
    copy_project(fresh(), here / "project")
    result = mlmw("status", "project", "missing", "--json")
    assert result.code == 2
    assert [one["path"] for one in json.loads(result.out)] == ["project"]
    assert result.err.startswith("error: PATH 'missing': there is no such folder; ")
