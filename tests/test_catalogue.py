"""Choosing recipes; their files and recipe.yml are tested in test_recipes.py."""

import pytest

from mlmw.catalogue import Recipe, choose, find, load_catalogue
from mlmw.errors import Refusal


def recipe(name: str, implicit: bool = False) -> Recipe:
    return Recipe(name, name, "", "workload", implicit, [], [], [], {}, [])


CATALOGUE = [recipe("tabular"), recipe("cnn"), recipe("baseline", implicit=True)]


def test_chosen_recipes_come_once_and_in_the_catalogues_order() -> None:
    assert choose(["cnn", "tabular", "cnn"], CATALOGUE) == ["tabular", "cnn"]
    assert choose([], CATALOGUE) == []


@pytest.mark.parametrize(
    ("name", "question"),
    [("tabel", "did you mean 'tabular'? "), ("CNN", "did you mean 'cnn'? "), ("zzz", "")],
)
def test_unknown_name(name: str, question: str) -> None:
    with pytest.raises(Refusal) as refused:
        find(name, CATALOGUE)
    expected = f"recipe {name!r}: no such recipe; {question}recipes: tabular, cnn, baseline"
    assert str(refused.value) == expected


def test_implicit_recipe_is_not_chosen() -> None:
    with pytest.raises(Refusal, match="joins by itself where it is needed"):
        choose(["baseline"], CATALOGUE)


def test_details_are_found_for_every_recipe() -> None:
    catalogue = load_catalogue()
    assert [find(entry.name, catalogue) for entry in catalogue] == catalogue
