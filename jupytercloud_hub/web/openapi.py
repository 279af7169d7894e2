"""The frame of a service's OpenAPI 3.1 document, filled from the models that its handlers read and write. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from .. import __version__
from ..contracts.model import Model

REFERENCE = "#/components/schemas/{model}"
ALWAYS = (401, 403)
"""What every call may be refused with: it needs a token, and rights."""


class ErrorDetail(Model):
    """What went wrong; ``code`` is for programs and does not change, the words are for people."""

    code: str
    message: str
    detail: str


class ErrorView(Model):
    """The body of every refusal."""

    error: ErrorDetail


class Call(NamedTuple):
    """One method of one path; ``asks`` names parameters, ``refusals`` are beside 401 and 403 (and 400 with a body)."""

    method: str
    path: str
    summary: str
    answer: type[BaseModel] | None
    takes: type[BaseModel] | None = None
    asks: tuple[str, ...] = ()
    refusals: tuple[int, ...] = ()
    status: int = 200
    media: str = "application/json"


class Api(NamedTuple):
    """What a service's document says beside its calls."""

    title: str
    description: str
    calls: Sequence[Call]
    meanings: Mapping[int, str]
    """What each status says of a refusal."""
    parameters: Mapping[str, dict[str, Any]]
    """OpenAPI's object of each parameter, without its name."""
    token: str = "A JupyterHub API token."  # noqa: S105 - words about one


def document(api: Api, prefix: str) -> dict[str, Any]:
    """Return the document of the service at ``prefix``, a path that begins and ends with a slash."""
    wanted = {(call.takes, "validation") for call in api.calls if call.takes}
    wanted |= {(call.answer, "serialization") for call in api.calls if call.answer} | {(ErrorView, "serialization")}
    ordered = sorted(wanted, key=lambda item: (item[0].__name__, item[1]))
    names, found = models_json_schema(ordered, ref_template=REFERENCE)  # type: ignore[arg-type]

    def body(model: type[BaseModel], mode: str) -> dict[str, Any]:
        return {"application/json": {"schema": names[model, mode]}}  # type: ignore[index]

    paths: dict[str, Any] = {}
    for call in api.calls:
        done: dict[str, Any] = {"description": "Done."}
        if call.answer:
            done["content"] = body(call.answer, "serialization")
        elif call.media != "application/json":
            done["content"] = {call.media: {"schema": {"type": "string"}}}
        refusals = sorted({*ALWAYS, *call.refusals} | ({400} if call.takes or _query(api, call) else set()))
        operation: dict[str, Any] = {
            "operationId": f"{call.method} {call.path}",
            "summary": call.summary,
            "security": [{"token": []}],
            "parameters": [{"name": name, **api.parameters[name]} for name in call.asks],
            "responses": {
                str(call.status): done,
                **{
                    str(status): {"description": api.meanings[status], "content": body(ErrorView, "serialization")}
                    for status in refusals
                },
            },
        }
        if call.takes:
            operation["requestBody"] = {"required": True, "content": body(call.takes, "validation")}
        paths.setdefault(call.path, {})[call.method] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": api.title, "version": __version__, "description": api.description},
        "servers": [{"url": prefix.rstrip("/")}],
        "paths": paths,
        "components": {
            "schemas": found["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": api.token}},
        },
    }


def _query(api: Api, call: Call) -> bool:
    return any(api.parameters[name]["in"] == "query" for name in call.asks)
