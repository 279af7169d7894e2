"""``check --spawn``: a real server and a real kernel, as a person has them, and nothing left behind.

The token is the test person's own, from her page ``hub/token``, or one that holds ``read:users``, ``servers`` and
``access:servers`` for her: the start takes exactly the way that everybody's takes.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from ...contracts.finding import Finding
from ...contracts.text import Text
from .look import Look, reason

AREA = "spawn"
START_SECONDS, KERNEL_SECONDS, STOP_SECONDS = 300.0, 90.0, 90.0
CODE = """
import json, os, pathlib
def attempt(work):
    try:
        work()
    except OSError as error:
        return f"{error.strerror}: {error.filename}"
    return ""
def write():
    mark = pathlib.Path.home() / f".jupytercloud-check-{os.getpid()}"
    mark.write_text("written by jupytercloud check")
    mark.unlink()
folders = json.loads(%r)
print(json.dumps({"sum": 6 * 7, "home": attempt(write), "cvmfs": {f: attempt(lambda: os.listdir(f)) for f in folders}}))
"""
"""What the kernel runs: it computes, writes in the home, and reads what its profile promises of CVMFS."""
SCOPES = "read:users, servers, access:servers"
NOBODY = Text("nobody gets a server")


class _Failed(Exception):
    """What went wrong, as it is told."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding.what))
        self.finding = finding


async def look(at: Look, profile: str) -> list[Finding]:
    """Start a server of a profile (empty: the default one), let a kernel compute, stop it. Takes up to minutes."""
    if not at.token:
        return [at.unseen(AREA, Text("no server was started"))]
    found: list[Finding] = []
    try:
        name = await _person(at)
        async with _server(at, name, profile, found) as url:
            found += await _kernel(at, url, _cvmfs(at, profile))
    except _Failed as failed:
        found.append(failed.finding)
    except httpx.HTTPError as error:
        what = Text("the hub stopped answering: {reason}", reason=reason(error))
        found.append(Finding(AREA, "error", what, Text("Mend what is found about the hub first."), NOBODY))
    return found


def _error(what: Text, mend: Text) -> _Failed:
    return _Failed(Finding(AREA, "error", what, mend, NOBODY))


async def _person(at: Look) -> str:
    answer = await at.get(f"{at.hub}hub/api/user", as_check=True)
    told = answer.json() if answer.status_code == 200 else {}
    if told.get("kind") != "user":
        what = Text("no server was started: the token is nobody's own (status {status})", status=answer.status_code)
        mend = Text(
            "Log in as the test person, make a token on {url}hub/token, and give its file by --token-file.", url=at.hub
        )
        raise _Failed(Finding(AREA, "skipped", what, mend))
    if told.get("server") or told.get("pending"):
        what = Text("no server was started: the test person has one already")
        raise _Failed(Finding(AREA, "skipped", what, Text("Stop it, or take a token of somebody else.")))
    return str(told["name"])


@asynccontextmanager
async def _server(at: Look, name: str, profile: str, found: list[Finding]) -> AsyncIterator[str]:
    """Run a server while the context lasts; it is stopped whatever happens, and that is looked at too."""
    api = f"{at.hub}hub/api/users/{quote(name, safe='')}"
    headers = {"Authorization": f"Bearer {at.token}"}
    begun = time.monotonic()
    asked = {"profile": profile} if profile else {}
    answer = await at.client.post(f"{api}/server", headers=headers, json=asked, timeout=60)
    if answer.status_code not in (201, 202):
        raise _refused(answer)
    try:
        if answer.status_code == 202:
            await _ready(at, api)
        seconds = round(time.monotonic() - begun, 1)
        found.append(Finding(AREA, "ok", Text("a server was there after {seconds} s", seconds=seconds)))
        # As JupyterHub writes it: a server knows no page below an address in which an "@" is written as %40.
        yield f"{at.hub}user/{quote(name, safe='@~')}/"
    finally:
        found.append(await _stop(at, api, headers))


def _refused(answer: httpx.Response) -> _Failed:
    said = _message(answer)
    what = Text("the hub refused the start (status {status}): {said}", status=answer.status_code, said=said)
    if answer.status_code in (401, 403):
        mend = Text(
            "Does the token hold {scopes}? If it does, the words above say why this person may not.", scopes=SCOPES
        )
    else:
        mend = Text("The words above are the spawner's own; more stands in the hub's log.")
    return _error(what, mend)


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("message") or "")[:500]
    except (ValueError, AttributeError):
        return answer.reason_phrase


async def _ready(at: Look, api: str) -> None:
    """Follow the progress of a start, whose last event says how it ended."""
    headers, last = {"Authorization": f"Bearer {at.token}", "Accept": "text/event-stream"}, ""
    try:
        async with asyncio.timeout(START_SECONDS):
            async with at.client.stream("GET", f"{api}/server/progress", headers=headers, timeout=None) as events:
                async for line in events.aiter_lines():
                    event = json.loads(line[5:]) if line.startswith("data:") else {}
                    last = str(event.get("message") or last)
                    if event.get("ready"):
                        return
                    if event.get("failed"):
                        break
    except TimeoutError:
        what = Text("the server was not ready after {seconds} s; last: {said}", seconds=round(START_SECONDS), said=last)
        raise _error(what, Text("Look at the engine and at the hub's log: what does the start wait for?")) from None
    raise _error(
        Text("the start failed: {said}", said=last),
        Text("The words above are the engine's own; more stands in the hub's log."),
    )


def _cvmfs(at: Look, profile: str) -> list[str]:
    """Return the folders of CVMFS that a profile (empty: the default one) shows in its servers."""
    offered = [one for one in at.settings.profiles if not one.abstract]
    chosen = [one for one in offered if (one.name == profile if profile else one.default)] or offered[:1]
    if at.settings.spawner is None or at.settings.spawner.backend == "local":
        return []  # a link in the home, which the backend's own look tells of
    return [volume.target for one in chosen for volume in one.volumes if volume.kind == "cvmfs"]


async def _kernel(at: Look, url: str, folders: list[str]) -> list[Finding]:
    begun = time.monotonic()
    headers = {"Authorization": f"Bearer {at.token}"}
    try:
        answer = await at.client.post(f"{url}api/kernels", headers=headers, json={}, timeout=60)
        if answer.status_code != 201:
            what = Text(
                "the server started no kernel (status {status}): {said}",
                status=answer.status_code,
                said=_message(answer),
            )
            mend = Text("Does the token hold {scopes}? Else look at the server's own log.", scopes=SCOPES)
            return [Finding(AREA, "error", what, mend, NOTHING_COMPUTES)]
        kernel = str(answer.json()["id"])
        async with asyncio.timeout(KERNEL_SECONDS):
            code = CODE % json.dumps(folders)
            said = await _compute(f"ws{url.removeprefix('http')}api/kernels/{kernel}/channels", headers, code)
    except (TimeoutError, OSError, HTTPClientError, httpx.HTTPError, ValueError, KeyError) as error:
        what = Text("no kernel computed: {error}", error=str(error) or type(error).__name__)
        mend = Text("Do proxies in front of the hub let websockets through? The server's own log may say more.")
        return [Finding(AREA, "error", what, mend, NOTHING_COMPUTES)]
    return told_by_kernel(said, round(time.monotonic() - begun, 1))


NOTHING_COMPUTES = Text("notebooks open, and nothing computes")


def told_by_kernel(said: str, seconds: float) -> list[Finding]:
    """Return the findings from what `CODE` printed in a kernel."""
    try:
        told = json.loads(said)
        home, cvmfs, good = str(told["home"]), dict(told["cvmfs"]), told["sum"] == 42
    except (ValueError, KeyError, TypeError):
        good = False
    if not good:
        what = Text("a kernel said {said}, which is not what it was asked", said=said[:80])
        return [Finding(AREA, "error", what, Text("Look at the image: which kernel is its default one?"))]
    found = [Finding(AREA, "ok", Text("a kernel computed over the websocket after {seconds} s", seconds=seconds))]
    if home:
        what = Text("in the server nothing can be written to the home: {error}", error=home)
        mend = Text("Look at the volume of homes: is it full, read-only, or owned by another account than the image's?")
        found.append(Finding(AREA, "error", what, mend, Text("people's work can't be saved")))
    else:
        found.append(Finding(AREA, "ok", Text("the home takes what is written")))
    for folder, error in cvmfs.items():
        if error:
            what = Text("in the server CVMFS can't be read at {folder}: {error}", folder=folder, error=error)
            mend = Text(
                "On the machine that ran it: ls {folder}; is the CVMFS client there, and shared with containers?",
                folder=folder,
            )
            found.append(Finding(AREA, "error", what, mend, Text("the software of the profile is missing")))
        else:
            found.append(Finding(AREA, "ok", Text("CVMFS is read at {folder}", folder=folder)))
    return found


async def _compute(url: str, headers: dict[str, str], code: str) -> str:
    """Return what a kernel prints (Jupyter's messaging protocol 5.3, over the server's websocket)."""
    connection: WebSocketClientConnection = await websocket_connect(HTTPRequest(url, headers=headers))
    try:
        number = uuid4().hex
        header = {
            "msg_id": number,
            "username": "check",
            "session": number,
            "msg_type": "execute_request",
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
        await connection.write_message(
            json.dumps({"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content})
        )
        said = ""
        while (message := await connection.read_message()) is not None:
            told: dict[str, Any] = json.loads(message)
            if told.get("parent_header", {}).get("msg_id") != number:
                continue
            if told["msg_type"] == "stream":
                said += str(told["content"]["text"])
            elif told["msg_type"] == "execute_reply":
                if told["content"]["status"] != "ok":
                    raise ValueError(told["content"].get("evalue") or told["content"]["status"])
                return said.strip() or await _stream_after(connection, number)
        raise ValueError("the connection was closed")
    finally:
        connection.close()


async def _stream_after(connection: WebSocketClientConnection, number: str) -> str:
    """The reply and what was printed come by two channels, in any order."""
    while (message := await connection.read_message()) is not None:
        told = json.loads(message)
        if told.get("parent_header", {}).get("msg_id") == number and told["msg_type"] == "stream":
            return str(told["content"]["text"]).strip()
    return ""


async def _stop(at: Look, api: str, headers: dict[str, str]) -> Finding:
    begun = time.monotonic()
    try:
        while time.monotonic() < begun + STOP_SECONDS:
            answer = await at.client.delete(f"{api}/server", headers=headers, timeout=60)
            state = await at.client.get(f"{at.hub}hub/api/user", headers=headers)
            told = state.json() if state.status_code == 200 else {}
            if not told.get("server") and not told.get("pending"):
                return Finding(AREA, "ok", Text("the server was stopped, and nothing of it runs"))
            if answer.status_code in (401, 403):
                break
            await asyncio.sleep(0.5)
    except (httpx.HTTPError, ValueError):
        pass
    what = Text("the test person's server may still run")
    return Finding(
        AREA, "error", what, Text("Stop it on {url}hub/home as this person, or as an administrator.", url=at.hub)
    )
