"""A site and its portal: does the portal know it, at its address and by its key? The portal and its sites."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from ...contracts.finding import Finding
from ...contracts.text import Text
from ...federation import signing
from ...federation.model import SiteState
from ...federation.words import STATES
from ...settings.federation import FederationSite, PortalLink
from ...settings.secrets import SecretMissingError
from .look import Look, reason

AREA = "portal"
ALONE = Text("people who come through the portal do not get here; those who log in here directly do")
_BAD = {"down": "error", "unknown": "warning", "degraded": "warning", "full": "warning"}


async def look(at: Look) -> list[Finding]:
    """Return what is found between a site and its portal, or at the portal about its sites."""
    federation = at.settings.federation
    if federation is None:
        return []
    if at.settings.site.role == "portal":
        return await _sites(at, federation.sites)
    if federation.portal is None:
        return []
    known, key = await asyncio.gather(_known(at, federation.portal), _key(at, federation.portal))
    return [*known, *(key if not any(finding.status == "error" for finding in known) else [])]


async def _status(at: Look, url: str) -> dict[str, Any] | Finding:
    try:
        answer = await at.get(f"{url}services/federation/api/v1/status")
    except httpx.HTTPError as error:
        what = Text("the portal does not answer at {url}: {reason}", url=url, reason=reason(error))
        mend = Text("If curl -v {url} fails too, tell the portal's operators; else correct the address.", url=url)
        return Finding(AREA, "error", what, mend, ALONE)
    try:
        status = answer.json()
        if answer.status_code == 200 and isinstance(status.get("sites"), list):
            return status  # type: ignore[no-any-return]
    except (ValueError, AttributeError):
        pass
    what = Text("what answers at {url} is no portal (status {status})", url=url, status=answer.status_code)
    mend = Text("Correct federation.portal.url in {file}, or tell the portal's operators.", file=str(at.settings.file))
    return Finding(AREA, "error", what, mend, ALONE)


async def _known(at: Look, portal: PortalLink) -> list[Finding]:
    status = await _status(at, portal.url)
    if isinstance(status, Finding):
        return [status]
    name = at.settings.site.name
    mine = next((site for site in status["sites"] if site.get("name") == name), None)
    if mine is None:
        what = Text("the portal at {url} knows no site {name}", url=portal.url, name=name)
        mend = Text("Its operator registers it: jupytercloud sites add {name} --url {here}", name=name, here=at.hub)
        return [Finding(AREA, "error", what, mend, ALONE)]
    found = [_state(name, mine), _heartbeat(portal, mine)]
    if mine.get("url") != at.hub:
        what = Text(
            "the portal sends people to {there}, and this site's address is {here}", there=mine.get("url"), here=at.hub
        )
        mend = Text("Correct site.url here, or the address at the portal (federation.sites, or sites add).")
        found.append(Finding(AREA, "error", what, mend, Text("people land where this hub is not")))
    return found


def _state(name: str, site: dict[str, Any]) -> Finding:
    state, why = str(site.get("state")), str(site.get("reason") or "")
    word = STATES[SiteState(state)] if state in SiteState.__members__.values() else state
    what = Text("the portal shows {name} as {state}: {reason}", name=name, state=word, reason=why)
    if state not in _BAD:
        return Finding(AREA, "ok", what)
    mend = Text("Look from the portal's machine: curl -v {url}hub/health", url=str(site.get("url")))
    return Finding(AREA, "error" if state == "down" else "warning", what, mend)


def _heartbeat(portal: PortalLink, mine: dict[str, Any]) -> Finding:
    sent = mine.get("heartbeat")
    mend = Text("Look at the words of the service agent in the hub's log: it says what the portal answers.")
    if not sent:
        what = Text("the portal has no heartbeat of this site")
        return Finding(AREA, "warning", what, mend, Text("it does not know what is free here"))
    age = datetime.now(UTC) - datetime.fromisoformat(sent)
    seconds = round(age.total_seconds())
    if age > max(3 * portal.interval, timedelta(seconds=30)):
        what = Text("the last heartbeat that the portal took is {seconds} s old", seconds=seconds)
        return Finding(AREA, "warning", what, mend, Text("it does not know what is free here"))
    return Finding(AREA, "ok", Text("the portal took a heartbeat {seconds} s ago", seconds=max(0, seconds)))


async def _key(at: Look, portal: PortalLink) -> list[Finding]:
    """Prove the key without changing anything: a signed request that holds nothing is refused for its body only."""
    settings = at.settings
    if portal.key is None and not (settings.state_folder / signing.KEY_FILE).exists():
        what = Text("this site has no key yet: {path}", path=str(settings.state_folder / signing.KEY_FILE))
        return [Finding(AREA, "error", what, Text("Start the hub once, or: jupytercloud sites key"), ALONE)]
    try:
        # As the agent finds it, but without the agent's imports; and none is made here.
        pem = portal.key.read(settings.folder) if portal.key else (settings.state_folder / signing.KEY_FILE).read_text()
        key = signing.private_key(pem)
    except (signing.KeyUnreadableError, SecretMissingError) as error:
        mend = Text("Correct federation.portal.key in {file}, or take it out.", file=str(settings.file))
        return [Finding(AREA, "error", error.text, mend)]
    except OSError as error:
        what = Text("this site's key can't be read: {error}", error=error.strerror or "")
        return [Finding(AREA, "skipped", what, Text("Run this as the hub's own account on its machine."))]
    name, body = settings.site.name, b"{}"
    token = signing.sign(key, site=name, audience=portal.url, body=body, now=datetime.now(UTC))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    url = f"{portal.url}services/federation/api/v1/sites/{name}/keys"
    try:
        answer = await at.client.post(url, content=body, headers=headers)
        code = "" if answer.status_code == 400 else str(answer.json()["error"]["code"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        what = Text("whether the portal has this site's key can't be seen: it did not answer")
        return [Finding(AREA, "warning", what, Text("Try again; then ask the portal's operators."))]
    if not code:
        return [
            Finding(
                AREA, "ok", Text("the portal has this site's key ({key})", key=signing.key_id(signing.public_text(key)))
            )
        ]
    return [_refused(at, code, signing.public_text(key))]


def _refused(at: Look, code: str, public: str) -> Finding:
    name = at.settings.site.name
    if code == "not-now":
        what = Text("the portal's clock and this machine's are more than a minute apart")
        mend = Text("Let both clocks be set by NTP: timedatectl set-ntp true")
    elif code == "another-audience":
        what = Text("the portal calls itself by another address than federation.portal.url")
        mend = Text("Write the portal's own site.url, letter for letter, in {file}.", file=str(at.settings.file))
    else:
        what = Text("the portal does not know this site's key {key} ({code})", key=public, code=code)
        mend = Text(
            "The portal's operator runs: jupytercloud sites add {name}; then here: jupytercloud sites join TOKEN. "
            "If the site stands in the portal's file, its key: there has to be the one above.",
            name=name,
        )
    return Finding(AREA, "error", what, mend, Text("the portal refuses its heartbeats"))


async def _sites(at: Look, in_file: tuple[FederationSite, ...]) -> list[Finding]:
    status = await _status(at, at.hub)
    if isinstance(status, Finding):
        mend = Text("Mend what is found about the service federation first.")
        return [Finding(AREA, "skipped", Text("the sites were not looked at: the portal's service is away"), mend)]
    found = [_state(str(site.get("name")), site) for site in status["sites"]]
    if not any(site.get("state") in ("up", "degraded") for site in status["sites"]):
        what = Text("no site takes anybody")
        found.append(Finding(AREA, "error", what, Text("Mend what is found about the sites."), Text("nobody can work")))
    silent = [str(site.get("name")) for site in status["sites"] if not site.get("heartbeat")]
    if silent:
        what = Text("no heartbeat from: {names}", names=", ".join(silent))
        mend = Text("On those sites, jupytercloud check says why; a site without an agent is probed only.")
        found.append(Finding(AREA, "warning", what, mend, Text("what is free there is not known")))
    return found
