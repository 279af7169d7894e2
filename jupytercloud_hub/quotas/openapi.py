"""The quota service's API in OpenAPI 3.1, made from the models that its handlers read and write. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import RootModel

from ..contracts.admission import ADMISSION_SCOPE, AdmissionAnswer, AdmissionRequest
from ..contracts.budget_left import BudgetsAsked, BudgetsLeft
from ..contracts.stops import StopList
from ..web.openapi import Api, Call
from ..web.openapi import document as framed
from .grants import GrantList, GrantRequest, GrantView
from .report import UsageReport

MOST_DAYS = 366


class AdmissionBody(RootModel[AdmissionRequest]):
    """A reserve, a confirm or a release of one start."""

    root: AdmissionRequest


CALLS = (
    Call(
        "post",
        "/api/v1/admission",
        f"May this server start? For tokens with {ADMISSION_SCOPE}",
        AdmissionAnswer,
        AdmissionBody,
        refusals=(409, 422),
    ),
    Call(
        "post",
        "/api/v1/budgets",
        f"Where a person's budgets stand, for her spawn form. For tokens with {ADMISSION_SCOPE}",
        BudgetsLeft,
        BudgetsAsked,
    ),
    Call("get", "/api/v1/stops", "Whom the culler is to stop, and why", StopList),
    Call("get", "/api/v1/usage", "What a person used, and what is left", UsageReport, asks=("user", "days")),
    Call("get", "/api/v1/export.json", "The same as a file", UsageReport, asks=("user", "days")),
    Call("get", "/api/v1/export.csv", "Days and profiles as CSV", None, asks=("user", "days"), media="text/csv"),
    Call(
        "get", "/api/v1/grants", "The grants of what one manages", GrantList, asks=("account", "name"), refusals=(404,)
    ),
    Call("post", "/api/v1/grants", "Give somebody more", GrantView, GrantRequest, refusals=(422,), status=201),
    Call("delete", "/api/v1/grants/{number}", "End a grant now", GrantView, asks=("number",), refusals=(404,)),
)
MEANINGS = {
    400: "The body or a parameter can't be read.",
    401: "No token, or one that the hub does not know.",
    403: "The token lacks the scope, or its owner the right.",
    404: "It is not there.",
    409: "This start was never reserved, or is over.",
    422: "It can be read and makes no sense: another hub's, another person's, an end before its beginning.",
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


API = Api(
    title="JupyterCloud quotas",
    description="What was used, what is left, who may start what, and who was given more.",
    calls=CALLS,
    meanings=MEANINGS,
    parameters=_PARAMETERS,
)


def document(prefix: str) -> dict[str, Any]:
    """Return the document of the service at ``prefix``, a path that begins and ends with a slash."""
    return framed(API, prefix)
