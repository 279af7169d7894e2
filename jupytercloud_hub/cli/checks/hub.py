"""The hub behind its public address, the proxy's routes, and the services: do they answer, hold their scopes?"""

from __future__ import annotations

import asyncio
import fcntl
from pathlib import Path
from typing import Any

import httpx

from ...contracts.finding import Finding
from ...contracts.text import Text
from ...settings.configure.names import AGENT, page_services, services
from .look import Look, is_certificate, reason

OLDEST = (6, 1, 1)
"""6.1.0 closed a denial of service through spawner options; this package is tested from here on."""
VERSION_HEADER = "X-JupyterHub-Version"
NOBODY = Text("nobody can log in, and nobody reaches her server")


async def look_at_hub(at: Look) -> list[Finding]:
    """Return what is found at the hub's public address."""
    url = f"{at.hub}hub/api/"
    try:
        answer = await at.get(url)
    except httpx.HTTPError as error:
        what = Text("the hub does not answer at {url}: {reason}", url=at.hub, reason=reason(error))
        if is_certificate(error):
            mend = Text("Renew the certificate, or let this machine trust its authority (SSL_CERT_FILE).")
        else:
            file = str(at.settings.file)
            mend = Text("Start the hub and its proxy; if they run, correct site.url in {file}.", file=file)
        return [Finding("hub", "error", what, mend, NOBODY)]
    version = answer.headers.get(VERSION_HEADER)
    if answer.status_code >= 500:
        what = Text(
            "something answers at {url} with status {status}, but the hub behind it does not",
            url=at.hub,
            status=answer.status_code,
        )
        return [Finding("hub", "error", what, Text("Look at the hub's log, and start it again."), NOBODY)]
    if version is None:
        what = Text("what answers at {url} is no JupyterHub (status {status})", url=at.hub, status=answer.status_code)
        mend = Text(
            "Correct site.url in {file}: the hub's public address with its base path.", file=str(at.settings.file)
        )
        return [Finding("hub", "error", what, mend, NOBODY)]
    if _version(version) < OLDEST:
        what = Text("the hub runs JupyterHub {version}", version=version)
        wanted = ".".join(str(part) for part in OLDEST)
        mend = Text("pip install 'jupyterhub>={version}' and restart the hub.", version=wanted)
        return [Finding("hub", "error", what, mend, Text("older versions have known holes"))]
    return [Finding("hub", "ok", Text("JupyterHub {version} answers at {url}", version=version, url=at.hub))]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


async def look_at_proxy(at: Look) -> list[Finding]:
    """Return whether the proxy has a route to the hub and to each service with pages."""
    if not at.token:
        return [at.unseen("proxy", Text("the proxy's routes were not looked at"))]
    try:
        routes = await _routes(at)
    except httpx.HTTPError as error:
        what = Text("the proxy's routes can't be asked for: {reason}", reason=reason(error))
        return [Finding("proxy", "skipped", what, Text("Mend what is found about the hub first."))]
    if isinstance(routes, int):
        what = Text("the hub does not tell the proxy's routes (status {status})", status=routes)
        if routes in (401, 403):
            mend = Text("Use a token with the scope {scope}.", scope="proxy")
            return [Finding("proxy", "skipped", what, mend)]
        return [Finding("proxy", "error", what, Text("Start the proxy, and look at the hub's log."), NOBODY)]
    base = at.settings.site.base_path
    wanted: dict[str, str] = {"hub": base}
    wanted |= {name: f"{base}services/{name}/" for name in page_services(at.settings)}
    known = {f"/{route.partition('/')[2]}" for route in routes}
    missing = [name for name, path in wanted.items() if path not in known]
    if missing:
        what = Text("the proxy has no route to: {names}", names=", ".join(missing))
        mend = Text("Restart the hub: it sets its routes at the start, and again every minute.")
        return [Finding("proxy", "error", what, mend, Text("their pages are not found"))]
    count = len(wanted)
    return [Finding("proxy", "ok", Text("the proxy has the {count} routes to the hub and its services", count=count))]


async def _routes(at: Look) -> list[str] | int:
    found: list[str] = []
    while True:
        page = {"offset": len(found), "limit": 200}
        answer = await at.get(f"{at.hub}hub/api/proxy", as_check=True, params=page)
        if answer.status_code != 200:
            return answer.status_code
        routes = list(answer.json())
        found += routes
        if len(routes) < 200:
            return found


async def look_at_services(at: Look) -> list[Finding]:
    """Return whether each service of the hub answers, and holds the scopes that it needs."""
    rows = await asyncio.gather(*(_service(at, name) for name in page_services(at.settings)))
    agent = [_lock(at, AGENT)] if AGENT in services(at.settings) else []
    return [*(finding for row in rows for finding in row), *agent]


async def _service(at: Look, name: str) -> list[Finding]:
    url = f"{at.hub}services/{name}/"
    try:
        answer = await at.get(f"{url}health")
        detail = _object(answer)
    except httpx.HTTPError as error:
        what = Text("the service {name} does not answer at {url}: {reason}", name=name, url=url, reason=reason(error))
        return [Finding("services", "error", what, Text("Mend what is found about the hub first."))]
    if "status" not in detail:
        return [_dead(at, name, answer.status_code)]
    if answer.status_code != 200:
        told = ", ".join(f"{key}: {value}" for key, value in detail.items() if key != "status") or "—"
        what = Text("the service {name} runs and says that it is not well ({detail})", name=name, detail=told)
        return [Finding("services", "error", what, Text("Mend what it names; its words stand in the hub's log."))]
    scopes = await _scopes(at, name, url)
    return [Finding("services", "ok", Text("the service {name} answers", name=name)), scopes]


def _dead(at: Look, name: str, status: int) -> Finding:
    what = Text("the service {name} does not run (status {status} at its address)", name=name, status=status)
    if at.settings.site.services == "external":
        mend = Text(
            "Start it where it runs: jupytercloud serve {name} --config {file}", name=name, file=str(at.settings.file)
        )
    else:
        mend = Text("The hub starts it again within a minute; if it stays away, its reason stands in the hub's log.")
    why = {
        "quotas": Text("usage is not counted"),
        "culler": Text("idle servers are not stopped"),
        "federation": Text("nobody is sent to a site"),
    }
    return Finding("services", "error", what, mend, why.get(name))


async def _scopes(at: Look, name: str, url: str) -> Finding:
    if not at.token:
        return at.unseen("services", Text("the scopes of the service {name} were not looked at", name=name))
    try:
        answer = await at.get(f"{url}api/v1/scopes", as_check=True)
    except httpx.HTTPError as error:
        what = Text("the service {name} did not tell its scopes: {reason}", name=name, reason=reason(error))
        return Finding("services", "warning", what, Text("Try again; the hub may be busy."))
    if answer.status_code != 200:
        what = Text(
            "the service {name} did not tell its scopes (status {status})", name=name, status=answer.status_code
        )
        if answer.status_code not in (401, 403):
            return Finding("services", "warning", what, Text("Its reason stands in the hub's log."))
        scopes = f"read:services, access:services!service={name}"
        return Finding("services", "skipped", what, Text("Use a token with the scopes {scopes}.", scopes=scopes))
    told = _object(answer)
    if told.get("missing"):
        what = Text("the service {name} lacks scopes: {scopes}", name=name, scopes=", ".join(told["missing"]))
        mend = Text(
            "Take out of jupyterhub_config.py what replaces the role service-{name} after configure(…), "
            "and restart the hub.",
            name=name,
        )
        return Finding("services", "error", what, mend, Text("the hub refuses what it asks"))
    if told.get("beyond"):
        what = Text(
            "the service {name} holds more scopes than it needs: {scopes}", name=name, scopes=", ".join(told["beyond"])
        )
        mend = Text("Take them away in jupyterhub_config.py, unless you gave them on purpose.")
        return Finding("services", "warning", what, mend)
    return Finding("services", "ok", Text("the service {name} holds exactly the scopes that it needs", name=name))


def _lock(at: Look, name: str) -> Finding:
    """A service without pages has no address: whether it runs is seen by the lock that it holds."""
    path = at.settings.state_folder / f"service-{name}.lock"
    if at.settings.site.services == "external":
        what = Text("whether the service {name} runs can't be seen from here", name=name)
        return Finding("services", "skipped", what, Text("Look at it where it runs; the portal shows its heartbeats."))
    try:
        if _is_held(path):
            return Finding("services", "ok", Text("the service {name} runs", name=name))
    except OSError as error:
        what = Text("whether the service {name} runs can't be seen: {error}", name=name, error=error.strerror or "")
        return Finding("services", "skipped", what, Text("Run this as the hub's own account on its machine."))
    what = Text("the service {name} does not run: nobody holds {path}", name=name, path=str(path))
    mend = Text("The hub starts it again within a minute; if it stays away, its reason stands in the hub's log.")
    return Finding("services", "error", what, mend, Text("the portal is not told how this site is"))


def _is_held(path: Path) -> bool:
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        value = answer.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
