"""What an event's directory holds for an engine: a Swarm stack, or a chart's values with Argo CD's Application."""

from __future__ import annotations

import secrets as random
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..contracts.text import Text
from ..deploy.chart import CHART_VERSION
from ..deploy.stack import CERTIFICATE, TLS, Stack
from ..spawners.base import slug

SWARM_CONFIGS = {
    "jupytercloud": "jupytercloud.yaml",
    "jupyterhub_config": "jupyterhub_config.py",
    "codes": "codes.hashed",
    "socket_traefik": "socket_traefik.cfg",
    "socket_hub": "socket_hub.cfg",
    "engines": "engines.cfg",
}
SWARM_SECRETS = ("cookie_secret", "proxy_token", "culler_token", "events_token")
SCRIPTS = ("deploy.sh", "event.sh", "remove.sh")
KUBERNETES_SECRETS = (*SWARM_SECRETS, "crypt_key", "prometheus_token")
PLACEHOLDERS = 20
"""Pods that keep room on machines, at most."""


def context(backend: str) -> dict[str, Any]:
    """Return what ``jupytercloud.yaml`` says on an engine: places in containers, and how the services reach others."""
    swarm = backend == "swarm"
    state = "/var/lib/jupytercloud" if swarm else "/srv/jupyterhub/state"
    services = "services" if swarm else "hub"
    return {
        "state": state,
        "services": "external",
        "service_urls": {"culler": f"http://{services}:8102", "events": f"http://{services}:8104"},
        "codes": "codes.hashed" if swarm else "/etc/jupytercloud/secrets/codes",
        "code_key": "/run/secrets/code_key" if swarm else "/etc/jupytercloud/secrets/code-key",
        "proxy_url": "http://proxy:8000" if swarm else "http://proxy-public",
        "engines": ["tcp://tasks.engines:2375"] if swarm else [],
        "database": f"sqlite:///{state}/jupytercloud.sqlite",
        "chart": not swarm,
    }


def namespace(name: str) -> str:
    """Return the namespace of an event's hub on Kubernetes."""
    return f"jupytercloud-{name}"


def command(backend: str, name: str, action: str) -> str:
    """Return how ``jupytercloud event`` is run where this event's hub is."""
    if backend == "swarm":
        return f"./event.sh {action}"
    inside = f"kubectl -n {namespace(name)} exec deploy/hub -c services -- " if backend == "kubernetes" else ""
    config = "/etc/jupytercloud/jupytercloud.yaml" if inside else "jupytercloud.yaml"
    return f"{inside}jupytercloud event {action} --config {config}"


def before(backend: str, name: str, certificate: str) -> list[Text]:
    """Return what has to be there before the hub is started, for the checklist."""
    if backend == "swarm":
        needed = [
            Text("One manager for the event, with free ports 80 and 443 and the host name's address: {command}",
                 command=f"docker node update --label-add jupytercloud.event={name} NODE"),
        ]  # fmt: skip
        if certificate == "own":
            needed.append(Text("Certificate (with its chain) and key: secrets/tls_certificate, secrets/tls_key."))
        return needed
    if backend == "kubernetes":
        place = namespace(name)
        return [
            Text("Folder into the deployment's repository as events/{name}/, without codes.*, poster.pdf and code.key; "
                 "secrets.yaml and secret.yaml encrypted. Then: {command}", name=name,
                 command="jupytercloud helm-values validate"),
            Text("Namespace with its secret; the registry's (jupytercloud-registry) beside it: {command}",
                 command=f"kubectl create namespace {place} && kubectl -n {place} apply -f secret.yaml"),
        ]  # fmt: skip
    return []


def begin(backend: str, name: str) -> list[Text]:
    """Return how the hub is started, and looked at."""
    start = {"swarm": "./deploy.sh", "kubernetes": "kubectl -n argocd apply -f application.yaml"}
    known = start.get(backend, "jupyterhub -f jupyterhub_config.py, jupytercloud check --config jupytercloud.yaml")
    look = Text("Look at one seat with a code of codes.csv, on a telephone too; made-up data have to be said to be so.")
    return [Text("Start the hub: {command}", command=known), look]


def after(backend: str, name: str) -> list[Text]:
    """Return what takes the hub itself away, once the purge is done."""
    if backend == "swarm":
        return [Text("Take the hub away; attestation.json is fetched from it first: {command}", command="./remove.sh")]
    if backend == "kubernetes":
        place = namespace(name)
        fetch = f"kubectl -n {place} exec deploy/hub -c services -- cat {context(backend)['state']}/attestation.json"
        remove = f"kubectl -n argocd delete -f application.yaml && kubectl delete namespace {place}"
        return [
            Text("Keep the attestation: {command}", command=f"{fetch} >attestation.json"),
            Text("Take the hub away with its claim, and its folder from the repository: {command}", command=remove),
        ]
    return []


def spawner(section: Mapping[str, Any], backend: str, name: str) -> dict[str, Any]:
    """Return the lender's section ``spawner`` as an event's hub of its own needs it: its network, its namespace."""
    made = dict(section)
    if backend == "swarm":
        made["swarm"] = {**(section.get("swarm") or {}), "network": f"{name}_servers", "reach": "network"}
    else:
        made["kubernetes"] = {
            key: value for key, value in (section.get("kubernetes") or {}).items() if key != "namespace"
        }
    return {key: value for key, value in made.items() if value}


def write_swarm(folder: Path, name: str, url: str, contact: str, image: str, home: str, certificate: str) -> None:
    """Write the stack, its scripts, proxies of Docker's sockets and secrets.

    Args:
        home: names of seats' volumes, with places in braces.
        certificate: ``letsencrypt``, or ``own`` for one that the organizers bring.
    """
    own = certificate == "own"
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700)
    for secret in SWARM_SECRETS:
        _private(secrets / secret, random.token_hex(32))
    images = {field: Stack.model_fields[field].default for field in ("traefik_image", "haproxy_image")}
    parts = urlsplit(url)
    files = {one: f"secrets/{one}" for one in (*SWARM_SECRETS, *(CERTIFICATE if own else ()))}
    given = {
        "name": name, "path": parts.path, "host": parts.hostname, "certificate": certificate,
        "contact_plain": contact or f"support@{parts.hostname}", "state": context("swarm")["state"],
        "image": image, **images, "configs": {**SWARM_CONFIGS, **({"tls": TLS} if own else {})},
        "secrets": (*SWARM_SECRETS, "code_key"), "secret_files": {**files, "code_key": "code.key"},
        "volumes_here": ("state",) if own else ("acme", "state"),
        "volumes": _volumes(home, name),
    }  # fmt: skip
    for file in (*SCRIPTS, "stack.yaml", "engines.cfg", "jupyterhub_config.py"):
        (folder / file).write_text(_environment(f"swarm/{file}").render(given))
    for file in ("socket_hub.cfg", "socket_traefik.cfg", *((TLS,) if own else ())):  # as a site's stack has them
        (folder / file).write_text(_environment(f"swarm/{file}", "jupytercloud_hub.deploy").render())
    for file in SCRIPTS:
        (folder / file).chmod(0o755)


def write_kubernetes(folder: Path, name: str, url: str, image: str, seats: int) -> None:
    """Write the chart's values with ``jupytercloud.yaml`` inside, its secrets, and Argo CD's Application."""
    parts = urlsplit(url)
    given = {
        "name": name, "path": parts.path, "host": parts.hostname, "image": image, "seats": seats,
        "namespace": namespace(name), "placeholders": min(seats, PLACEHOLDERS), "chart": CHART_VERSION,
        "codes": (folder / "codes.hashed").read_text().rstrip("\n"),
        "settings": _without_comments((folder / "jupytercloud.yaml").read_text()),
        "secrets": {**{one: random.token_hex(32) for one in KUBERNETES_SECRETS},
                    "code_key": (folder / "code.key").read_text().strip()},
    }  # fmt: skip
    for file in ("values.yaml", "application.yaml"):
        (folder / file).write_text(_environment(f"kubernetes/{file}").render(given))
    for file in ("secrets.yaml", "secret.yaml"):
        _private(folder / file, _environment(f"kubernetes/{file}").render(given))
    (folder / "jupyterhub_config.py").unlink(missing_ok=True)  # the chart has its own


def _volumes(home: str, name: str) -> str:
    """Return a regular expression for HAProxy: the names of the volumes of seats."""
    for place in ("hub", "user", "username"):
        home = home.replace("{" + place + "}", f"%{place}%")
    escaped = home.replace(".", "[.]")
    return escaped.replace("%hub%", slug(name)).replace("%user%", "seat-[a-z0-9-]+").replace(
        "%username%", "seat-[a-z0-9-]+"
    )  # fmt: skip


def _environment(file: str, package: str = "jupytercloud_hub.events") -> Any:
    return Environment(
        loader=PackageLoader(package),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - configuration; what is filled in was validated
        keep_trailing_newline=True,
    ).get_template(f"{file}.j2")


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))


def _private(path: Path, content: str) -> None:
    path.touch(mode=0o600)
    path.write_text(content)
