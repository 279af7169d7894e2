"""What ``jupytercloud check`` finds at a cluster: the API, the rights of the account, claims, machines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiohttp import ClientError
from kubernetes_asyncio.client import (
    AuthorizationV1Api,
    CoreV1Api,
    V1SelfSubjectRulesReview,
    V1SelfSubjectRulesReviewSpec,
    VersionApi,
)
from kubernetes_asyncio.client.rest import ApiException
from kubernetes_asyncio.config import ConfigException

from ..contracts.finding import Finding
from ..contracts.text import Text
from ..profiles.catalogue import Profile
from ..profiles.features import source_of
from ..settings.spawner import SpawnerSettings
from .kubernetes_objects import GPU_RESOURCE
from .kubernetes_sweep import client_of_cluster

AREA = "spawner"
SECONDS = 6
MADE = ("get", "watch", "list", "create", "delete")
NEEDED: Mapping[str, Sequence[str]] = {
    "pods": MADE,
    "persistentvolumeclaims": MADE,
    "services": MADE,
    "secrets": MADE,
    "pods/log": ("get",),
    "events": ("get", "watch", "list"),
}
"""Verbs for each resource of the core API, as ``config/kubernetes/hub-role.yaml`` gives them."""


async def look(spawner: SpawnerSettings, profiles: Sequence[Profile] = ()) -> list[Finding]:
    """Return what is found at the cluster that the hub is in, or that ``KUBECONFIG`` names; nothing is changed."""
    try:
        async with asyncio.timeout(SECONDS):
            return await _look(spawner, profiles)
    except (ConfigException, ApiException, ClientError, OSError, TimeoutError) as error:
        said = str(getattr(error, "reason", "") or error or type(error).__name__)[:200]
        what = Text("the cluster does not answer: {error}", error=said)
        mend = Text("Run this where the hub runs, with its service account, or set KUBECONFIG.")
        return [Finding(AREA, "error", what, mend, Text("nobody can start a server"))]


async def _look(spawner: SpawnerSettings, profiles: Sequence[Profile]) -> list[Finding]:
    async with await client_of_cluster() as client:
        version = await VersionApi(client).get_code()
        found = [Finding(AREA, "ok", Text("Kubernetes {version} answers", version=version.git_version))]
        namespace = spawner.kubernetes.namespace
        if not namespace:
            what = Text("rights and claims were not looked at: no namespace is named")
            mend = Text("Name it in spawner.kubernetes.namespace.")
            return [*found, Finding(AREA, "skipped", what, mend)]
        review = V1SelfSubjectRulesReview(spec=V1SelfSubjectRulesReviewSpec(namespace=namespace))
        answer = await AuthorizationV1Api(client).create_self_subject_rules_review(review)
        rules = client.sanitize_for_serialization(answer)["status"].get("resourceRules") or []
        lacks = missing_rights(rules)
        if lacks:
            found.append(_no_right(namespace, lacks))
        else:
            found.append(Finding(AREA, "ok", Text("the account has its rights in {namespace}", namespace=namespace)))
        if beyond := excessive_rights(rules):
            what = Text(
                "in {namespace} the account may more than it needs: {rights}", namespace=namespace, rights=beyond
            )
            mend = Text("Bind it to the role of config/kubernetes/hub-role.yaml alone.")
            found.append(Finding(AREA, "warning", what, mend, Text("who takes the hub over gets all of that")))
        api = CoreV1Api(client)
        if "get persistentvolumeclaims" not in lacks:
            found += [finding for name in _claims(spawner, profiles) if (finding := await _claim(api, namespace, name))]
        return found + await _machines(client, api, spawner)


def missing_rights(rules: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what the hub needs and the rules of a SelfSubjectRulesReview do not give: ``delete pods``."""
    given: set[tuple[str, str]] = set()
    for rule in rules:
        if not {"", "*"} & set(rule.get("apiGroups") or ()) or rule.get("resourceNames"):
            continue
        given |= {(verb, resource) for verb in rule.get("verbs") or () for resource in rule.get("resources") or ()}

    def may(verb: str, resource: str) -> bool:
        return any((v, r) in given for v in (verb, "*") for r in (resource, "*"))

    return [f"{verb} {resource}" for resource, verbs in NEEDED.items() for verb in verbs if not may(verb, resource)]


def excessive_rights(rules: Iterable[Mapping[str, Any]]) -> str:
    """Return the first of what the rules give and the hub has no use for; empty where they are the least.

    What every account may do (ask about itself, read the API's own description) is no excess.
    """
    found = []
    for rule in rules:
        resources = set(rule.get("resources") or ())
        if (resources and resources <= OF_EVERYBODY) or rule.get("resourceNames"):
            continue
        for resource in sorted(resources):
            beyond = [verb for verb in rule.get("verbs") or () if verb not in NEEDED.get(resource, ())]
            if "" not in (rule.get("apiGroups") or ()) and "*" not in (rule.get("apiGroups") or ()):
                beyond = list(rule.get("verbs") or ())
            found += [f"{verb} {resource}" for verb in beyond]
    return ", ".join(found[:6]) + (" …" if len(found) > 6 else "")


OF_EVERYBODY = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"})


def _no_right(namespace: str, lacks: Sequence[str]) -> Finding:
    what = Text("in {namespace} the account may not: {rights}", namespace=namespace, rights=", ".join(lacks))
    mend = Text("kubectl apply -n {namespace} -f config/kubernetes/hub-role.yaml", namespace=namespace)
    return Finding(AREA, "error", what, mend, Text("starts or stops fail"))


def _claims(spawner: SpawnerSettings, profiles: Sequence[Profile]) -> list[str]:
    section = spawner.kubernetes
    named = [section.home.claim, section.cvmfs_claim] + [
        source_of(volume) for profile in profiles for volume in profile.volumes if volume.kind == "shared"
    ]
    return list(dict.fromkeys(name for name in named if name and not name.startswith("/")))


async def _claim(api: CoreV1Api, namespace: str, name: str) -> Finding | None:
    try:
        claim = await api.read_namespaced_persistent_volume_claim(name, namespace)
    except ApiException as error:
        if error.status != 404:
            raise
        what = Text("there is no claim {name} in {namespace}", name=name, namespace=namespace)
        return Finding(AREA, "error", what, Text("Make it, or correct its name."), Text("servers that mount it wait"))
    if claim.status.phase == "Lost":
        what = Text("the volume of the claim {name} is lost", name=name)
        return Finding(AREA, "error", what, Text("Look at it: kubectl describe pvc {name}", name=name))
    return None


async def _machines(client: Any, api: CoreV1Api, spawner: SpawnerSettings) -> list[Finding]:
    if not spawner.node_classes and not spawner.gpus:
        return []
    try:
        listed = await api.list_node()
    except ApiException as error:
        if error.status != 403:
            raise
        what = Text("whether machines have the labels and GPUs that profiles name was not looked at")
        mend = Text("Run this once with an account that may list nodes; the hub itself needs no such right.")
        return [Finding(AREA, "skipped", what, mend)]
    return list(machines_lacking(client.sanitize_for_serialization(listed)["items"], spawner))


def machines_lacking(nodes: Sequence[Mapping[str, Any]], spawner: SpawnerSettings) -> Iterable[Finding]:
    """Yield the classes that no node has, and the GPUs of which no node has as many as one server may get."""

    def having(selector: Mapping[str, str]) -> list[Mapping[str, Any]]:
        return [node for node in nodes if selector.items() <= (node["metadata"].get("labels") or {}).items()]

    for name, kind in spawner.node_classes.items():
        if not having(kind.kubernetes.node_selector):
            yield Finding(
                AREA,
                "warning",
                Text("no machine of the cluster is of the class {name}", name=name),
                Text("Label one (kubectl label node …), or take the class out of spawner.node_classes."),
                Text("its profiles wait for a machine until they give up"),
            )
    for name, gpu in spawner.gpus.items():
        resource = gpu.kubernetes.resource or GPU_RESOURCE
        most = max(
            (int(node["status"]["allocatable"].get(resource, 0)) for node in having(gpu.kubernetes.node_selector)),
            default=0,
        )
        if most < gpu.most:
            yield Finding(
                AREA,
                "warning",
                Text(
                    "no machine of the cluster has {count} × GPU {type} ({resource}); the most is {most}",
                    count=gpu.most,
                    type=name,
                    resource=resource,
                    most=most,
                ),
                Text("Look at the device plugin of those machines, or lower spawner.gpus."),
            )
