"""The description of the API (OpenAPI 3.1), made from the types that read and write the calls."""

from functools import cache
from typing import Any

import msgspec

from anchord import __version__

from .calls import CALLS, MESSAGE, Call
from .messages import PROBLEM, Problem

_REFERENCE = "#/components/schemas/{name}"


@cache
def description() -> dict[str, Any]:
    """The whole document."""
    schemas = _schemas()
    return {
        "openapi": "3.1.0",
        "info": {"title": "anchord", "version": __version__},
        "paths": {
            path: {method.lower(): _operation(call, method, schemas) for method in call.methods}
            for path, call in CALLS.items()
            if call.is_built
        },
        "components": {"schemas": schemas},
    }


def _schemas() -> dict[str, Any]:
    kinds = [Problem, *(one for call in CALLS.values() for one in _kinds(call))]
    _, schemas = msgspec.json.schema_components(
        [kind for kind in kinds if kind not in (bytes, dict)], ref_template=_REFERENCE
    )
    return schemas


def _kinds(call: Call) -> list[Any]:
    return [kind for kind in (call.query, call.body, call.answer) if kind is not None]


def _operation(call: Call, method: str, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": call.summary,
        "responses": {
            "200": {"description": "the answer", "content": _content(call.answer, call.media_type)},
            "default": {"description": "a problem", "content": _content(Problem, PROBLEM)},
        },
    }
    if method == "POST":
        content = _content(call.body, call.media_type)
        operation["requestBody"] = {"required": True, "content": content}
    elif call.query is not None:
        asked = schemas[call.query.__name__]
        operation["parameters"] = [
            {"name": name, "in": "query", "required": name in asked["required"], "schema": schema}
            for name, schema in asked["properties"].items()
        ]
    return operation


def _content(kind: Any, media_type: str) -> dict[str, Any]:
    if media_type == MESSAGE:
        return {media_type: {}}
    if kind is dict:
        return {media_type: {"schema": {"type": "object"}}}
    return {media_type: {"schema": {"$ref": _REFERENCE.format(name=kind.__name__)}}}
