"""What `mlmw new --data` asks at a terminal: whether that which was found in the file is right."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mlmw import layout, own_data
from mlmw.errors import Refusal
from mlmw.inspection import show
from mlmw.inspection.roles import Choices

Schema = dict[str, Any]
KEYS = "(arrows, enter)"


def told(schema: Mapping[str, Any], way: str) -> str:
    """What was found in the file, and what will be done with it."""
    used = sum(column["role"] == "feature" for column in schema["columns"])
    plan = (
        f"The project will predict {schema['target']} from {used} columns; {own_data.WAYS[way]}. "
        "No row of it and no personal column goes into the repository."
    )
    return f"{show.text(schema)}\n\n{layout.paragraph(plan)}"


def ask(decide: Callable[[Choices], Schema], choices: Choices, way: str) -> tuple[Schema, str]:
    """Show what was found, and let each choice be changed until it is right."""
    schema = decide(choices)
    while True:
        print(f"\n{told(schema, way)}\n")
        wanted = _select(
            "Is this right?",
            {
                "yes, go on": "",
                f"change: what is predicted ({schema['target']})": "target",
                f"change: a class or a number ({schema['task']})": "task",
                "change: what a column is for": "column",
                f"change: how the file comes into the project ({way})": "way",
            },
        )
        if not wanted:
            return schema, way
        if wanted == "way":
            way = _select("How?", {f"{name}: {told}": name for name, told in own_data.WAYS.items()})
            continue
        changed = _changed(wanted, schema, choices)
        try:
            schema, choices = decide(changed), changed
        except Refusal as refusal:
            print(layout.paragraph(f"{refusal}"))


def _changed(wanted: str, schema: Schema, choices: Choices) -> Choices:
    columns = {column["name"]: column for column in schema["columns"]}
    if wanted == "task":
        tasks = {"a class: classification": "classification", "a number: regression": "regression"}
        return replace(choices, target=schema["target"], task=_select("What is predicted?", tasks))
    names = {" ".join(name.split()): name for name in columns}
    if wanted == "target":
        uses = dict(choices.uses)
        target = _select("Which column is predicted?", names)
        uses.pop(target, None)
        return replace(choices, target=target, task=None, uses=uses)
    name = _select(
        "Which column?", {one: names[one] for one in names if names[one] != schema["target"]}
    )
    use = _select(
        f"What is {' '.join(name.split())} for?",
        {
            f"a feature ({columns[name]['kind']})": "feature",
            "a feature, its values as categories": "text",
            "rows with the same value stay in one part of the split": "group",
            "it is not used": "unused",
        },
    )
    texts = choices.texts | {name} if use == "text" else choices.texts
    use = "feature" if use == "text" else use
    return replace(choices, target=schema["target"], uses={**choices.uses, name: use}, texts=texts)


def _select(question: str, answers: Mapping[str, str]) -> str:
    import questionary
    from questionary import Choice

    choices = [Choice(title, value) for title, value in answers.items()]
    answer: str = questionary.select(question, choices=choices, instruction=KEYS).unsafe_ask()
    return answer
