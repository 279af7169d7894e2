"""The culler's API in OpenAPI 3.1, made from the models that its handlers read and write. Pure."""

from __future__ import annotations

from typing import Any

from ..web.openapi import Api, Call
from ..web.openapi import document as framed
from .api import DEFAULT_SERVER, ActivityReport, MaintenanceView, PlanView, ServerView

SERVER = "/api/v1/servers/{user}/{server}"
OF_SERVER = ("user", "server")
NAME = {"type": "string", "minLength": 1, "maxLength": 255}

API = Api(
    title="JupyterCloud culler",
    description="When a server stops, and why; keep it; what would be stopped now; maintenance.",
    calls=(
        Call("get", SERVER, "When a server stops, and why", ServerView, asks=OF_SERVER, refusals=(404, 503)),
        Call(
            "post",
            f"{SERVER}/keep",
            'Put the stop off: "keep it"',
            ServerView,
            asks=OF_SERVER,
            refusals=(404, 409, 503),
        ),
        Call(
            "post",
            f"{SERVER}/activity",
            "What a server itself says of its activity",
            ServerView,
            ActivityReport,
            asks=OF_SERVER,
            refusals=(404, 422, 503),
        ),
        Call("get", "/api/v1/plan", "What a pass would do now, server by server", PlanView, refusals=(503,)),
        Call("get", "/api/v1/maintenance", "The maintenance that is announced", MaintenanceView, refusals=(404,)),
        Call(
            "put",
            "/api/v1/maintenance",
            "Stop everything by an hour",
            MaintenanceView,
            MaintenanceView,
            refusals=(422,),
        ),
        Call("delete", "/api/v1/maintenance", "Take the announcement back", None, status=204),
    ),
    meanings={
        400: "The body can't be read.",
        401: "No token, or one that the hub does not know.",
        403: "Neither the owner's token nor an administrator's.",
        404: "It is not there.",
        409: "The policy does not let the stop be put off; `code` says why.",
        422: "A moment that no calendar has.",
        503: "The hub does not answer.",
    },
    parameters={
        "user": {"in": "path", "required": True, "description": "JupyterHub's username.", "schema": NAME},
        "server": {
            "in": "path",
            "required": True,
            "description": f'JupyterHub\'s server name; "{DEFAULT_SERVER}" is the default one, whose name is empty.',
            "schema": NAME,
        },
    },
    token="A JupyterHub API token, a server's too.",  # noqa: S106 - words about one
)


def document(prefix: str) -> dict[str, Any]:
    """Return the document of the service at ``prefix``, a path that begins and ends with a slash."""
    return framed(API, prefix)
