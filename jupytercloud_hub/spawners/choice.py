"""Lets a spawner start what the catalogue gives: form, links, judgement of the choice, what it sets."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakSet
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter
from traitlets import Dict, Instance, List, Unicode, Union, default
from traitlets.config import Configurable

from ..contracts.budget_left import BudgetsLeft
from ..contracts.person import Person
from ..contracts.server_record import ServerRecord
from ..contracts.text import Language, Text
from ..profiles.catalogue import Catalogue, Profile, Profiles
from ..profiles.places import NOTHING_KNOWN, FreePlaces, free_places
from ..profiles.refusal import Refused
from ..profiles.remotes import REMOTES_VARIABLE
from ..profiles.resolve import Resolved, resolve
from ..profiles.resources import Capabilities
from ..web.hub_pages import request_language
from ..web.i18n import render
from .form import NOTHING_COUNTED, FormPage
from .refusal import StartRefused


@lru_cache(maxsize=32)
def _catalogue(text: str) -> Catalogue:
    return Catalogue(TypeAdapter(Profiles).validate_python(json.loads(text)))


@lru_cache(maxsize=32)
def _page(catalogue: Catalogue, capabilities: str, contact: str) -> FormPage:
    return FormPage(catalogue, Capabilities.model_validate_json(capabilities), contact)


if TYPE_CHECKING:
    from jupyterhub.spawner import Spawner as _Base
else:
    _Base = Configurable


class ChoiceMixin(_Base):
    """Catalogue, form and choice, for any spawner."""

    profiles = Union(
        [Instance(Catalogue), List(Dict())],
        default_value=[],
        help="""
        The catalogue: what people can start.

        A list of mappings, written as under ``profiles:`` in ``jupytercloud.yaml``, for instance
        ``[{"name": "small", "title": "Small", "resources": {"cpu": 1, "memory": "2 GiB"}}]``; or the
        `Catalogue` that ``configure`` makes of that file.
        """,
    ).tag(config=True)

    site = Unicode(
        "",
        help="""
        Short name of this hub, the same as ``site.name`` in ``jupytercloud.yaml``.

        Stands in labels and in the quota service's ledger; ``access.sites`` of a profile is compared to it.
        """,
    ).tag(config=True)

    contact = Unicode(
        "",
        help="""
        E-mail or web address of those who help.

        Named on the form when there is nothing that a person can start.
        """,
    ).tag(config=True)

    timezone = Unicode(
        "Europe/Paris",
        help="""
        Time zone of the hours in which profiles may be started.

        Example: ``Indian/Reunion``.
        """,
    ).tag(config=True)

    gpus = Dict(
        help="""
        GPU types of this site, each with the most that one server can get.

        A profile that asks for another type, or for more, is shown greyed with the reason, and refused
        whatever way it is asked for. Example: ``{"a100": 4, "a100-1g.5gb": 7}``.
        """,
    ).tag(config=True)

    places = Dict(
        help="""
        How many servers can run at once, by profile; ``"*"`` for all of them together.

        The form says how many places are free; nothing is refused. Example: ``{"*": 40, "big": 2}``.
        """,
    ).tag(config=True)

    gpus_in_all = Dict(
        help="""
        All GPUs of this site by type, where the number is known: the form then says how many places are free.

        Example: ``{"a100": 8}``.
        """,
    ).tag(config=True)

    backend: ClassVar[str] = ""

    _remembered: ClassVar[WeakSet[ChoiceMixin]] = WeakSet()
    """Spawners with a record: the form would look at everybody in the hub's memory otherwise."""

    def __init__(self, **kwargs: Any) -> None:
        self._read: tuple[object, Catalogue] | None = None
        self._resolved: Resolved | None = None
        self._record: ServerRecord | None = None
        self._prefill: dict[str, Any] | None = None
        self._form_language: Language | None = None
        self._before: dict[str, Any] = {}
        self._fresh: set[str] = set()
        super().__init__(**kwargs)

    @property
    def catalogue(self) -> Catalogue:
        """The profiles of this hub."""
        given = self.profiles
        if isinstance(given, Catalogue):
            return given
        if self._read is None or self._read[0] is not given:
            self._read = (given, _catalogue(json.dumps(list(given), sort_keys=True)))
        return self._read[1]

    def capabilities(self) -> Capabilities:
        """Return what this backend gives at this site; each backend says it for itself."""
        return Capabilities(backend=self.backend, gpus=dict(self.gpus), site=self.site or None)

    def now(self) -> datetime:
        """Return the time at this site."""
        return datetime.now(ZoneInfo(self.timezone))

    @property
    def form_page(self) -> FormPage:
        """The spawn form, compiled once for all people."""
        return _page(self.catalogue, self.capabilities().model_dump_json(), self.contact)

    @property
    def person(self) -> Person:
        """Whose server this is, from what the authenticator published."""
        user = self.user
        return Person.from_hub_user(
            {
                "name": user.name,
                "user_info": getattr(user, "user_info", None),
                "groups": [group.name for group in user.groups],
                "admin": bool(user.admin),
            }
        )

    @property
    def language(self) -> Language:
        """The language to speak: of the request at hand, else what her last form or her login left."""
        handler = getattr(self, "handler", None)
        if handler is not None:
            self._form_language = request_language(handler, self.user)
        return self._form_language or request_language(None, self.user)

    def words(self, text: Text) -> str:
        """Return a sentence in her language."""
        return render(text, self.language)

    @default("options_form")
    def _default_options_form(self) -> Callable[[Any], Awaitable[str]]:
        return lambda spawner: spawner.render_form()

    async def render_form(self) -> str:
        """Return the form, with a link's wishes or the last choice filled in."""
        last = self._prefill or self.user_options
        self._prefill = None
        language, left = self.language, await self.budgets_left()
        return self.form_page.render(
            self.person, language, last, self.now(), left, self.free_places(), self.step_up_address
        )

    @property
    def step_up_address(self) -> str:
        """Where the hub's authenticator takes logins with two factors; empty where it takes none."""
        return f"{self.hub.base_url}oidc/step-up" if getattr(self.authenticator, "mfa_acr", None) else ""

    def free_places(self) -> FreePlaces:
        """Return how many more servers fit at this site, as far as the operator declared what there is."""
        if not self.places and not self.gpus_in_all:
            return NOTHING_KNOWN
        hub = self.user.settings
        ours = [each for each in self._remembered if getattr(each.user, "settings", None) is hub]
        running = [each._record for each in ours if each.active]
        return free_places(self.catalogue, self.places, self.gpus_in_all, running)

    def remember(self, record: ServerRecord | None) -> None:
        """Keep what this server was started as; None once it is gone."""
        self._record = record
        (self._remembered.discard if record is None else self._remembered.add)(self)

    async def budgets_left(self) -> BudgetsLeft:
        """Return where her budgets stand and what servers cost, as far as it is known."""
        return NOTHING_COUNTED

    @default("options_from_form")
    def _default_options_from_form(self) -> Callable[..., dict[str, Any]]:
        return self.read_form

    def read_form(self, form_data: Mapping[str, list[Any]]) -> dict[str, Any]:
        """Return user options from what the form posted."""
        try:
            return self.form_page.plan.read(form_data)
        except Refused as no:
            raise self.refused(no) from None

    def options_from_query(self, query_data: Mapping[str, list[str]]) -> dict[str, Any]:
        """Fill in the form from a link, and never start from one: that needs the person's own click.

        JupyterHub starts whatever this returns, and shows the form when it raises; hence an exception that
        says nothing and carries the status of a page that is fine.
        """
        self._prefill = self.form_page.plan.read_link(query_data)
        raise StartRefused("", reason="link", status_code=200, log_message="a link fills in the form")

    @default("apply_user_options")
    def _default_apply_user_options(self) -> Callable[[Any, Any], None]:
        return lambda spawner, user_options: spawner.resolve_options(user_options)

    def resolve_options(self, user_options: object) -> None:
        """Judge a choice, whatever way it came, and set this spawner to it. Raises `StartRefused`."""
        self._resolved = None
        try:
            resolved = resolve(self.catalogue, user_options, self.person, self.capabilities(), self.now())
        except Refused as no:
            raise self.refused(no) from None
        self.user_options = resolved.user_options
        if self.orm_spawner is not None:
            self.orm_spawner.user_options = resolved.user_options
        self._fresh.clear()
        self.apply(resolved)
        self._restore_others()
        self._resolved = resolved
        self.remember(resolved.record)

    def refused(self, no: Refused) -> StartRefused:
        """Return a refusal of the catalogue as the hub raises it; one that a stronger login lifts says where."""
        link = None
        if no.reason == "mfa" and self.step_up_address:
            link = (self.step_up_address, self.words(Text("Log in with two factors")))
        words = self.words(no.text)
        return StartRefused(words, reason=no.reason, status_code=no.status, log_message=str(no), link=link)

    def apply(self, resolved: Resolved) -> None:
        """Set this spawner's traits for one start; backends extend it with what is theirs."""
        profile, resources = resolved.profile, resolved.resources
        if profile.command:
            self.replace("cmd", list(profile.command))
        environment = dict(resolved.environment)
        if profile.remotes:
            told = [remote.public(self.user.name) for remote in profile.remotes]
            environment[REMOTES_VARIABLE] = json.dumps(told)
        if environment:
            self.replace("environment", {**self.base("environment"), **environment})
        if resolved.default_url:
            self.replace("default_url", resolved.default_url)
        if profile.timeouts.start:
            self.replace("start_timeout", round(profile.timeouts.start.total_seconds()))
        if profile.timeouts.http:
            self.replace("http_timeout", round(profile.timeouts.http.total_seconds()))
        self.replace("cpu_limit", resources.cpu.limit)
        self.replace("cpu_guarantee", resources.cpu.guarantee)
        self.replace("mem_limit", resources.memory.limit)
        self.replace("mem_guarantee", resources.memory.guarantee)

    def replace(self, trait: str, value: Any) -> None:
        """Set a trait for this start only: the next one begins from what the administrator set."""
        current = getattr(self, trait)
        self._before.setdefault(trait, current)
        self._fresh.add(trait)
        if current is not value and current != value:
            setattr(self, trait, value)

    def base(self, trait: str) -> Any:
        """Return a trait as this start has it so far, with nothing that an earlier start left."""
        if trait in self._fresh or trait not in self._before:
            return getattr(self, trait)
        return self._before[trait]

    def _restore_others(self) -> None:
        """Give the traits back that an earlier start replaced and this one did not."""
        for trait in [name for name in self._before if name not in self._fresh]:
            setattr(self, trait, self._before.pop(trait))

    @property
    def profile(self) -> Profile | None:
        """The profile of this start, once it is resolved."""
        return self._resolved.profile if self._resolved else None
