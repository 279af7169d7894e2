"""From what was asked for to what is started: the one judgement on every choice, whatever way it came."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..contracts.person import Person
from ..contracts.server_record import ServerRecord
from ..contracts.text import Text
from .access import hidden, needs_step_up, refusal
from .catalogue import Catalogue, Profile
from .options import check_all
from .refusal import Refused
from .resources import Capabilities, ProfileResources


@dataclass(frozen=True)
class Resolved:
    """What one start will be: the profile with the person's answers worked in."""

    profile: Profile
    options: dict[str, str]
    image: str | None
    resources: ProfileResources
    environment: dict[str, str]
    default_url: str | None

    @property
    def record(self) -> ServerRecord:
        """What other parts learn of it."""
        return ServerRecord(profile=self.profile.name, options=dict(self.options), resources=self.resources.counted())

    @property
    def user_options(self) -> dict[str, Any]:
        """The choice as it is kept: exactly a profile and its options."""
        return {"profile": self.profile.name, "options": dict(self.options)}


def why_not(
    profile: Profile, person: Person, capabilities: Capabilities, now: datetime | None = None
) -> Refused | None:
    """Return why this person cannot start this profile at this site, or None: form and start ask the same."""
    unmet = refusal(profile.access, person, capabilities.site, now)
    if unmet is not None:
        step_up = needs_step_up(profile.access, person, capabilities.site, now)
        return Refused(unmet, reason="mfa" if step_up else "access", status=403)
    shortage = capabilities.shortage(profile.resources, profile.node_class)
    if shortage is not None:
        return Refused(shortage, reason="capacity", status=409)
    return None


def resolve(
    catalogue: Catalogue,
    user_options: object,
    person: Person,
    capabilities: Capabilities,
    now: datetime | None = None,
) -> Resolved:
    """Return what is to be started; raise `Refused` for all that the catalogue does not give this person.

    ``user_options`` is what the form, the REST API, a link or an earlier start left: nothing about it is
    trusted. Empty options mean the catalogue's default profile. ``now`` is in the site's time zone.
    """
    name, values = _shape(user_options)
    if name is None:
        profile = catalogue.default
        if profile is None:
            raise Refused(
                Text("Please choose a profile: {names}.", names=_offered(catalogue, person, capabilities)),
                reason="profile",
            )
    else:
        found = catalogue.get(name)
        if found is None or _is_hidden(found, person, capabilities):
            raise Refused(_unknown(name, catalogue, person, capabilities), reason="profile")
        profile = found
    no = why_not(profile, person, capabilities, now)
    if no is not None:
        raise Refused(
            Text("“{profile}” cannot be started. {reason}", profile=profile.title, reason=no.text),
            reason=no.reason,
            status=no.status,
        )
    options = check_all(profile.options, values)
    resolved = apply(profile, options)
    shortage = capabilities.shortage(resolved.resources, profile.node_class)
    if shortage is not None:
        raise Refused(shortage, reason="capacity", status=409)
    return resolved


def apply(profile: Profile, options: Mapping[str, str]) -> Resolved:
    """Work checked answers into a profile."""
    image, resources, default_url = profile.image, profile.resources, profile.default_url
    environment = dict(profile.environment)
    for option in profile.options:
        value = options[option.name]
        if option.variable:
            environment[option.variable] = value
        if option.image:
            image = value
        choice = option.choice(value)
        if choice is None:
            continue
        image = choice.image or image
        default_url = choice.default_url or default_url
        environment.update(choice.environment)
        if choice.resources:
            resources = resources.changed_by(choice.resources)
    return Resolved(
        profile=profile,
        options=dict(options),
        image=image,
        resources=resources,
        environment=environment,
        default_url=default_url,
    )


def _shape(user_options: object) -> tuple[str | None, Mapping[str, object]]:
    """Take ``{"profile": name, "options": {…}}`` apart; anything else is refused, and the shape is told."""
    if not user_options:
        return None, {}
    if not isinstance(user_options, Mapping):
        raise Refused(_rule(), reason="options")
    unknown = [str(key) for key in user_options if key not in ("profile", "options")]
    if unknown:
        raise Refused(
            Text("There is no option “{key}” here. {rule}", key=unknown[0][:80], rule=_rule()),
            reason="options",
        )
    name, values = user_options.get("profile"), user_options.get("options")
    if name is not None and not isinstance(name, str):
        raise Refused(_rule(), reason="options")
    if values is not None and not isinstance(values, Mapping):
        raise Refused(_rule(), reason="options")
    return name or None, values or {}


def _rule() -> Text:
    return Text('A choice is written {{"profile": name, "options": {{name: value}}}}.')


def _is_hidden(profile: Profile, person: Person, capabilities: Capabilities) -> bool:
    return hidden(profile.access) and refusal(profile.access, person, capabilities.site) is not None


def _unknown(name: str, catalogue: Catalogue, person: Person, capabilities: Capabilities) -> Text:
    offered = _offered(catalogue, person, capabilities)
    near = difflib.get_close_matches(name, offered.split(", "), n=1)
    if near:
        return Text("The profile “{name}” does not exist here. Did you mean {near}?", name=name[:80], near=near[0])
    return Text("The profile “{name}” does not exist here. There are: {names}.", name=name[:80], names=offered)


def _offered(catalogue: Catalogue, person: Person, capabilities: Capabilities) -> str:
    return ", ".join(profile.name for profile in catalogue if why_not(profile, person, capabilities) is None)
