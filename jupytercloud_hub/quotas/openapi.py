"""The quota service's API in OpenAPI 3.1, made from the models that its handlers read and write. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import BaseModel, RootModel
from pydantic.json_schema import models_json_schema

from .. import __version__
from ..contracts.admission import ADMISSION_SCOPE, AdmissionAnswer, AdmissionRequest
from ..contracts.model import Model
from ..contracts.stops import StopList
from .grants import GrantList, GrantRequest, GrantView
from .report import UsageReport

REFERENCE = "#/components/schemas/{model}"
MOST_DAYS = 366


class AdmissionBody(RootModel[AdmissionRequest]):
    """A reserve, a confirm or a release of one start."""

    root: AdmissionRequest


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
    asks: tuple[str, ...] = ()
    refusals: tuple[int, ...] = ()
    status: int = 200


CALLS = (
    Call(
        "post",
        "/api/v1/admission",
        f"May this server start? For tokens with {ADMISSION_SCOPE}",
        AdmissionAnswer,
        AdmissionBody,
        refusals=(409,),
    ),
    Call("get", "/api/v1/stops", "Whom the culler is to stop, and why", StopList),
    Call("get", "/api/v1/usage", "What a person used, and what is left", UsageReport, asks=("user", "days")),
    Call("get", "/api/v1/export.json", "The same as a file", UsageReport, asks=("user", "days")),
    Call("get", "/api/v1/export.csv", "Days and profiles as CSV", None, asks=("user", "days")),
    Call(
        "get", "/api/v1/grants", "The grants of what one manages", GrantList, asks=("account", "name"), refusals=(404,)
    ),
    Call("post", "/api/v1/grants", "Give somebody more", GrantView, GrantRequest, status=201),
    Call("delete", "/api/v1/grants/{number}", "End a grant now", GrantView, asks=("number",), refusals=(404,)),
)
MEANINGS = {
    400: "The body or a parameter can't be read, or what it asks makes no sense.",
    401: "No token, or one that the hub does not know.",
    403: "The token lacks the scope, or its owner the right.",
    404: "It is not there.",
    409: "This start was never reserved, or is over.",
}
_PARAMETERS: dict[str, dict[str, Any]] = {
    "user": {
        "in": "query",
        "description": "JupyterHub's username; oneself where left out, others for administrators.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
    "days": {
        "in": "query",
        "description": "How many days, today the last.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MOST_DAYS, "default": 30},
    },
    "account": {
        "in": "query",
        "description": "Kind of account; goes with `name`.",
        "schema": {"type": "string", "enum": ["person", "group", "organization", "hub"]},
    },
    "name": {
        "in": "query",
        "description": "Whose grants; goes with `account`.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
    "number": {
        "in": "path",
        "required": True,
        "description": "Number of the grant.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 10**15 - 1},
    },
}


def document(prefix: str) -> dict[str, Any]:
    """Return the document of the service at ``prefix``, a path that begins and ends with a slash."""
    wanted = {(call.takes, "validation") for call in CALLS if call.takes}
    wanted |= {(call.answer, "serialization") for call in CALLS if call.answer} | {(ErrorView, "serialization")}
    ordered = sorted(wanted, key=lambda item: (item[0].__name__, item[1]))
    names, found = models_json_schema(ordered, ref_template=REFERENCE)  # type: ignore[arg-type]

    def body(model: type[BaseModel], mode: str) -> dict[str, Any]:
        return {"application/json": {"schema": names[model, mode]}}  # type: ignore[index]

    paths: dict[str, Any] = {}
    for call in CALLS:
        done: dict[str, Any] = {"description": "Done."}
        done["content"] = (
            body(call.answer, "serialization") if call.answer else {"text/csv": {"schema": {"type": "string"}}}
        )
        refusals = sorted({401, 403, *call.refusals} | ({400} if call.takes or call.asks else set()))
        operation: dict[str, Any] = {
            "operationId": f"{call.method} {call.path}",
            "summary": call.summary,
            "security": [{"token": []}],
            "parameters": [{"name": name, **_PARAMETERS[name]} for name in call.asks],
            "responses": {
                str(call.status): done,
                **{
                    str(status): {"description": MEANINGS[status], "content": body(ErrorView, "serialization")}
                    for status in refusals
                },
            },
        }
        if call.takes:
            operation["requestBody"] = {"required": True, "content": body(call.takes, "validation")}
        paths.setdefault(call.path, {})[call.method] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "JupyterCloud quotas",
            "version": __version__,
            "description": "What was used, what is left, who may start what, and who was given more.",
        },
        "servers": [{"url": prefix.rstrip("/")}],
        "paths": paths,
        "components": {
            "schemas": found["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A JupyterHub API token."}
            },
        },
    }
