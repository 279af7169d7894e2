"""What the demo consists of: hubs, ports, addresses, who belongs where. Decides; starts and writes nothing."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..contracts.text import Text
from . import people

HOST = "127.0.0.1"
SITES = ("paris-saclay", "grenoble")
HUBS = ("portal", *SITES)
SERVICES = {"portal": ("federation",), "paris-saclay": ("culler", "quotas"), "grenoble": ("culler", "quotas")}
HOME_ORGANIZATIONS = {
    "paris-saclay": ("univ-paris-saclay.example", "ens-plateau.example"),
    "grenoble": ("univ-grenoble.example", "lycee-belledonne.example"),
}
"""The organizations of each site's people; whoever is of none of them is let in nowhere."""
AFFILIATIONS = frozenset({"faculty", "student", "staff", "employee", "member"})
"""One of these is needed to be let in."""
GROUP = "calcul"
GROUP_ENTITLEMENT = "urn:geant:jupytercloud.example:group:calcul"
PROFILES = ("pycoa", "jupyterlab", "calcul", "gpu")
RESERVED = "calcul"
NOWHERE_OFFERED = "gpu"
PORTS_EACH_TRIES = 40
"""How many runs of ports are looked at for a suggestion."""


@dataclass(frozen=True)
class Hub:
    """One of the three hubs, with its ports on loopback."""

    name: str
    public: int
    hub: int
    proxy_api: int
    services: dict[str, int]

    @property
    def base_path(self) -> str:
        """Hubs on one host share cookies whatever their ports, hence a base path for each."""
        return f"/{self.name}/"

    @property
    def url(self) -> str:
        """Address with base path."""
        return f"http://{HOST}:{self.public}{self.base_path}"

    @property
    def role(self) -> str:
        """``portal`` or ``site``."""
        return "portal" if self.name == "portal" else "site"


@dataclass(frozen=True)
class Plan:
    """Everything that follows from the folder and the first port."""

    state: Path
    first_port: int

    @cached_property
    def hubs(self) -> tuple[Hub, ...]:
        """Public ports come first, so that people meet the round numbers: portal, sites, provider."""
        inner = self.first_port + len(HUBS) + 1
        hubs = []
        for number, name in enumerate(HUBS):
            services = {service: inner + 2 + k for k, service in enumerate(SERVICES[name])}
            hubs.append(Hub(name, self.first_port + number, inner, inner + 1, services))
            inner += 2 + len(services)
        return tuple(hubs)

    def hub(self, name: str) -> Hub:
        """The hub of that name."""
        return next(hub for hub in self.hubs if hub.name == name)

    @property
    def provider_port(self) -> int:
        """The OpenID provider's port."""
        return self.first_port + len(HUBS)

    @property
    def issuer(self) -> str:
        """The OpenID provider's address and issuer."""
        return f"http://{HOST}:{self.provider_port}"

    @property
    def ports(self) -> dict[int, str]:
        """Every port of the demo, with what it is for."""
        ports = {self.provider_port: "provider"}
        for hub in self.hubs:
            ports |= {hub.public: hub.name, hub.hub: f"{hub.name} (hub)", hub.proxy_api: f"{hub.name} (proxy)"}
            ports |= {port: f"{hub.name} ({service})" for service, port in hub.services.items()}
        return dict(sorted(ports.items()))

    def folder(self, hub: str) -> Path:
        """Where a hub's files are."""
        return self.state / hub


def is_free(port: int) -> bool:
    """Say whether this machine's loopback port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def taken_ports(plan: Plan) -> dict[int, str]:
    """The ports of the plan that somebody else listens on, with what they were wanted for."""
    return {port: use for port, use in plan.ports.items() if not is_free(port)}


def free_run(plan: Plan) -> int | None:
    """The next first port from which on the whole run is free, None where none was found."""
    step = max(plan.ports) - plan.first_port + 1
    for number in range(1, PORTS_EACH_TRIES):
        first = plan.first_port + number * step
        if first + step > 65535:
            return None
        if not taken_ports(Plan(plan.state, first)):
            return first
    return None


def expected_site(person: people.MadeUpPerson) -> str | None:
    """The site that the portal sends her to; None for who is let in nowhere."""
    if not person.affiliations & AFFILIATIONS:
        return None
    return next((site for site in SITES if person.organization in HOME_ORGANIZATIONS[site]), None)


def in_group(person: people.MadeUpPerson) -> bool:
    """Whether she is in the group that one profile is reserved to."""
    entitlements = person.claims.get("eduperson_entitlement", [])
    return any(str(value).startswith(GROUP_ENTITLEMENT) for value in entitlements)


def what_she_sees(person: people.MadeUpPerson) -> Text:
    """A few words for the table."""
    if expected_site(person) is None:
        if any(person.organization in named for named in HOME_ORGANIZATIONS.values()):
            return Text("refused: a reader of the library only")
        return Text("refused: nobody knows her organization")
    if in_group(person):
        return Text("PyCoA, JupyterLab, Calcul (group {group})", group=GROUP)
    return Text("PyCoA, JupyterLab")
