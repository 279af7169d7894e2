"""What NetworkPolicies let through, as the API's reference defines it: the tests' cluster enforces none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod, or (without labels) an address outside."""

    labels: dict[str, str] | None = None
    namespace: str = "hub"
    namespace_labels: dict[str, str] = field(default_factory=dict)
    address: str = "10.244.1.9"


def allowed(policies: Iterable[tuple[str, dict[str, Any]]], source: End, target: End, port: int) -> bool:
    """Tell whether TCP from ``source`` reaches ``port`` of ``target``; ``policies`` are (namespace, object)."""
    policies = list(policies)
    return _direction(policies, source, target, port, "Egress") and _direction(
        policies, target, source, port, "Ingress"
    )


def _direction(policies: list[tuple[str, dict[str, Any]]], own: End, other: End, port: int, way: str) -> bool:
    if own.labels is None:
        return True
    about = [
        policy["spec"]
        for namespace, policy in policies
        if namespace == own.namespace
        and way in policy["spec"]["policyTypes"]
        and _selects(policy["spec"]["podSelector"], own.labels)
    ]
    rules = [rule for spec in about for rule in spec.get(way.lower()) or ()]
    return not about or any(_rule(rule, own, other, port, "to" if way == "Egress" else "from") for rule in rules)


def _rule(rule: dict[str, Any], own: End, other: End, port: int, key: str) -> bool:
    ports = rule.get("ports")
    if ports and not any(one.get("protocol", "TCP") == "TCP" and one["port"] == port for one in ports):
        return False
    return key not in rule or any(_peer(peer, own, other) for peer in rule[key])


def _peer(peer: dict[str, Any], own: End, other: End) -> bool:
    if "ipBlock" in peer:
        address, block = ip_address(other.address), peer["ipBlock"]
        inside = address in ip_network(block["cidr"])
        return inside and not any(address in ip_network(one) for one in block.get("except", ()))
    if other.labels is None:
        return False
    if "namespaceSelector" in peer:
        if not _selects(peer["namespaceSelector"], other.namespace_labels):
            return False
    elif own.namespace != other.namespace:
        return False
    return "podSelector" not in peer or _selects(peer["podSelector"], other.labels)


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    if any(labels.get(name) != value for name, value in (selector.get("matchLabels") or {}).items()):
        return False
    for one in selector.get("matchExpressions") or ():
        if one["operator"] != "In":
            raise NotImplementedError(one["operator"])
        if labels.get(one["key"]) not in one["values"]:
            return False
    return True
