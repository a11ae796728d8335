"""What `mlmw new` asks at a terminal besides the template's questions: where, of what, and whether.

The template's own questions are Copier's. Questionary is imported here only: Copier brings it, and
it takes as long as all checks together.
"""

import contextlib
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlmw import checks, layout, own_data, target
from mlmw.catalogue import Recipe
from mlmw.errors import Refusal

WELCOME = (
    "At most ten questions: Enter takes what is offered, Ctrl-C stops and leaves nothing behind. "
    "Before anything is made you can look at it and change each answer but the folder."
)
# As they were asked; another template's own answers come after these.
ORDER = ("recipes", "project_name", "package", "description", "author", "email", "licence")
PREFACE = re.compile("^Validation error for question '[^']*': ")
RECIPES = "Which recipes does it start with?"
KEYS, SHORT_KEYS = "(space: choose, enter: go on)", "(space, enter)"


def ask_path() -> str:
    """Where the project shall be; asked until a project can be made there."""
    import questionary

    print(layout.paragraph(WELCOME), end="\n\n")
    answer: str = questionary.text(
        "Which folder shall be made?",
        default="my-project",
        validate=lambda given: refused(given) or True,
    ).unsafe_ask()
    return answer


def refused(path: str) -> str:
    """Why no project can be made there, for the one line below a prompt; empty if it can."""
    try:
        checks.derived_package("the name", target.check(path).name)
    except Refusal as refusal:
        return refusal.brief
    return ""


@contextlib.contextmanager
def brief_refusals() -> Iterator[None]:
    """Let Copier's prompts say what is wrong without its preface: they have one line for it."""
    from questionary.prompts import AVAILABLE_PROMPTS

    prompts: Any = AVAILABLE_PROMPTS
    prompt = prompts["input"]

    @functools.wraps(prompt)
    def brief(*arguments: Any, validate: Any = None, **options: Any) -> Any:
        def check(answer: str) -> bool | str:
            said: bool | str = validate(answer) if validate else True
            return PREFACE.sub("", said) if isinstance(said, str) else said

        return prompt(*arguments, validate=check, **options)

    prompts["input"] = brief
    try:
        yield
    finally:
        prompts["input"] = prompt


def ask_recipes(catalogue: Sequence[Recipe], chosen: Sequence[str] = ()) -> list[str]:
    """Which recipes the project starts with: the models first, then what works with each model."""
    import questionary
    from questionary import Choice, Separator

    choices = [recipe for recipe in catalogue if not recipe.implicit]
    models = [recipe for recipe in choices if recipe.kind == "workload"]
    around = [recipe for recipe in choices if recipe.kind != "workload"]
    fallback = next(one for one in catalogue if one.implicit and one.kind == "workload")
    entries: list[Choice | Separator] = []
    for heading, recipes in (
        (f"Models, in any number; with none: {_lower(fallback.title)}", models),
        ("Around them; each works with every model and with each other", around),
    ):
        entries.append(Separator(_fitted(heading, " " * 3, 3)))
        for recipe in recipes:
            title = _fitted(_described(recipe), " " * 7, 5)
            entries.append(Choice(title, recipe.name, checked=recipe.name in chosen))
    print()
    answer: list[str] = questionary.checkbox(
        RECIPES,
        choices=entries,
        instruction=KEYS if layout.width() > 66 else SHORT_KEYS,
        style=questionary.Style([("selected", "noreverse bold")]),
        erase_when_done=True,
    ).unsafe_ask()
    # Questionary would repeat all that is said of the recipe.
    for text, style, end in (
        ("?", "fg:#5f819d", " "),
        (RECIPES, "bold", " "),
        (_shown(answer), "fg:#FF9D00 bold", "\n"),
    ):
        questionary.print(text, style, end=end)
    return answer


def _described(recipe: Recipe) -> str:
    brings = f" (brings {', '.join(recipe.requires)})" if recipe.requires else ""
    return f"{recipe.name}: {recipe.summary}{brings}"


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]


def _fitted(text: str, indent: str, taken: int) -> str:
    """Broken for the list, which cuts what is wider than the terminal; `taken` by its marks."""
    return layout.paragraph(text, indent, layout.width() - taken)


def review(
    folder: str, answers: Mapping[str, Any], layers: Sequence[Mapping[str, Any]]
) -> str | None:
    """Show what will be made; returns the answer that shall change, or `None` to make it."""
    import questionary
    from questionary import Choice

    keys = sorted(answers, key=lambda key: (*ORDER, key).index(key))
    rows = [("folder", folder), *((_label(key), _shown(answers[key])) for key in keys)]
    print(f"\nThis will be made:\n{layout.table(rows)}")
    if layers:
        print(f"\n{layout.paragraph('Its layers, which are tested together:')}")
        print(layout.table(explained(layers, answers.get("recipes", []))))
    print()
    choices = [Choice("yes, make it", "")]
    # What was found in a file was asked about before.
    choices += [Choice(f"change: {_label(key)}", key) for key in keys if key != own_data.QUESTION]
    wanted: str = questionary.select(
        "Is everything right?", choices=choices, instruction="(arrows, enter)"
    ).unsafe_ask()
    return wanted or None


def _label(question: str) -> str:
    return "data" if question == own_data.QUESTION else question.replace("_", " ")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return f"{value['target']} from {value['file']}"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value) or "none"


def explained(layers: Sequence[Mapping[str, Any]], chosen: Sequence[str]) -> list[tuple[str, str]]:
    """Each layer of a project, and why it is there."""
    rows = []
    for layer in layers:
        users = [one["name"] for one in layers if layer["name"] in one["requires"]]
        if layer["name"] in chosen:
            why = "chosen"
        elif layer["kind"] == "data":
            why = "for your file"
        elif users:
            why = f"needed by {', '.join(users)}"
        else:
            why = f"because no other {layer['kind']} was chosen"
        rows.append((layer["name"], f"{why}: {layer['summary']}"))
    return rows
