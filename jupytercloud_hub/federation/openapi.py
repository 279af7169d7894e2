"""The OpenAPI 3.1 document of the federation service, made from the models that its API takes and gives. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from .. import __version__
from ..contracts.heartbeat import Heartbeat
from . import api_models as m

NAME = r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$"
SITE = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "pattern": NAME}}
USER = {"name": "user", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1, "maxLength": 255}}
KEY = {"name": "key", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[0-9a-f]{12}$"}}
LINK_NAME = r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$"


def query(name: str, text: str, pattern: str = "") -> dict[str, Any]:
    """Return an optional parameter of the query."""
    schema = {"type": "string", "maxLength": 300, **({"pattern": pattern} if pattern else {})}
    return {"name": name, "in": "query", "required": False, "description": text, "schema": schema}


REASON = query("reason", "Why, for the audit trail.")


@dataclass(frozen=True)
class Operation:
    """One operation: ``errors`` are the statuses beside success, 400, 405 and 503, which everything may answer."""

    method: str
    path: str
    summary: str
    answer: type[BaseModel] | None
    body: type[BaseModel] | None = None
    status: int = 200
    also: int | None = None
    errors: tuple[int, ...] = ()
    parameters: tuple[dict[str, Any], ...] = ()
    security: str = "token"


PUBLIC, SIGNED, TOKEN = "", "signature", "token"
LOGGED_IN = (401, 403)

OPERATIONS: tuple[Operation, ...] = (
    Operation("get", "status", "State of all sites, with transitions", m.Status, security=PUBLIC),
    Operation(
        "get",
        "explain",
        "Where somebody is sent, and why not elsewhere",
        m.Explanation,
        errors=(*LOGGED_IN, 404),
        parameters=(
            query("user", "The portal's name of the person; oneself when empty. Others need the scope explain."),
            query("profile", "The profile that the link names.", LINK_NAME),
            query("site", "The site that the link names.", LINK_NAME),
        ),
    ),
    Operation(
        "get",
        "home-sites",
        "Home sites, a page at a time",
        m.HomeSitePage,
        errors=LOGGED_IN,
        parameters=(query("site", "Only those at home at this site."), query("after", "`next` of the page before.")),
    ),
    Operation(
        "get", "home-sites/{user}", "A person's home site", m.HomeSiteItem, errors=(*LOGGED_IN, 404), parameters=(USER,)
    ),
    Operation(
        "put",
        "home-sites/{user}",
        "Set or move a home site, with a reason",
        m.HomeSiteItem,
        m.HomeSiteBody,
        errors=(*LOGGED_IN, 404),
        parameters=(USER,),
    ),
    Operation(
        "delete",
        "home-sites/{user}",
        "Take a home site away",
        None,
        status=204,
        errors=(*LOGGED_IN, 404),
        parameters=(USER, REASON),
    ),
    Operation("get", "sites", "All sites as operators see them", m.SitePage, errors=LOGGED_IN),
    Operation(
        "get",
        "sites/{name}",
        "A site as its operator sees it",
        m.SiteDetails,
        errors=(*LOGGED_IN, 404),
        parameters=(SITE,),
    ),
    Operation(
        "put",
        "sites/{name}",
        "Register a site, or change a registered one",
        m.SiteDetails,
        m.SiteBody,
        also=201,
        errors=(*LOGGED_IN, 404, 409),
        parameters=(SITE,),
    ),
    Operation(
        "delete",
        "sites/{name}",
        "Remove a registered site",
        None,
        status=204,
        errors=(*LOGGED_IN, 404, 409),
        parameters=(SITE, REASON),
    ),
    *(
        operation
        for what, text in (("drain", "Let nobody new in"), ("maintenance", "Announce maintenance"))
        for operation in (
            Operation(
                "put",
                f"sites/{{name}}/{what}",
                text,
                m.SiteDetails,
                m.Announcement,
                errors=(*LOGGED_IN, 404),
                parameters=(SITE,),
            ),
            Operation(
                "delete",
                f"sites/{{name}}/{what}",
                f"{text}: end it",
                None,
                status=204,
                errors=(*LOGGED_IN, 404),
                parameters=(SITE, REASON),
            ),
        )
    ),
    Operation(
        "post",
        "sites/{name}/join-tokens",
        "Make a token with which the site joins, once",
        m.JoinToken,
        status=201,
        errors=(*LOGGED_IN, 404),
        parameters=(SITE,),
    ),
    Operation(
        "delete",
        "sites/{name}/keys/{key}",
        "Make a key worthless",
        None,
        status=204,
        errors=(*LOGGED_IN, 404),
        parameters=(SITE, KEY),
    ),
    Operation(
        "get",
        "audit",
        "Who did what, when, why",
        m.AuditPage,
        errors=LOGGED_IN,
        parameters=(query("target", "Only on this."),),
    ),
    Operation(
        "post", "join", "Bring a site's key, with a join token", m.Joined, m.JoinBody, errors=(401,), security=PUBLIC
    ),
    Operation(
        "post",
        "sites/{name}/keys",
        "A site's next key, signed with the present one",
        m.Joined,
        m.KeyBody,
        errors=(401, 404, 409),
        parameters=(SITE,),
        security=SIGNED,
    ),
    Operation(
        "post",
        "heartbeats",
        "A site's heartbeat, signed by the site",
        m.HeartbeatAnswer,
        Heartbeat,
        errors=(401, 413),
        security=SIGNED,
    ),
)

MEANINGS = {
    200: "Done",
    201: "Made",
    204: "Done, nothing to tell",
    400: "The request can't be read",
    401: "No token, or one that is not good",
    403: "Not with this account or token",
    404: "Not known",
    405: "The address does not take this method",
    409: "It stands in the settings file, or belongs to another",
    413: "Too long",
    429: "Too many requests",
    503: "Hub or database is away",
}


@dataclass
class _Schemas:
    """Schemas of the models, one of each for what is sent and what is answered."""

    taken: dict[type[BaseModel], Any] = field(default_factory=dict)
    given: dict[type[BaseModel], Any] = field(default_factory=dict)
    definitions: dict[str, Any] = field(default_factory=dict)


@cache
def _schemas() -> _Schemas:
    taken = sorted({o.body for o in OPERATIONS if o.body}, key=lambda model: model.__name__)
    given = sorted({o.answer for o in OPERATIONS if o.answer} | {m.Error}, key=lambda model: model.__name__)
    wanted = [(model, "validation") for model in taken] + [(model, "serialization") for model in given]
    by_model, top = models_json_schema(wanted, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    return _Schemas(
        {model: by_model[(model, "validation")] for model in taken},
        {model: by_model[(model, "serialization")] for model in given},
        _explained(top["$defs"]),
    )


def _explained(definitions: dict[str, Any]) -> dict[str, Any]:
    """Give a reference without words the words of the model that it names."""
    for schema in definitions.values():
        for value in schema.get("properties", {}).values():
            if set(value) == {"$ref"}:
                value["description"] = definitions[value["$ref"].rpartition("/")[2]].get("description", "")
    return definitions


def document(prefix: str) -> dict[str, Any]:
    """Return the document; ``prefix`` is the path of the service on its host."""
    schemas = _schemas()
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(f"/api/v1/{operation.path}", {})[operation.method] = _described(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "JupyterCloud federation service",
            "version": __version__,
            "description": "Sites of a federation: their states, who is sent where and why, home sites, heartbeats.",
        },
        "servers": [{"url": prefix.rstrip("/")}],
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "securitySchemes": {
                TOKEN: {"type": "http", "scheme": "bearer", "description": "A token of the portal's JupyterHub."},
                SIGNED: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "EdDSA, by the site: iss, aud, iat, exp, jti, and the body's SHA-256.",
                },
            },
        },
    }


def _described(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    error = {"application/json": {"schema": schemas.given[m.Error]}}
    answers: dict[str, Any] = {}
    for status in (operation.status, operation.also):
        if status is not None:
            answers[str(status)] = {"description": MEANINGS[status]}
            if operation.answer is not None:
                answers[str(status)]["content"] = {"application/json": {"schema": schemas.given[operation.answer]}}
    for status in (400, *operation.errors, 405, 429, 503):
        answers[str(status)] = {"description": MEANINGS[status], "content": error}
    described: dict[str, Any] = {
        "operationId": f"{operation.method}-{operation.path}".replace("/", "-").replace("{", "").replace("}", ""),
        "summary": operation.summary,
        "security": [{operation.security: []}] if operation.security else [],
        "responses": answers,
    }
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    if operation.body is not None:
        content = {"application/json": {"schema": schemas.taken[operation.body]}}
        described["requestBody"] = {"required": True, "content": content}
    return described
