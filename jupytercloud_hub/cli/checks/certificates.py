"""The certificates that people and this hub meet: until when they are good."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from ...contracts.finding import Finding
from ...contracts.text import Text
from .look import REQUEST_SECONDS, Look

AREA = "certificates"
SOON, VERY_SOON = timedelta(days=21), timedelta(days=4)
"""Let's Encrypt's own clients renew thirty days before the end: three weeks later something is broken."""


async def look(at: Look) -> list[Finding]:
    """Return what is found about the certificates of the hub, of the provider and of the portal."""
    settings = at.settings
    wanted = {settings.site.url: (Text("this hub"), "")}
    if settings.auth is not None:
        own = str(settings.folder / settings.auth.ca_certificates) if settings.auth.ca_certificates else ""
        wanted.setdefault(settings.auth.issuer, (Text("the provider"), own))
    if settings.portal_url:
        wanted.setdefault(settings.portal_url, (Text("the portal"), ""))
    asked = {url: whose for url, whose in wanted.items() if urlsplit(url).scheme == "https"}
    found = await asyncio.gather(*(_one(url, whose, authority) for url, (whose, authority) in asked.items()))
    return [finding for finding in found if finding is not None]


async def _one(url: str, whose: Text, authority: str) -> Finding | None:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    try:
        context = await asyncio.to_thread(ssl.create_default_context, cafile=authority or None)
        async with asyncio.timeout(REQUEST_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        what = Text(
            "the certificate of {whose} ({host}) is refused: {error}", whose=whose, host=host, error=_why(error)
        )
        mend = Text("Renew it, or let this machine trust its authority (SSL_CERT_FILE, auth.ca_certificates).")
        return Finding(AREA, "error", what, mend, Text("browsers and other hubs refuse it too"))
    except (OSError, TimeoutError):
        return None  # that nobody answers is told by the area of whom it is
    try:
        ends = (writer.get_extra_info("peercert") or {}).get("notAfter")
    finally:
        writer.close()
    if not ends:
        return None
    left = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) - datetime.now(UTC)
    what = Text("the certificate of {whose} ({host}) is good for {days} days", whose=whose, host=host, days=left.days)
    if left > SOON:
        return Finding(AREA, "ok", what)
    mend = Text("Renew it now, and see why that did not happen by itself: it is due thirty days before the end.")
    why = Text("from then on nobody gets in")
    return Finding(AREA, "error" if left < VERY_SOON else "warning", what, mend, why)


def _why(error: ssl.SSLCertVerificationError) -> str:
    return error.verify_message or error.reason or type(error).__name__
