"""The part of the API for operators: sites, their keys, drain and maintenance, the audit trail."""

from __future__ import annotations

from typing import Any

from ..contracts.text import Text
from ..settings.configure.federation import SITES_SCOPE
from ..settings.federation import FederationSite
from ..web.errors import PublicError
from . import registry, signing
from .api import FederationApi, status_of
from .api_models import (
    Announcement,
    AuditEntry,
    AuditPage,
    JoinBody,
    Joined,
    JoinToken,
    KeyBody,
    SiteBody,
    SiteDetails,
    SitePage,
)
from .board import Known
from .health import Order
from .model import SiteState

KINDS = {"drain": SiteState.DRAINING, "maintenance": SiteState.MAINTENANCE}


class SitesApi(FederationApi):
    """What the operators' handlers share."""

    def known(self, name: str) -> Known:
        """Return a site, or raise `PublicError` 404."""
        known = self.service.board.known.get(name)
        if known is None:
            raise PublicError(
                404, "no-such-site", Text("There is no such site"), Text("No site is called {site}.", site=name)
            )
        return known

    def demand_operator(self, known: Known) -> None:
        """Let in the site's own operators, beside the portal's. Raises `PublicError` 403."""
        user = self.user or {}
        names = {str(user.get("name")), *(f"group:{group}" for group in user.get("groups") or ())}
        if user.get("kind") == "user" and names & set(known.site.operators):
            return
        self.demand(SITES_SCOPE)

    async def note(self, session: Any, what: str, target: str, why: str) -> None:
        """Write the audit trail."""
        entry = registry.Audited(self.service.now(), self.who, what, target, why)
        await registry.note(session, entry)

    def details(self, name: str, known: Known) -> SiteDetails:
        """Return a site as its operator sees it."""
        beat = known.heartbeat
        return SiteDetails(
            **dict(status_of(self, name)),
            registered=known.registered,
            keys=tuple(signing.key_id(key) for key in self.service.keys.get(name, ())),
            running=beat.running if beat else None,
            free=dict(beat.free) if beat else {},
            operators=known.site.operators,
        )


class SiteList(SitesApi):
    """``GET api/v1/sites``: all sites, as operators see them."""

    def get(self) -> None:
        self.demand(SITES_SCOPE)
        items = tuple(self.details(name, known) for name, known in self.service.board.known.items())
        self.write_model(SitePage(items=items))


class OneSite(SitesApi):
    """``GET|PUT|DELETE api/v1/sites/<name>``."""

    def get(self, name: str) -> None:
        known = self.known(name)
        self.demand_operator(known)
        self.write_model(self.details(name, known))

    async def put(self, name: str) -> None:
        self.demand(SITES_SCOPE)
        body = self.json_body(SiteBody)
        present = self.service.board.known.get(name)
        if present is not None and not present.registered:
            raise _of_the_file(name)
        try:
            site = FederationSite(name=name, **{field: value for field, value in body if field != "reason"})
        except ValueError:
            raise PublicError(
                400,
                "bad-name",
                Text("This can't be read"),
                Text("“{name}” is not a name of a site or profile.", name=name[:80]),
            ) from None
        async with self.service.database.session() as session:
            await registry.put_site(session, site, self.service.now())
            await self.note(session, "site put", name, body.reason)
        await self.service.changed()
        self.write_model(self.details(name, self.known(name)), 201 if present is None else 200)

    async def delete(self, name: str) -> None:
        self.demand(SITES_SCOPE)
        if not self.known(name).registered:
            raise _of_the_file(name)
        async with self.service.database.session() as session:
            await registry.remove_site(session, name)
            await self.note(session, "site remove", name, self.argument("reason"))
        await self.service.changed()
        self.set_status(204)


class SiteOrder(SitesApi):
    """``PUT|DELETE api/v1/sites/<name>/drain`` and ``…/maintenance``."""

    async def put(self, name: str, what: str) -> None:
        known = self.known(name)
        self.demand_operator(known)
        body = self.json_body(Announcement)
        now = self.service.now()
        order = Order(KINDS[what], body.notice(now))
        async with self.service.database.session() as session:
            await registry.put_order(session, name, order, now, self.who)
            await self.note(session, f"{what} begin", name, body.reason)
        await self.service.changed()
        self.write_model(self.details(name, known))

    async def delete(self, name: str, what: str) -> None:
        known = self.known(name)
        self.demand_operator(known)
        reason = self.argument("reason")
        async with self.service.database.session() as session:
            if await registry.remove_order(session, name, KINDS[what]):
                await self.note(session, f"{what} end", name, reason)
        await self.service.changed()
        self.set_status(204)


class SiteJoinTokens(SitesApi):
    """``POST api/v1/sites/<name>/join-tokens``: a token with which the site brings its key, once."""

    async def post(self, name: str) -> None:
        self.known(name)
        self.demand(SITES_SCOPE)
        async with self.service.database.session() as session:
            token, expires = await registry.new_join(session, name, self.service.now())
            await self.note(session, "join token", name, "")
        self.write_model(JoinToken(token=token, expires=expires), 201)


class Join(SitesApi):
    """``POST api/v1/join``: a site brings its key; the token is its login."""

    anonymous = True

    def check_xsrf_cookie(self) -> None:
        """No cookie counts here."""

    async def post(self) -> None:
        body = self.json_body(JoinBody)
        now = self.service.now()
        async with self.service.database.session() as session:
            site = await registry.use_join(session, body.token, now)
            good = site is not None and await registry.add_key(session, site, body.key, now, now)
            if site is not None and good:
                await registry.note(
                    session, registry.Audited(now, f"site:{site}", "key join", site, signing.key_id(body.key))
                )
        if site is None or not good:
            raise PublicError(
                401,
                "bad-join-token",
                Text("The join token is not good"),
                Text("It was used, has expired, or was never given out. Ask the portal's operator for another."),
            )
        await self.service.changed()
        self.write_model(Joined(site=site, key=signing.key_id(body.key)))


class SiteKeys(SitesApi):
    """``POST api/v1/sites/<name>/keys``: the site's next key, sent in a token that its present key signed."""

    anonymous = True

    def check_xsrf_cookie(self) -> None:
        """No cookie counts here."""

    async def post(self, name: str) -> None:
        now = self.service.now()
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        try:
            if scheme.lower() != "bearer" or name not in self.service.board.known:
                raise signing.SignatureRefused("unknown-site")
            signed = signing.verify(
                token,
                site=name,
                keys=self.service.keys.get(name, ()),
                audience=self.service.audience,
                body=self.request.body,
                now=now,
            )
        except signing.SignatureRefused as refused:
            raise PublicError(
                401,
                refused.code,
                Text("The new key is not believed"),
                Text("Its signature was refused: {code}.", code=refused.code),
            ) from None
        key = self.json_body(KeyBody).key
        async with self.service.database.session() as session:
            fresh = await registry.first_use(session, name, signed.jti, signed.expires)
            good = fresh and await registry.add_key(session, name, key, now, now + registry.KEY_OVERLAP)
            if good:
                await registry.note(
                    session, registry.Audited(now, f"site:{name}", "key rotate", name, signing.key_id(key))
                )
        if not good:
            raise PublicError(
                409,
                "key-taken" if fresh else "replayed",
                Text("The new key is not believed"),
                Text("Another site has this key, or the request was sent before."),
            )
        await self.service.changed()
        self.write_model(Joined(site=name, key=signing.key_id(key)))


class OneSiteKey(SitesApi):
    """``DELETE api/v1/sites/<name>/keys/<key>``: a key that is worth nothing from now on."""

    async def delete(self, name: str, key: str) -> None:
        self.known(name)
        self.demand(SITES_SCOPE)
        async with self.service.database.session() as session:
            if not await registry.end_key(session, name, key):
                raise PublicError(
                    404,
                    "no-such-key",
                    Text("There is no such key"),
                    Text(
                        "{site} has no key {key} here; one of the settings file is taken away there.",
                        site=name,
                        key=key,
                    ),
                )
            await self.note(session, "key remove", name, key)
        await self.service.changed()
        self.set_status(204)


class AuditApi(SitesApi):
    """``GET api/v1/audit``: who did what, when, why; the newest first."""

    async def get(self) -> None:
        self.demand(SITES_SCOPE)
        async with self.service.database.session() as session:
            entries = await registry.audit(session, target=self.argument("target") or None)
        self.write_model(
            AuditPage(
                items=tuple(AuditEntry(at=e.at, who=e.who, what=e.what, target=e.target, why=e.why) for e in entries)
            )
        )


def _of_the_file(name: str) -> PublicError:
    return PublicError(
        409,
        "in-settings",
        Text("This site stands in the settings file"),
        Text("{site} is changed or removed there, and the service started again.", site=name),
    )


NAME = r"([A-Za-z0-9._%~-]{1,120})"
HANDLERS: list[tuple[Any, ...]] = [
    (r"api/v1/sites", SiteList),
    (rf"api/v1/sites/{NAME}", OneSite),
    (rf"api/v1/sites/{NAME}/(drain|maintenance)", SiteOrder),
    (rf"api/v1/sites/{NAME}/join-tokens", SiteJoinTokens),
    (rf"api/v1/sites/{NAME}/keys", SiteKeys),
    (rf"api/v1/sites/{NAME}/keys/([0-9a-f]{{12}})", OneSiteKey),
    (r"api/v1/join", Join),
    (r"api/v1/audit", AuditApi),
]
