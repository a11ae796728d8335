"""The documentation of the service: the fields of the models that are in use at this moment."""

from dataclasses import dataclass, make_dataclass
from typing import Any, Self, get_type_hints

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from .models import Loaded, Models

REFUSALS = {
    408: "The body came too slowly",
    413: "The body is too large",
    415: "The body is of another type",
    422: "The body is no valid input",
    500: "The model failed",
    503: "Too many requests at a time, or no model",
}


@dataclass
class Health:
    """That the process answers, or that it can predict."""

    status: str


@dataclass
class Failure:
    """What went wrong, and the id under which the log tells more."""

    error: str
    request_id: str


@dataclass
class Card:
    """Where a model comes from, and what was measured on its test data."""

    version: str
    run: str
    finished: str
    commit: str | None
    seed: int | None
    data_sha256: str
    model_sha256: str
    metrics: dict[str, Any]

    @classmethod
    def of(cls, loaded: Loaded) -> Self:
        """Take the facts from a run."""
        facts, run = loaded.metadata, loaded.run.folder.name
        hashes = facts["data_sha256"], facts["model_sha256"]
        origin = facts["finished"], facts["git"]["commit"], facts.get("seed")
        return cls(loaded.version, run, *origin, *hashes, loaded.metrics)


def document(app: FastAPI, models: Models) -> dict[str, Any]:
    """Return the OpenAPI document; the first workload answers without its name too."""
    result = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    for number, name in enumerate(models.settings.workloads):
        if loaded := models.loaded.get(name):
            operation = _operation(loaded, schemas)
            for path in [f"/predict/{name}", *(["/predict"] if number == 0 else [])]:
                identity = path.strip("/").replace("/", "_")
                result["paths"][path] = {"post": operation | {"operationId": identity}}
    return result


def _operation(loaded: Loaded, schemas: dict[str, Any]) -> dict[str, Any]:
    """Describe a prediction with the model's own types, and add those to `schemas`."""
    fields = get_type_hints(loaded.prediction_type, include_extras=True)
    fields |= {"model_version": str, "request_id": str}
    answer: Any = make_dataclass(f"{loaded.name}Answer", fields.items(), namespace={"__doc__": ""})
    adapters: list[tuple[str, Any, TypeAdapter[Any]]] = [
        ("one", "validation", loaded.one),
        ("many", "validation", loaded.many),
        ("answer", "serialization", TypeAdapter(answer)),
        ("failure", "serialization", TypeAdapter(Failure)),
    ]
    found, definitions = TypeAdapter.json_schemas(
        adapters, ref_template="#/components/schemas/{model}"
    )
    schemas |= definitions["$defs"]
    one, many, answers, failed = (found[key, mode] for key, mode, _ in adapters)
    examples = {"one": {"value": loaded.records[0]}, "several": {"value": loaded.records[:2]}}
    body = {"application/json": {"schema": {"anyOf": [one, many]}, "examples": examples}}
    if field := loaded.upload:
        file = {"type": "string", "contentMediaType": "application/octet-stream"}
        form = {"type": "object", "properties": {field: file}, "required": [field]}
        body["multipart/form-data"] = {"schema": form}
    good = {"anyOf": [answers, {"type": "array", "items": answers}]}
    responses = {200: {"description": "The prediction, or a list of them", "content": _json(good)}}
    responses |= {
        status: {"description": text, "content": _json(failed)} for status, text in REFUSALS.items()
    }
    return {
        "summary": f"Predict with the {loaded.name.lower()} model {loaded.version}",
        "requestBody": {"required": True, "content": body},
        "responses": {str(status): response for status, response in responses.items()},
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
