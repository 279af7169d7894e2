"""Links into a person's own server keep their query byte for byte."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tornado.httputil import HTTPServerRequest


def user_redirect_hook(path: str, request: HTTPServerRequest, user: Any, base_url: str) -> str:
    """Return where ``/hub/user-redirect/<path>?<query>`` leads.

    JupyterHub's own way decodes the query and encodes it anew: ``?reset`` is lost and ``%20`` becomes ``+``.
    Here path and query come from the raw request line, as they were sent.
    """
    target = request.uri or ""
    _, _, rest = target.partition("/user-redirect/")
    own = f"{user.url.rstrip('/')}/{rest}"
    if user.spawner.ready:
        return own
    return f"{base_url}hub/spawn/{user.escaped_name}?next={quote(own, safe='')}"
