"""The models in use: loaded and tried in the background, and replaced at one stroke."""

import logging
import math
import textwrap
import threading
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic_core import from_json

from .. import pipeline
from ..runs import Run
from ..utils.errors import UserError
from ..utils.records import read_records, validate
from .monitoring import IN_USE, REFUSED
from .settings import Settings

logger = logging.getLogger(__name__)
FACTS = ("finished", "seed", "data_sha256", "model_sha256", "primary_metric")
# Over HTTP "1.5" is no number, and a field that nobody asked for is a misspelt one.
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class Loaded:
    """A model that gave finite predictions for the examples of its run, and the type of its input.

    A UserError where its files were changed, or where it does not predict.
    """

    def __init__(self, run: Run, max_examples: int) -> None:
        facts = run.metadata
        self.folder, self.sha256 = run.folder, str(facts["model_sha256"])
        self.version, self.name = self.sha256[:12], facts["workload"].title()
        self.card = {name: facts.get(name) for name in FACTS} | {"commit": facts["git"]["commit"]}
        self.card |= {"version": self.version, "run": run.folder.name, "metrics": run.metrics}
        self.model, path = pipeline.load_model(run), run.folder / "examples.jsonl"
        self.records = read_records(path)
        base = self.model.example_type
        predictions = self.model.predict(validate(self.records, base, path))
        if len(predictions) != len(self.records) or not all(map(is_finite, predictions)):
            raise UserError(f"{run.folder}: its model gives no finite prediction for {path.name}")
        self.prediction_type = type(predictions[0])
        content = {"__doc__": base.__doc__, "__pydantic_config__": STRICT}
        example: Any = type(f"{self.name}Example", (base,), content)
        self.one: TypeAdapter[Any] = TypeAdapter(example)
        limits = Field(min_length=1, max_length=max_examples, fail_fast=True)
        self.many: TypeAdapter[list[Any]] = TypeAdapter(Annotated[list[example], limits])
        # The field that a file can be sent for: the only one there is, if it holds base64.
        self.fields = self.one.json_schema()["properties"]
        known = textwrap.shorten(", ".join(self.fields), 1000, placeholder=" ...")
        self.unknown = f"unknown field; there is {known}"
        [name, *others] = self.fields
        encoded = not others and self.fields[name].get("contentEncoding") == "base64"
        self.upload: str | None = name if encoded else None

    def check(self, body: bytearray) -> tuple[list[Any], bool]:
        """Return the examples in a body, and whether they came as a list; a ValueError.

        A UserError for more fields than there are: pydantic would keep an error for each of them.
        """
        content = from_json(body)
        several = isinstance(content, list)
        for number, record in enumerate(content if several else [content]):
            if isinstance(record, dict) and len(record) > len(self.fields):
                raise UserError(f"{number}: {self.unknown}" if several else self.unknown)
        examples = (self.many if several else self.one).validate_json(body)
        return (examples if several else [examples]), several


class Models:
    """The model in use of each workload. Readers take it once per request, so none sees two."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.loaded: dict[str, Loaded] = {}
        self.problems: dict[str, str] = {}
        self.looked, self.stopped = threading.Event(), threading.Event()
        for name in settings.workloads:
            REFUSED.labels(name)  # there from the start, as 0

    def watch(self) -> None:
        """Look for promotions until stopped; this blocks, and is for a thread of its own."""
        while not self.stopped.is_set():
            for name in self.settings.workloads:
                self.refresh(name)
            self.looked.set()
            self.stopped.wait(self.settings.poll_seconds)

    def refresh(self, name: str) -> None:
        """Put a newly promoted model into use; while it cannot be, the old one stays."""
        try:
            self._replace(name, pipeline.served_run(name))
            problem = ""
        except BaseException as error:  # of any kind: a server that is away, a panic in Rust code
            problem = str(error) if isinstance(error, UserError) else repr(error)
        if problem and problem != self.problems.get(name):
            kept = f"{self.loaded[name].version} stays" if name in self.loaded else "none is in use"
            logger.error("%s: model not loaded, %s: %s", name, kept, problem)
            REFUSED.labels(name).inc()
        self.problems[name] = problem

    def _replace(self, name: str, run: Run) -> None:
        sha256, expected = run.metadata["model_sha256"], self.settings.expected_sha256.get(name)
        if expected and sha256 != expected:
            raise UserError(f"{run.folder}: its model is {sha256}, and {expected} is expected")
        present = self.loaded.get(name)
        if not present or (present.sha256, present.folder) != (sha256, run.folder):
            self.loaded[name] = Loaded(run, self.settings.max_examples)
            if present:
                IN_USE.labels(name, present.version).set(0)
            IN_USE.labels(name, sha256[:12]).set(1)
            logger.info("%s: model %s of %s is in use", name, sha256[:12], run.folder.name)


def is_finite(prediction: Any) -> bool:
    """Tell whether the numbers of a prediction are finite; a class is none."""
    numbers = [prediction.prediction, *(prediction.probabilities or {}).values()]
    return all(math.isfinite(number) for number in numbers if not isinstance(number, str))
