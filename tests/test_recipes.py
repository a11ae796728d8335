"""The recipes: each recipe.yml says what is on disk, and the layers fit together."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from projects import ARTEFACTS, ROOT, combinations, label, layers

from mlmw.catalogue import Recipe, load_catalogue

CATALOGUE = load_catalogue()
KINDS = {"workload", "tracking", "promotion", "serving", "orchestration", "tool", "data"}
every_recipe = pytest.mark.parametrize("recipe", CATALOGUE, ids=lambda recipe: recipe.name)
every_combination = pytest.mark.parametrize("recipes", combinations(), ids=label)


def files_of(recipe: Recipe) -> list[Path]:
    folder = ROOT / "recipes" / recipe.name / "files"
    return [
        path for path in folder.rglob("*") if path.is_file() and not ARTEFACTS & set(path.parts)
    ]


def test_copier_includes_every_folder_of_recipes() -> None:
    folders = {path.name for path in (ROOT / "recipes").iterdir() if path.is_dir()}
    assert {recipe.name for recipe in CATALOGUE} == folders


def test_a_layer_stands_before_those_that_it_requires() -> None:
    order = [recipe.name for recipe in CATALOGUE]
    for recipe in CATALOGUE:
        assert all(order.index(recipe.name) < order.index(name) for name in recipe.requires)


@every_recipe
def test_recipe_lists_its_files(recipe: Recipe) -> None:
    folder = ROOT / "recipes" / recipe.name / "files"
    assert recipe.files == sorted(path.relative_to(folder).as_posix() for path in files_of(recipe))


@every_recipe
def test_recipe_is_described(recipe: Recipe) -> None:
    assert recipe.title
    assert len(recipe.summary) <= 70
    assert recipe.kind in KINDS
    assert all(help_.strip() for help_ in recipe.commands.values())
    assert (recipe.kind != "workload") or (ROOT / "recipes" / recipe.name / "README.md").is_file()


@every_recipe
def test_recipe_files_pass_through_jinja_unchanged(recipe: Recipe) -> None:
    for path in files_of(recipe):
        text = path.read_text(encoding="utf-8")  # binary would fail here, as in a render
        if recipe.kind == "data" and path.suffix != ".py":
            continue  # it tells of the user's columns
        assert not re.search(r"\{\{|\{%|\{#", text), path
        assert "\r" not in text, path
        assert text.endswith("\n"), path


@every_recipe
def test_commands_exist(recipe: Recipe) -> None:
    for command in recipe.commands:
        path = f"src/my_project/commands/{command.replace('-', '_')}.py"
        assert path in recipe.files


@every_combination
def test_no_path_is_written_twice(recipes: tuple[str, ...]) -> None:
    base = [
        path.relative_to(ROOT / "template").as_posix() for path in (ROOT / "template").rglob("*")
    ]
    landing = [
        re.sub(r"\{\{ package \}\}", "my_project", path).removesuffix(".jinja") for path in base
    ]
    written = Counter(path for layer in layers(recipes) for path in layer.files)
    assert [path for path, times in written.items() if times > 1 or path in landing] == []


def test_own_data_come_in_the_place_of_others() -> None:
    [own] = [recipe for recipe in CATALOGUE if recipe.kind == "data"]
    content = (ROOT / "recipes" / own.name / "recipe.yml").read_text(encoding="utf-8")
    replaced = yaml.safe_load(content)[0]["replaces"]
    others = {
        f"{recipe.name}/{path}"
        for recipe in CATALOGUE
        for path in ("README.md", *recipe.files)
        if recipe.name != own.name
    }
    assert set(replaced) <= others
    tabular = [path for path in layers(["tabular"])[0].files if f"tabular/{path}" not in replaced]
    assert not set(tabular) & set(own.files)


def test_template_python_has_names_only() -> None:
    for path in (ROOT / "template").rglob("*.py.jinja"):
        text = path.read_text(encoding="utf-8")
        assert "{%" not in text, path
        assert "{#" not in text, path
        ast.parse(re.sub(r"\{\{.*?\}\}", "name", text))


def test_template_runs_no_code_on_the_users_machine() -> None:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!include", lambda loader, node: loader.construct_scalar(node))
    config = yaml.load((ROOT / "copier.yml").read_text(encoding="utf-8"), Loader=Loader)
    assert not {"_tasks", "_migrations", "_jinja_extensions"} & config.keys()
    asked = [
        name
        for name, question in config.items()
        if not name.startswith("_") and question.get("when", True)
    ]
    assert len(asked) <= 10
    assert all("default" in config[name] for name in asked)
