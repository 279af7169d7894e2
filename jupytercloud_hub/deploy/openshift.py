"""What OpenShift's security context constraint ``restricted-v2`` refuses, looked for in values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..contracts.text import Text
from ..settings.problems import Key, Problem
from ..settings.spawner import SpawnerSettings
from .places import Values

_CONTEXTS = (
    "hub.containerSecurityContext",
    "proxy.chp.containerSecurityContext",
    "proxy.traefik.containerSecurityContext",
    "proxy.secretSync.containerSecurityContext",
    "prePuller.containerSecurityContext",
    "prePuller.hook.containerSecurityContext",
    "prePuller.pause.containerSecurityContext",
    "scheduling.userScheduler.containerSecurityContext",
    "scheduling.userPlaceholder.containerSecurityContext",
)
DEFAULTS: tuple[Key, ...] = (
    ("hub", "podSecurityContext", "fsGroup"),
    ("singleuser", "uid"),
    ("singleuser", "fsGid"),
    *((*path.split("."), name) for path in _CONTEXTS for name in ("runAsUser", "runAsGroup")),
)
"""Where the chart writes ids down (values.yaml of 4.4.0)."""

_IDS = frozenset({"runAsUser", "runAsGroup", "fsGroup", "fsGid", "uid"})
_FORBIDDEN: dict[tuple[str, Any], Text] = {
    ("privileged", True): Text("restricted-v2 lets no container be privileged"),
    ("allowPrivilegeEscalation", True): Text("restricted-v2 lets no process gain privileges"),
    ("runAsNonRoot", False): Text("restricted-v2 runs nothing as root"),
    ("hostNetwork", True): Text("restricted-v2 keeps pods off the machine's network"),
    ("hostPID", True): Text("restricted-v2 keeps pods off the machine's processes"),
    ("hostIPC", True): Text("restricted-v2 keeps pods off the machine's memory"),
}
_CAPABILITIES = frozenset({"NET_BIND_SERVICE"})
"""What may be added."""


def check(values: Values, spawner: SpawnerSettings | None, cvmfs: Key | None) -> Iterator[Problem]:
    """Yield what ``restricted-v2`` would refuse. ``cvmfs``: key of a profile's CVMFS volume, if any has one."""
    for key in DEFAULTS:
        if not values.has(*key):
            rule = Text("the chart writes an id down here, and OpenShift gives each namespace its own: set it to null")
            yield values.problem(key, rule)
    if values.get("singleuser", "cloudMetadata", "blockWithIptables") is not False:
        rule = Text("false is needed: else each server begins with a privileged container")
        yield values.problem(("singleuser", "cloudMetadata", "blockWithIptables"), rule)
    if values.get("scheduling", "userScheduler", "enabled") is not False:
        rule = Text("false is needed: the scheduler asks for rights over the whole cluster")
        yield values.problem(("scheduling", "userScheduler", "enabled"), rule)
    for key, value in values.walk():
        yield from _one(values, key, value)
    if cvmfs is not None and not (spawner and spawner.kubernetes.cvmfs_claim):
        rule = Text("CVMFS needs spawner.kubernetes.cvmfs_claim: without it /cvmfs of the machine would be mounted")
        yield values.problem(cvmfs, rule)


def _one(values: Values, key: Key, value: Any) -> Iterator[Problem]:
    name = key[-1]
    if name == "hostPath":
        hint = Text("Take a PersistentVolumeClaim.")
        yield values.problem(key, Text("restricted-v2 mounts no folder of the machine (hostPath)"), hint)
    elif name == "hostPort":
        yield values.problem(key, Text("restricted-v2 opens no port of the machine"), value=value)
    elif name in _IDS and value is not None:
        rule = Text("OpenShift gives each namespace its own ids: set it to null")
        yield values.problem(key, rule, value=value)
    elif isinstance(name, str) and isinstance(value, bool) and (name, value) in _FORBIDDEN:
        yield values.problem(key, _FORBIDDEN[name, value], value=str(value).lower())
    elif name == "add" and key[-2:-1] == ("capabilities",) and isinstance(value, list):
        for index, capability in enumerate(value):
            if capability not in _CAPABILITIES:
                rule = Text("restricted-v2 gives no such capability")
                yield values.problem((*key, index), rule, value=capability)
