"""The profiles and the site: what can never start here, and which limits are only words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...contracts.finding import Finding
from ...contracts.text import Text
from ...profiles import features
from ...profiles.catalogue import Profile
from .look import Look

AREA = "spawner"


async def look(at: Look) -> list[Finding]:
    """Return what is found between the profiles and the backend."""
    settings = at.settings
    if settings.spawner is None or settings.site.role == "portal":
        return []
    has = settings.spawner.capabilities(settings.site.name)
    found: list[Finding] = []
    offered = [profile for profile in settings.profiles if not profile.abstract]
    if not offered:
        what = Text("there are no profiles")
        found.append(
            Finding(AREA, "error", what, Text("Add profiles: to the file."), Text("nobody can start a server"))
        )
    announced = {profile.name for profile in offered if profile.announced}
    shortages = {profile.name: has.shortage(profile.resources, profile.node_class) for profile in offered}
    startable = [name for name, short in shortages.items() if short is None]
    for name, short in shortages.items():
        if short is not None:
            what = Text("the profile {name} can't start here: {reason}", name=name, reason=short)
            if name in announced:
                found.append(Finding(AREA, "ok", Text("announced: {what}", what=what)))
                continue
            mend = Text(
                "Add what it needs to spawner.gpus or spawner.node_classes, take the profile out, "
                "or say announced: true in it."
            )
            found.append(Finding(AREA, "warning", what, mend, Text("people see it greyed, with this reason")))
    if has.limits != "enforced":
        what = Text("backend {backend}: limits of memory and cores are shown, not enforced", backend=has.backend)
        mend = Text(
            "For more people than trust each other, take a backend that enforces them (swarm); "
            "if they do, say spawner.local.trusted: true."
        )
        if settings.spawner.local.trusted:
            found.append(Finding(AREA, "ok", what))
        else:
            found.append(Finding(AREA, "warning", what, mend, Text("one person's work can take the whole machine")))
    found += _lacking([profile for profile in offered if profile.name in startable], has.backend)
    if settings.spawner.backend == "swarm":
        from ...spawners import swarm_check

        found += await swarm_check.look(settings.spawner)
    elif settings.spawner.backend == "kubernetes":
        from ...spawners import kubernetes_check

        found += await kubernetes_check.look(settings.spawner, offered)
    else:
        from ...spawners import local_volumes

        found += local_volumes.look(offered)
    if startable:
        found.append(Finding(AREA, "ok", Text("profiles that can start here: {names}", names=", ".join(startable))))
    return found


def _lacking(profiles: Sequence[Profile], backend: str) -> Iterator[Finding]:
    """Yield what of the profiles this backend does not give as written, each once for all profiles."""
    mend = Text("Take another backend for it, or take it out of the profile.")
    said: dict[Text, list[str]] = {}
    for profile in profiles:
        for lack in features.lacking(profile, backend):
            said.setdefault(lack.text, []).append(profile.name)
    for text, names in said.items():
        what = Text("on backend {backend}, profile {names}: {rule}", backend=backend, names=", ".join(names), rule=text)
        yield Finding(AREA, "warning", what, mend)
