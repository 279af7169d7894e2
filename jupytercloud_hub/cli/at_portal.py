"""What the federation's commands share: the portal's database, this site's key, the way from a site to its portal."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from ..contracts.loopback import is_loopback
from ..contracts.text import Text
from ..federation import registry, signing
from ..federation.agent import site_key
from ..settings import Settings
from ..storage import Database
from .common import USAGE, fail

T = TypeVar("T")
SECONDS = 10.0

reason_option = click.option("--reason", default="", help="Why, for the audit trail.")


def portal(settings: Settings) -> Settings:
    """Return the settings of a portal, or end the command."""
    if settings.site.role != "portal":
        fail(Text("this is done at the portal, and this hub is none"), USAGE)
    return settings


def member(settings: Settings) -> Settings:
    """Return the settings of a site that belongs to a portal, or end the command."""
    if settings.federation is None or settings.federation.portal is None:
        fail(Text("this is done on a site that belongs to a portal (federation.portal)"), USAGE)
    return settings


def own_key(settings: Settings) -> Any:
    """Return this site's private key, or end the command."""
    try:
        return site_key(settings)
    except signing.KeyUnreadableError as error:
        fail(error.text)


def with_database(settings: Settings, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Do something in one transaction of the portal's database."""

    async def run() -> T:
        database = Database(settings.database_url("federation"), "federation")
        try:
            await database.upgrade()
            async with database.session() as session:
                return await work(session)
        finally:
            await database.close()

    return asyncio.run(run())


def tell_portal(settings: Settings, path: str, body: dict[str, str], *, signed_by: Any = None) -> Any:
    """POST to the portal's API, signed by this site where it has a key there; return the JSON or end the command."""
    assert settings.federation is not None
    assert settings.federation.portal is not None
    base = settings.federation.portal.url
    with httpx.Client(timeout=SECONDS, trust_env=not is_loopback(base)) as client:
        request = client.build_request("POST", f"{base}services/federation/api/v1/{path}", json=body)
        if signed_by is not None:
            token = signing.sign(
                signed_by, site=settings.site.name, audience=base, body=request.read(), now=datetime.now(UTC)
            )
            request.headers["Authorization"] = f"Bearer {token}"
        try:
            response = client.send(request)
            answer = response.json()
        except (httpx.HTTPError, ValueError) as error:
            fail(Text("the portal at {url} does not answer: {error}", url=base, error=str(error)))
    if response.status_code >= 400:
        told = answer.get("error") or {}
        fail(f"{response.status_code}: {told.get('message', '')}. {told.get('detail', '')}")
    return answer


async def note(session: AsyncSession, what: str, target: str, why: str) -> None:
    """Write the audit trail."""
    await registry.note(session, registry.Audited(now(), who(), what, target, why))


def who() -> str:
    """Whoever runs the command, for the audit trail."""
    try:
        return f"shell:{getpass.getuser()}"
    except (KeyError, OSError):
        return "shell"


def now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)
