"""The catalogue: every profile that people can start, as ``profiles:`` in the settings says it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from ..contracts.model import Model
from ..contracts.text import Localized, Text
from ..contracts.units import Duration
from .access import AccessRule
from .merge import merge
from .options import Option, Variable
from .remotes import Remote, each_once
from .resources import ProfileResources

PROFILE_NAME = r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$"
OWN_KEYS = frozenset({"name", "extends", "abstract", "default"})
"""Keys that a profile never takes from the one that it extends."""


class Volume(Model):
    """Something mounted into the server besides the person's home."""

    kind: Literal["shared", "scratch", "cvmfs"] = "shared"
    """``shared``: data that many read; ``scratch``: room that goes with the server; ``cvmfs``: software."""
    source: str | None = Field(default=None, min_length=1)
    """What is mounted: a path on the machines, a volume's or a claim's name, by the backend."""
    target: str = Field(pattern="^/")
    """Absolute path in the server."""
    read_only: bool = True
    """Whether the server may only read it (scratch is always writable)."""

    @model_validator(mode="before")
    @classmethod
    def _scratch_is_written(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and value.get("kind") == "scratch":
            return {"read_only": False, **value}
        return value

    @model_validator(mode="after")
    def _has_a_source(self) -> Self:
        if self.kind == "shared" and self.source is None:
            raise ValueError(Text("a shared volume needs its source"))
        return self


class WorkFile(Model):
    """A file that a new home receives; one that is there already is never overwritten."""

    source: str = Field(min_length=1)
    """File or folder at the hub, relative to the settings file."""
    target: str = Field(min_length=1)
    """Where it goes, relative to the home."""

    @field_validator("target")
    @classmethod
    def _stays_in_the_home(cls, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(Text("a path inside the home is expected"))
        return value


class Timeouts(Model):
    """How long a start may take."""

    start: Duration | None = None
    """Until the engine says that the server runs; JupyterHub's own default is 60 s."""
    http: Duration | None = None
    """From then until it answers; JupyterHub's own default is 30 s."""


class Profile(Model):
    """One entry of the spawn form."""

    name: str = Field(pattern=PROFILE_NAME)
    """Short name, in links, records and bills: small letters, digits and hyphens."""
    title: Localized
    """What people read."""
    description: Localized | None = None
    """A sentence or two: for whom and for what."""
    section: Localized | None = None
    """Heading under which the form shows it; profiles of one section belong together."""
    extends: str | None = None
    """Profile whose keys this one takes over; mappings are merged key by key, everything else is replaced."""
    abstract: bool = False
    """Only there to be extended; nobody can start it."""
    announced: bool = False
    """Shown before the site has what it asks for: people see it greyed, with the reason, and ``check`` takes that for
    known."""
    default: bool = False
    """Chosen beforehand for people without a last choice."""
    image: str | None = Field(default=None, min_length=1)
    """Container image; local processes have none."""
    command: tuple[str, ...] = ()
    """Command instead of ``jupyterhub-singleuser``."""
    resources: ProfileResources = ProfileResources()
    """Cores, memory, GPUs."""
    node_class: str | None = Field(default=None, pattern=PROFILE_NAME)
    """Machines on which it runs, by the name that ``spawner.node_classes`` gives them."""
    volumes: tuple[Volume, ...] = ()
    """Shared data, scratch space, CVMFS."""
    remotes: Annotated[tuple[Remote, ...], AfterValidator(each_once)] = ()
    """Storage elsewhere (S3, WebDAV) that servers reach in the person's own name; needs a login by OpenID Connect."""
    files: tuple[WorkFile, ...] = ()
    """Files that a home receives at the start."""
    environment: dict[Variable, str] = Field(default_factory=dict)
    """Environment variables; what the hub sets itself can't be replaced."""
    default_url: str | None = Field(default=None, pattern="^/")
    """Page that opens first, such as ``/lab/tree/premiers-pas.ipynb``."""
    timeouts: Timeouts = Timeouts()
    """How long a start may take."""
    idle: Duration | None = None
    """Idle time after which servers of this profile are stopped, said on the form."""
    price_class: str | None = Field(default=None, pattern=PROFILE_NAME)
    """Class of the quota tariff (``quotas.tariff``, ``classes``), for what costs more or less than its resources."""
    access: tuple[AccessRule, ...] = ()
    """Who may use it: a rule, or a list of rules of which one is enough; everybody where it is missing."""
    options: tuple[Option, ...] = ()
    """What people may still choose."""
    kubernetes: dict[str, Any] = Field(default_factory=dict)
    """KubeSpawner settings for this profile only."""
    swarm: dict[str, Any] = Field(default_factory=dict)
    """SwarmSpawner settings for this profile only."""

    @field_validator("extends", mode="before")
    @classmethod
    def _can_be_followed(cls, value: Any) -> Any:
        if isinstance(value, _Broken):
            raise ValueError(value.rule)
        return value

    @field_validator("access", mode="before")
    @classmethod
    def _one_rule_alone(cls, value: Any) -> Any:
        return (value,) if isinstance(value, Mapping | AccessRule) else value

    @field_validator("options")
    @classmethod
    def _each_option_once(cls, value: tuple[Option, ...]) -> tuple[Option, ...]:
        names = [option.name for option in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(Text("the option {name} stands here twice", name=twice[0]))
        return value

    @model_validator(mode="after")
    def _every_choice_gives_something_possible(self) -> Self:
        for option in self.options:
            for choice in option.choices:
                if choice.resources:
                    self.resources.changed_by(choice.resources)
        return self


class _Broken(str):
    """A name in ``extends`` that cannot be followed: the mistake is told where it stands, beside all others."""

    rule: Text

    def __new__(cls, name: object, rule: Text) -> _Broken:
        """Return the name as it was written, with the rule that it breaks."""
        broken = super().__new__(cls, name)
        broken.rule = rule
        return broken


def expand(value: Any) -> Any:
    """Apply ``extends`` in a list of profiles as it was read from a file; other shapes are left to pydantic."""
    if not isinstance(value, list | tuple) or not all(isinstance(entry, Mapping) for entry in value):
        return value
    by_name = {entry["name"]: entry for entry in value if isinstance(entry.get("name"), str)}
    return [_expanded(entry, by_name, ()) for entry in value]


def _expanded(
    entry: Mapping[str, Any], by_name: Mapping[str, Mapping[str, Any]], seen: tuple[object, ...]
) -> dict[str, Any]:
    base_name = entry.get("extends")
    if base_name is None:
        return dict(entry)
    if base_name not in by_name:
        near = difflib.get_close_matches(str(base_name), by_name, n=1)
        rule = Text("no profile has this name")
        rule = Text("{rule}; did you mean {near}?", rule=rule, near=near[0]) if near else rule
        return {**entry, "extends": _Broken(base_name, rule)}
    if base_name == entry.get("name") or base_name in seen:
        rule = Text("a profile can't extend itself, by way of others neither")
        return {**entry, "extends": _Broken(base_name, rule)}
    base = _expanded(by_name[base_name], by_name, (*seen, entry.get("name")))
    broken = base.get("extends")
    if isinstance(broken, _Broken) and str(broken) in by_name:  # a circle further on
        return {**entry, "extends": _Broken(base_name, broken.rule)}
    return merge({key: part for key, part in base.items() if key not in OWN_KEYS}, entry)


Profiles = Annotated[tuple[Profile, ...], BeforeValidator(expand)]
"""The ``profiles:`` section: a list of profiles, ``extends`` applied."""


class Catalogue:
    """The profiles of one hub, looked up by name. Raises ValueError for a name that stands in it twice."""

    def __init__(self, profiles: tuple[Profile, ...]) -> None:
        self.profiles = tuple(profile for profile in profiles if not profile.abstract)
        self._by_name = {profile.name: profile for profile in self.profiles}
        if len(self._by_name) < len(self.profiles):
            names = [profile.name for profile in self.profiles]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(Text("the profile {name} stands in the catalogue twice", name=twice[0]))

    def __iter__(self) -> Iterator[Profile]:
        return iter(self.profiles)

    def __len__(self) -> int:
        return len(self.profiles)

    def __deepcopy__(self, memo: dict[int, Any]) -> Catalogue:
        """Return itself: nothing in it ever changes, and traitlets copies settings for every spawner."""
        return self

    def get(self, name: object) -> Profile | None:
        """Return the profile of that name, None where there is none."""
        return self._by_name.get(name) if isinstance(name, str) else None

    @property
    def default(self) -> Profile | None:
        """The profile that is chosen beforehand: the one marked so, or the only one there is."""
        marked = [profile for profile in self.profiles if profile.default]
        if marked:
            return marked[0]
        return self.profiles[0] if len(self.profiles) == 1 else None
