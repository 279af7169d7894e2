"""The spawn form as HTML, from the view model; everything that does not depend on the person is kept."""

from __future__ import annotations

from functools import cache
from importlib import resources

from markupsafe import Markup

from ..contracts.person import Person
from ..contracts.text import Language
from ..profiles.catalogue import Catalogue
from ..profiles.form import FormPlan
from ..profiles.resources import Capabilities
from ..web.templating import render_template

TEMPLATE = "profiles/form.html"


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

    def render(self, person: Person, language: Language, last: object = None) -> str:
        """Return the inside of JupyterHub's spawn form for a person, in her language."""
        form = self.plan.for_person(person, last)
        return render_template(TEMPLATE, language, form=form, css=_css(), contact=self.contact)
