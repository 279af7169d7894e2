"""Rules that tie two sections of the configuration together."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..contracts.text import Text
from .problems import Key

if TYPE_CHECKING:
    from .model import Settings

Finding = tuple[Key, Text, Text | None]


def cross_checks(settings: Settings) -> Iterator[Finding]:
    """Yield what is wrong between sections: (key, rule, hint)."""
    yield from _roles(settings)
    yield from _login(settings)
    yield from _login_of_event(settings)
    yield from _duplicates(settings)
    yield from _profiles_of_rules(settings)
    yield from _price_classes(settings)
    yield from _home_sites(settings)
    if settings.spawner:
        yield from ((key, rule, None) for key, rule in settings.spawner.findings(settings.profiles))


def _roles(settings: Settings) -> Iterator[Finding]:
    if settings.site.role == "portal" and settings.federation is None:
        rule = Text("a portal needs its section federation: the sites it sends people to, now or once they join")
        yield ("site", "role"), rule, None
    if settings.site.role == "portal" and settings.profiles:
        yield ("profiles",), Text("a portal starts no servers: profiles belong to the sites"), None


def _login(settings: Settings) -> Iterator[Finding]:
    if settings.auth is None:
        return
    if settings.auth.guests is not None and not settings.institutions:
        yield ("auth", "guests"), Text("guests need institutions: an invitation lets in whom their rules refuse"), None
    scopes = {rule.name: rule.scopes for rule in settings.auth.roles if rule.scopes}
    for index, institution in enumerate(settings.institutions):
        for place, rule in enumerate(institution.roles):
            if rule.scopes and scopes.setdefault(rule.name, rule.scopes) != rule.scopes:
                key = ("institutions", index, "roles", place, "scopes")
                yield key, Text("two rules give the role {name} different scopes", name=rule.name), None


def _login_of_event(settings: Settings) -> Iterator[Finding]:
    if settings.event is None or settings.event.login is None:
        return
    auth, login = settings.auth, settings.event.login
    if auth is None:
        yield ("event", "login"), Text("a login beside the code needs auth: the OpenID provider"), None
        return
    if auth.guests is not None or auth.leavers.export:
        yield ("auth",), Text("guests and leavers are a site's: of an event's logins nothing is kept"), None
    if login.visitors and not settings.institutions and not auth.allow_anybody:
        key = ("event", "login", "visitors")
        yield key, Text("visitors who log in need institutions, or auth.allow_anybody"), None


def _duplicates(settings: Settings) -> Iterator[Finding]:
    lists = {
        "profiles": [profile.name for profile in settings.profiles],
        "institutions": [institution.name for institution in settings.institutions],
    }
    for section, names in lists.items():
        for index, name in enumerate(names):
            if name in names[:index]:
                yield (section, index, "name"), Text("this name is already taken in the list"), None


def _profiles_of_rules(settings: Settings) -> Iterator[Finding]:
    known = [profile.name for profile in settings.profiles]
    for index, rule in enumerate(settings.culling.rules if settings.culling else ()):
        for place, name in enumerate(rule.profiles):
            if name not in known and not set("*?[") & set(name):
                yield (
                    ("culling", "rules", index, "profiles", place),
                    Text("no profile has this name"),
                    near(name, known),
                )


def _price_classes(settings: Settings) -> Iterator[Finding]:
    if settings.quotas is None:
        return
    known = sorted({name for tariff in settings.quotas.tariff for name in tariff.classes})
    for index, profile in enumerate(settings.profiles):
        if profile.price_class and profile.price_class not in known:
            rule = Text("no tariff has a price for this class (quotas.tariff, classes)")
            yield ("profiles", index, "price_class"), rule, near(profile.price_class, known)


def _home_sites(settings: Settings) -> Iterator[Finding]:
    if settings.site.role != "portal" or not settings.federation:
        return
    known = [site.name for site in settings.federation.sites]
    for index, institution in enumerate(settings.institutions):
        if institution.home_site and institution.home_site not in known:
            key = ("institutions", index, "home_site")
            yield key, Text("no site has this name"), near(institution.home_site, known)


def near(name: str, known: list[str]) -> Text:
    """Return a hint that names the nearest known name."""
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return Text("Did you mean {key}?", key=close[0])
    return Text("Known here: {keys}.", keys=", ".join(known) or "—")
