"""The OpenID provider: there, the one that is meant, with keys that we accept, and with the same time as we."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from ...auth.oidc.discovery import ProviderMetadata, read_metadata
from ...auth.oidc.errors import OidcError
from ...auth.oidc.jwks import fits, read_keys
from ...contracts.finding import Finding
from ...contracts.loopback import is_loopback
from ...contracts.text import Text
from ...settings.auth import AuthSettings
from .look import REQUEST_SECONDS, Look, is_certificate, reason

AREA = "provider"
SKEW_WARNING, SKEW_ERROR = 10.0, 60.0
"""Seconds between our clock and the provider's; ID tokens are refused by more than a minute."""
NOBODY = Text("nobody can log in")


async def look(at: Look) -> list[Finding]:
    """Return what is found about the provider."""
    auth = at.settings.auth
    if auth is None:
        what = Text("there is no section auth: the hub's own authenticator was not looked at")
        return [Finding(AREA, "skipped", what, Text("Try a login by hand."))]
    async with _client(at, auth) as client:
        return await _provider(at, auth, client)


def _client(at: Look, auth: AuthSettings) -> httpx.AsyncClient:
    verify: ssl.SSLContext | bool = True
    if auth.ca_certificates:
        verify = ssl.create_default_context(cafile=str(at.settings.folder / auth.ca_certificates))
    return httpx.AsyncClient(
        timeout=REQUEST_SECONDS, verify=verify, trust_env=not is_loopback(auth.issuer), follow_redirects=False
    )


async def _provider(at: Look, auth: AuthSettings, client: httpx.AsyncClient) -> list[Finding]:
    url = f"{auth.issuer.rstrip('/')}/.well-known/openid-configuration"
    begun = time.monotonic()
    try:
        answer = await client.get(url)
    except httpx.HTTPError as error:
        return [_unreachable(url, error)]
    took = time.monotonic() - begun
    document = _object(answer)
    if document is None:
        what = Text("{url} is no discovery document (status {status})", url=url, status=answer.status_code)
        mend = Text("Correct auth.issuer in {file}: what stands before /.well-known.", file=str(at.settings.file))
        return [Finding(AREA, "error", what, mend, NOBODY)]
    told = document.get("issuer")
    if told != auth.issuer:
        return [_another(at, auth, told)]
    try:
        metadata = read_metadata(document, auth.issuer)
    except OidcError as error:
        what = Text("the provider's discovery document can't be used: {error}", error=str(error))
        return [Finding(AREA, "error", what, Text("Send this line to the provider's operators."), NOBODY)]
    shown = Text("the provider answers as {issuer} ({time} ms)", issuer=auth.issuer, time=round(took * 1000))
    skew = _skew(answer.headers.get("Date"), took)
    return [Finding(AREA, "ok", shown), *([skew] if skew else []), await _keys(auth, metadata, client)]


def _unreachable(url: str, error: Exception) -> Finding:
    what = Text("the provider does not answer at {url}: {reason}", url=url, reason=reason(error))
    if is_certificate(error):
        mend = Text("Name the file with its certificate authority in auth.ca_certificates, if it is a private one.")
    else:
        mend = Text(
            "Try curl -v {url} on this machine: if it fails too, it is the network, HTTPS_PROXY or a firewall, "
            "or the provider is down: ask its operators.",
            url=url,
        )
    return Finding(AREA, "error", what, mend, NOBODY)


def _another(at: Look, auth: AuthSettings, told: Any) -> Finding:
    what = Text("the provider calls itself {told}, and auth.issuer says {ours}", told=str(told), ours=auth.issuer)
    mend = Text(
        "If this is the provider that you mean, write issuer: {told} in {file}, letter for letter, "
        "and restart the hub.",
        told=str(told),
        file=str(at.settings.file),
    )
    return Finding(AREA, "error", what, mend, Text("every login is refused: another provider could speak for this one"))


def _skew(date: str | None, took: float) -> Finding | None:
    """Compare the clocks by the answer's Date header, which counts whole seconds."""
    try:
        theirs = parsedate_to_datetime(date or "")
    except (TypeError, ValueError):
        return None
    if theirs.tzinfo is None:
        return None
    apart = (datetime.now(UTC) - theirs).total_seconds() - took / 2
    skew = max(0.0, abs(apart - 0.5) - 0.5)  # the header cuts off up to a second
    if skew < SKEW_WARNING:
        return Finding(AREA, "ok", Text("its clock and this machine's agree"))
    what = Text("its clock and this machine's are {seconds} s apart", seconds=round(skew))
    why = Text("tokens are refused as expired, or as not yet good")
    mend = Text("Let this machine's clock be set by NTP: timedatectl set-ntp true; timedatectl shows it.")
    return Finding(AREA, "error" if skew >= SKEW_ERROR else "warning", what, mend, why)


async def _keys(auth: AuthSettings, metadata: ProviderMetadata, client: httpx.AsyncClient) -> Finding:
    url = metadata.jwks_uri
    try:
        answer = await client.get(url)
        keys = read_keys(_object(answer) or {})
    except httpx.HTTPError as error:
        what = Text("the provider's keys can't be fetched from {url}: {reason}", url=url, reason=reason(error))
        return Finding(AREA, "error", what, Text("Try curl -v {url} on this machine.", url=url), NOBODY)
    except OidcError as error:
        what = Text("what stands at {url} are no keys: {error}", url=url, error=str(error))
        return Finding(AREA, "error", what, Text("Send this line to the provider's operators."), NOBODY)
    usable = [key for key in keys if any(fits(key, algorithm) for algorithm in auth.algorithms)]
    if not usable:
        what = Text(
            "none of the provider's {count} keys fits auth.algorithms ({ours})",
            count=len(keys),
            ours=", ".join(auth.algorithms),
        )
        mend = Text("Ask the provider's operators how they sign, and add that to auth.algorithms.")
        return Finding(AREA, "error", what, mend, NOBODY)
    return Finding(AREA, "ok", Text("it publishes {count} keys that are accepted here", count=len(usable)))


def _object(answer: httpx.Response) -> dict[str, Any] | None:
    try:
        value = answer.json() if answer.status_code == 200 else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
