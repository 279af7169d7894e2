"""Which organization to log in with: our own page of them, or the federation's discovery service."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from ..contracts.text import Language, Localized
from ..identity import Institution
from ..identity.institutions import is_exact
from .pages import HubPage

REMEMBERED = "jupytercloud-organization"
REMEMBERED_DAYS = 365


@dataclass(frozen=True)
class Organization:
    """One that people can choose; ``hint`` is what the provider is told."""

    name: str
    title: Localized
    hint: str


def choices(institutions: Iterable[Institution]) -> list[Organization]:
    """Return the organizations that can be chosen: those whose rule names an identity provider or a home exactly."""
    found = []
    for rule in institutions:
        hint = next((one for one in (*rule.idps, *rule.home_organizations) if is_exact(one)), None)
        if hint is not None and not rule.deny:
            found.append(Organization(rule.name, rule.title or Localized(hint), hint))
    return found


def search(organizations: Iterable[Organization], words: str, language: Language) -> list[Organization]:
    """Return the organizations in which every word occurs, without regard to accents and capitals, by title."""
    wanted = _plain(words).split()
    shown = ((one, _plain(f"{one.title.in_(language)} {one.name} {one.hint}")) for one in organizations)
    found = [one for one, text in shown if all(word in text for word in wanted)]
    return sorted(found, key=lambda one: _plain(one.title.in_(language)))


def _plain(text: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one))


def discovery_address(service: str, entity_id: str, back: str) -> str:
    """Return where the federation's discovery service asks, and comes back to ``back`` with ``entityID``."""
    query = urlencode({"entityID": entity_id, "return": back, "returnIDParam": "entityID"})
    return f"{service}{'&' if '?' in service else '?'}{query}"


class OrganizationsHandler(HubPage):
    """``/hub/oidc/organizations``: the page; it works without a script, and remembers when asked to."""

    def get(self) -> None:
        words = self.get_query_argument("q", "")[:200]
        known = choices(self.authenticator.policy.institutions)
        last = self.get_cookie(REMEMBERED)
        self.show(
            "auth/organizations.html",
            found=search(known, words, self.language),
            last=next((one for one in known if one.name == last), None),
            words=words,
            next=self.get_query_argument("next", "", strip=False),
            login=self.login_address(),
        )

    def check_xsrf_cookie(self) -> None:
        """A choice is nothing to forge, and it is made before anybody is logged in."""

    def post(self) -> None:
        name = self.get_body_argument("organization", "")
        chosen = next((one for one in choices(self.authenticator.policy.institutions) if one.name == name), None)
        if chosen is None:
            self.redirect(self.request.path)
            return
        if self.get_body_argument("remember", ""):
            self._set_cookie(
                REMEMBERED,
                chosen.name,
                encrypted=False,
                path=self.hub.base_url,
                expires_days=REMEMBERED_DAYS,
                samesite="Lax",
            )
        else:
            self.clear_cookie(REMEMBERED, path=self.hub.base_url)
        query = urlencode({"next": self.get_body_argument("next", "", strip=False), "idphint": chosen.hint})
        self.redirect(f"{self.login_address()}?{query}")
