"""The culler's API in OpenAPI 3.1, made from the models that its handlers read and write. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from .. import __version__
from ..contracts.model import Model
from .api import DEFAULT_SERVER, ActivityReport, MaintenanceView, PlanView, ServerView

REFERENCE = "#/components/schemas/{model}"


class ErrorDetail(Model):
    """What went wrong; ``code`` is for programs and does not change, the words are for people."""

    code: str
    message: str
    detail: str


class ErrorView(Model):
    """The body of every refusal."""

    error: ErrorDetail


class Call(NamedTuple):
    """One method of one path."""

    method: str
    path: str
    summary: str
    answer: type[BaseModel] | None
    takes: type[BaseModel] | None = None
    refusals: tuple[int, ...] = ()


SERVER = "/api/v1/servers/{user}/{server}"
CALLS = (
    Call("get", SERVER, "When a server stops, and why", ServerView, refusals=(404, 503)),
    Call("post", f"{SERVER}/keep", 'Put the stop off: "keep it"', ServerView, refusals=(404, 409, 503)),
    Call(
        "post",
        f"{SERVER}/activity",
        "What a server itself says of its activity",
        ServerView,
        ActivityReport,
        (404, 503),
    ),
    Call("get", "/api/v1/plan", "What a pass would do now, server by server", PlanView, refusals=(503,)),
    Call("get", "/api/v1/maintenance", "The maintenance that is announced", MaintenanceView, refusals=(404,)),
    Call("put", "/api/v1/maintenance", "Stop everything by an hour", MaintenanceView, MaintenanceView),
    Call("delete", "/api/v1/maintenance", "Take the announcement back", None),
)
MEANINGS = {
    400: "The body can't be read.",
    401: "No token, or one that the hub does not know.",
    403: "Neither the owner's token nor an administrator's.",
    404: "It is not there.",
    409: "The policy does not let the stop be put off; `code` says why.",
    503: "The hub does not answer.",
}
_NAMES = {
    "user": "JupyterHub's username.",
    "server": f'JupyterHub\'s server name; "{DEFAULT_SERVER}" is the default server, whose name is empty.',
}


def document(prefix: str) -> dict[str, Any]:
    """Return the document of the service at ``prefix``, a path that begins and ends with a slash."""
    taken = {call.takes for call in CALLS if call.takes}
    given = {call.answer for call in CALLS if call.answer} | {ErrorView}
    wanted = [(model, "validation") for model in taken] + [(model, "serialization") for model in given]
    wanted.sort(key=lambda item: (item[0].__name__, item[1]))
    names, found = models_json_schema(wanted, ref_template=REFERENCE)  # type: ignore[arg-type]

    def schema(model: type[BaseModel], mode: str) -> dict[str, Any]:
        return {"application/json": {"schema": names[model, mode]}}  # type: ignore[index]

    paths: dict[str, Any] = {}
    for call in CALLS:
        done: dict[str, Any] = {"description": "Done."}
        if call.answer:
            done["content"] = schema(call.answer, "serialization")
        refusals = sorted({401, 403, *call.refusals} | ({400} if call.takes else set()))
        operation: dict[str, Any] = {
            "operationId": f"{call.method} {call.path}",
            "summary": call.summary,
            "security": [{"token": []}],
            "parameters": [_parameter(name) for name in _NAMES if f"{{{name}}}" in call.path],
            "responses": {
                "200" if call.answer else "204": done,
                **{
                    str(status): {"description": MEANINGS[status], "content": schema(ErrorView, "serialization")}
                    for status in refusals
                },
            },
        }
        if call.takes:
            operation["requestBody"] = {"required": True, "content": schema(call.takes, "validation")}
        paths.setdefault(call.path, {})[call.method] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "JupyterCloud culler",
            "version": __version__,
            "description": "When a server stops, and why; keep it; what would be stopped now; maintenance.",
        },
        "servers": [{"url": prefix.rstrip("/")}],
        "paths": paths,
        "components": {
            "schemas": found["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A JupyterHub API token, a server's too."}
            },
        },
    }


def _parameter(name: str) -> dict[str, Any]:
    kind = {"type": "string", "minLength": 1, "maxLength": 255}
    return {"name": name, "in": "path", "required": True, "description": _NAMES[name], "schema": kind}
