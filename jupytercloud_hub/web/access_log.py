"""One line in the log for each request that a service answered, with nothing secret in it.

JupyterHub's own (``jupyterhub.log``) would do, but its module brings the hub's handlers, spawners, database models and
Alembic into every service process: 20 MiB of memory that no service uses.
"""

from __future__ import annotations

import logging
from typing import Any

from tornado.log import access_log
from tornado.web import RequestHandler, StaticFileHandler

SECRET = ("token", "auth", "key", "code", "state", "_xsrf")
"""A query parameter whose name contains one of these is not written down."""
SLOW_MS = 1000


def log_request(handler: RequestHandler) -> None:
    """Log a request; what went well and is of no interest (static files, health, 304) only for debugging."""
    request, status = handler.request, handler.get_status()
    took = 1000 * request.request_time()
    line = f"{status} {request.method} {without_secrets(request.uri or '')}"
    location = handler._headers.get("Location")  # tornado has no public way to read it
    if location and 300 <= status < 400:
        line += f" -> {without_secrets(location)}"
    access_log.log(_level(handler, status, took), "%s (%s@%s) %.2fms", line, _who(handler), request.remote_ip, took)


def without_secrets(uri: str) -> str:
    """Return the address with the values of secret parameters taken out; all else stays as it was sent."""
    path, mark, query = uri.partition("?")
    parts = [
        f"{name}=[secret]" if value and any(secret in name.lower() for secret in SECRET) else part
        for part in query.split("&")
        for name, _, value in [part.partition("=")]
    ]
    return path + mark + "&".join(parts)


def _level(handler: RequestHandler, status: int, took: float) -> int:
    if status >= 500:
        return logging.ERROR
    if status >= 400:
        return logging.WARNING
    dull = status == 304 or (status < 300 and (isinstance(handler, StaticFileHandler) or _is_health(handler)))
    return logging.DEBUG if dull and took < SLOW_MS else logging.INFO


def _is_health(handler: RequestHandler) -> bool:
    return handler.request.path.endswith("/health")


def _who(handler: RequestHandler) -> str:
    user: Any = getattr(handler, "user", None)
    return str(user["name"]) if isinstance(user, dict) else ""
