"""The spawn form as HTML, from the view model; everything that does not depend on the person is kept."""

from __future__ import annotations

from datetime import datetime
from functools import cache, partial
from importlib import resources

from markupsafe import Markup

from ..contracts.budget_left import BudgetsLeft
from ..contracts.person import Person
from ..contracts.text import Language, Text
from ..profiles.catalogue import Catalogue
from ..profiles.form import Card, FormPlan
from ..profiles.places import NOTHING_KNOWN, FreePlaces
from ..profiles.resources import Capabilities
from ..web.templating import render_template

FORM = "profiles/form.html"
CARD = "profiles/card.html"
NOTHING_COUNTED = BudgetsLeft()
"""Of a site without quotas, or whose quota service is away."""


@cache
def _css() -> Markup:
    """Return the form's styles: the hub's page takes no address of ours, so they travel with the form."""
    text = (resources.files("jupytercloud_hub.web") / "static" / "profiles.css").read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - a file of this package


class FormPage:
    """The form of one catalogue at one site."""

    def __init__(self, catalogue: Catalogue, capabilities: Capabilities, contact: str = "") -> None:
        self.plan = FormPlan(catalogue, capabilities)
        self.contact = contact
        self._cards: dict[tuple[Language, str, bool, Text | None, int | None, float | None], Markup] = {}

    def render(
        self,
        person: Person,
        language: Language,
        last: object = None,
        now: datetime | None = None,
        left: BudgetsLeft = NOTHING_COUNTED,
        free: FreePlaces = NOTHING_KNOWN,
        step_up: str = "",
    ) -> str:
        """Return the inside of JupyterHub's spawn form for a person, in her language.

        ``now`` is in the site's time zone, in which days are shown too. ``step_up`` is the hub's address for a login
        with two factors; empty where it has none.
        """
        form = self.plan.for_person(person, last, now, free, left.prices)
        return render_template(
            FORM,
            language,
            form=form,
            css=_css(),
            contact=self.contact,
            show=partial(self._card, language, step_up),
            budgets=left.budgets,
            zone=str(now.tzinfo) if now else "Europe/Paris",
        )

    def _card(self, language: Language, step_up: str, card: Card) -> Markup:
        """Return one profile's part; all but the one with her own last answers are the same for many people."""
        key = (language, card.plan.profile.name, card.checked, card.refusal, card.free, card.price)
        if card.values is None and key in self._cards:
            return self._cards[key]
        html = Markup(render_template(CARD, language, card=card, step_up=step_up))  # noqa: S704 - escaped by the template
        if card.values is None:
            self._cards[key] = html
        return html
