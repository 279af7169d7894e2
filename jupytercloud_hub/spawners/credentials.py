"""``/hub/api/jupytercloud/credentials/NAME``: a server asks for the credentials of its own person's remote storage.

No credential stands in an environment, a service or a pod: a server asks with its own token, each time that it needs
fresh ones, and gets those of the person to whom the token belongs. S3 keys are temporary and come from the storage's
token service (AWS STS, AssumeRoleWithWebIdentity); WebDAV takes the person's access token (RFC 6750).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import httpx
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.utils import compare_token
from tornado.web import HTTPError

from ..contracts.text import Text
from ..profiles.remotes import Remote
from ..web.hub_pages import request_language
from ..web.i18n import render
from .http import asked

LEEWAY_SECONDS = 120
"""A token that ends sooner is refreshed first."""
ANSWER_SECONDS = 10.0
LARGEST_ANSWER = 100_000
_AGAIN = Text("Your login has ended: please log in to the hub again, then repeat this.")


class NoCredentialsError(Exception):
    """The storage's token service gave none; the message is for the operator."""


class CredentialsHandler(APIHandler):
    """Answers ``{"kind": "webdav", "token", "expires"}`` or ``{"kind": "s3", "access_key", …, "expires"}``."""

    async def get(self, name: str) -> None:
        user = self.current_user
        spawner = _server_of(user, self.get_auth_token() or "")
        if spawner is None:
            raise self._no(403, Text("Only a running server's own token gets credentials."))
        remote = _remote_of(spawner, name)
        if remote is None:
            raise self._no(404, Text("This server's profile has no remote storage of this name."))
        state = await self._tokens(user)
        token = state[f"{remote.trusts}_token"]
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", "application/json")
        if remote.kind == "webdav":
            self.write(json.dumps({"kind": "webdav", "token": token, "expires": _moment(state.get("expires_at"))}))
            return
        try:
            keys = await assume_role(remote, token, user.name)
        except NoCredentialsError as error:
            self.log.warning("Remote storage %s: %s", remote.name, error)
            raise self._no(
                502, Text("The storage gave no keys; the hub's operator finds the reason in the log.")
            ) from None
        self.write(json.dumps({"kind": "s3", **keys}))

    def _no(self, status: int, text: Text) -> HTTPError:
        return HTTPError(status, render(text, request_language(self, self.current_user)))

    async def _tokens(self, user: Any) -> Mapping[str, Any]:
        state = await user.get_auth_state() or {}
        if float(state.get("expires_at") or 0) < time.time() + LEEWAY_SECONDS:
            await self.refresh_auth(user, force=True)
            state = await user.get_auth_state() or {}
        if not state.get("access_token") or not state.get("id_token"):
            raise self._no(409, _AGAIN)
        if float(state.get("expires_at") or 0) < time.time():
            raise self._no(409, _AGAIN)
        return state


def _server_of(user: Any, token: str) -> Any:
    """The running server whose own token it is: neither a person's other tokens nor her browser get credentials.

    JupyterHub keeps the token, hashed, as the secret of the server's OAuth client, also over a restart of the hub.
    """
    for spawner in list(getattr(user, "spawners", {}).values()):
        client = spawner.orm_spawner.oauth_client if spawner.active else None
        if client is not None and client.secret and token and compare_token(client.secret, token):
            return spawner
    return None


def _remote_of(spawner: Any, name: str) -> Remote | None:
    record = getattr(spawner, "_record", None)
    profile = spawner.catalogue.get(record.profile) if record is not None else None
    return next((remote for remote in profile.remotes if remote.name == name), None) if profile else None


def _moment(seconds: Any) -> str | None:
    return datetime.fromtimestamp(float(seconds), UTC).isoformat() if seconds else None


async def assume_role(remote: Remote, token: str, username: str) -> dict[str, str]:
    """Exchange a token for temporary S3 keys: ``access_key``, ``secret_key``, ``session_token``, ``expires``.

    Raises `NoCredentialsError`: no answer in time, a refusal, or an answer of another shape.
    Source: AWS STS API, AssumeRoleWithWebIdentity (version 2011-06-15), which MinIO and Ceph speak too.
    """
    url = remote.sts or remote.url
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "WebIdentityToken": token,
        "DurationSeconds": str(round(remote.duration.total_seconds())),
        "RoleSessionName": "".join(each if each.isascii() and each.isalnum() else "-" for each in username)[:64],
        **({"RoleArn": remote.role} if remote.role else {}),
    }
    server = await asked(url)
    try:
        async with asyncio.timeout(ANSWER_SECONDS), server.slots:
            status, content = await _post(server.client, url, form)
    except TimeoutError:
        raise NoCredentialsError(f"{url} did not answer within {ANSWER_SECONDS:g} s") from None
    except httpx.HTTPError as error:
        raise NoCredentialsError(f"{url}: {type(error).__name__}") from None
    if status != httpx.codes.OK:
        raise NoCredentialsError(f"{url}: HTTP {status} {_code_of(content)}".rstrip())
    found = _texts(content)
    try:
        return {
            "access_key": found["AccessKeyId"],
            "secret_key": found["SecretAccessKey"],
            "session_token": found["SessionToken"],
            "expires": found["Expiration"],
        }
    except KeyError as error:
        raise NoCredentialsError(f"{url}: an answer without {error.args[0]}") from None


async def _post(client: httpx.AsyncClient, url: str, form: Mapping[str, str]) -> tuple[int, bytes]:
    async with client.stream("POST", url, data=form, headers={"Accept": "application/xml"}) as answer:
        content = bytearray()
        async for chunk in answer.aiter_bytes():
            content += chunk
            if len(content) > LARGEST_ANSWER:
                raise NoCredentialsError(f"{url}: an answer of more than {LARGEST_ANSWER} bytes")
        return answer.status_code, bytes(content)


def _texts(content: bytes) -> dict[str, str]:
    """The texts of an answer's elements by name, whatever its namespace; nothing of one that is no plain XML."""
    if b"<!DOCTYPE" in content:
        return {}
    try:
        root = ElementTree.fromstring(content)  # noqa: S314 - no document type, bounded size
    except ElementTree.ParseError:
        return {}
    return {element.tag.rpartition("}")[2]: element.text.strip() for element in root.iter() if element.text}


def _code_of(content: bytes) -> str:
    """A refusal's code, such as AccessDenied; its message may repeat the token and is not told."""
    code = _texts(content).get("Code", "")
    return code if code.isalnum() else ""
