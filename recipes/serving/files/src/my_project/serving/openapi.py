"""The documentation of the service: the fields of the models that are in use at this moment."""

from dataclasses import make_dataclass
from typing import Any, get_type_hints

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from .models import Loaded, Models

FILE = {"type": "string", "contentMediaType": "application/octet-stream"}
Failure = make_dataclass("Failure", [("error", str), ("request_id", str)])
FAILURE: dict[str, Any] = {"description": "What was wrong, in one line", "model": Failure}


def document(app: FastAPI, models: Models) -> dict[str, Any]:
    """Return the OpenAPI document; the first workload answers without its name too."""
    result = get_openapi(title=app.title, version=app.version, routes=app.routes)
    for number, name in enumerate(models.settings.workloads):
        if loaded := models.loaded.get(name):
            operation = _operation(loaded, result["components"]["schemas"])
            for path in [f"/predict/{name}", "/predict"][: 2 if number == 0 else 1]:
                named = operation | {"operationId": path[1:].replace("/", "_")}
                result["paths"][path] = {"post": named}
    return result


def _operation(loaded: Loaded, schemas: dict[str, Any]) -> dict[str, Any]:
    """Describe a prediction with the model's own types, and add those to `schemas`."""
    fields = get_type_hints(loaded.prediction_type, include_extras=True)
    fields |= {"model_version": str, "request_id": str}
    answer_type = make_dataclass(f"{loaded.name}Answer", fields.items(), namespace={"__doc__": ""})
    answer: TypeAdapter[Any] = TypeAdapter(answer_type)
    types: list[tuple[str, Any, TypeAdapter[Any]]] = [("one", "validation", loaded.one)]
    types += [("many", "validation", loaded.many), ("answer", "serialization", answer)]
    found, shared = TypeAdapter.json_schemas(types, ref_template="#/components/schemas/{model}")
    schemas |= shared["$defs"]
    one, many, answered = found.values()
    good = _json({"anyOf": [answered, {"type": "array", "items": answered}]})
    body = _json({"anyOf": [one, many]})
    examples = {"one": {"value": loaded.records[0]}, "several": {"value": loaded.records[:2]}}
    body["application/json"]["examples"] = examples
    if field := loaded.upload:
        form = {"type": "object", "properties": {field: FILE}, "required": [field]}
        body["multipart/form-data"] = {"schema": form}
    failed = _json({"$ref": "#/components/schemas/Failure"})
    return {
        "summary": f"Predict with the {loaded.name.lower()} model {loaded.version}",
        "requestBody": {"required": True, "content": body},
        "responses": {
            "200": {"description": "The prediction, or a list of them", "content": good},
            "default": {"description": FAILURE["description"], "content": failed},
        },
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
