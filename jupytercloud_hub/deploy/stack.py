"""A Docker Swarm stack, filled in for one site: texts, and secrets that are made once and never overwritten."""

from __future__ import annotations

import os
import secrets as random
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import Field, model_validator

from ..contracts.model import Model
from ..contracts.text import Text
from ..settings.auth import check_issuer
from ..settings.site import Address, Name

SECRETS = ("client_secret", "cookie_secret", "crypt_key", "database_password", "proxy_token")
"""Of every hub; each service has a token beside them."""
GIVEN = "client_secret"
"""What the provider's operators give: it is not ours to make."""
OPTIONAL = ("grafana_password",)
"""Of what is deployed where it is asked for: no service of ``stack.yaml`` reads them."""
CERTIFICATE = ("tls_certificate", "tls_key")
"""Of the institution's certificate authority, where Let's Encrypt is not asked (``certificate: own``)."""

TEXTS = (
    "stack.yaml",
    "deploy.sh",
    "jupytercloud.yaml",
    "jupyterhub_config.py",
    "database_init.sql",
    "dump.sh",
    "socket_traefik.cfg",
    "socket_hub.cfg",
    "prometheus.yml",
    "grafana.yaml",
    "grafana_source.yml",
    "grafana_boards.yml",
    "portainer.yaml",
)
RULES = ("recording.yml", "alerts.yml")
"""Taken from ``config/prometheus`` as they are."""

CONFIGS = {
    "jupytercloud": "jupytercloud.yaml",
    "jupyterhub_config": "jupyterhub_config.py",
    "database_init": "database_init.sql",
    "dump": "dump.sh",
    "socket_traefik": "socket_traefik.cfg",
    "socket_hub": "socket_hub.cfg",
    "prometheus": "prometheus.yml",
    "recording": "recording.yml",
    "alerts": "alerts.yml",
}
"""Swarm config → file."""
GRAFANA = {"grafana_source": "grafana_source.yml", "grafana_boards": "grafana_boards.yml"}
"""Swarm config → file, of ``grafana.yaml``; each dashboard is one, too."""
BOARDS = {"site": ("site", "usage"), "portal": ("federation", "usage")}
"""Role → dashboards, taken from ``config/grafana`` as they are."""
TLS = "tls.yaml"
"""Which certificate Traefik shows; with ``certificate: own`` only."""


class Stack(Model):
    """What is filled in."""

    site: Name
    """Short name of the site."""
    role: Literal["site", "portal"] = "site"
    """A ``site`` starts servers; a ``portal`` sends people to the sites."""
    url: Address
    """Public address of the hub."""
    issuer: str
    """The OpenID provider."""
    client_id: str = ""
    """The hub's name at the provider; the site's name where it is missing."""
    organization: str = "example.fr"
    """Home organization whose people come in."""
    contact: str = ""
    """Address for people, and for the certificate authority."""
    portal: Address | None = None
    """The federation's portal, if the site belongs to one."""
    certificate: Literal["letsencrypt", "own"] = "letsencrypt"
    """Whether Traefik gets the certificate by itself, or you bring the file of your institution's authority."""
    acme_server: str = ""
    """Directory of another certificate authority that speaks ACME, instead of Let's Encrypt's."""
    registry: str = Field(default="registry.jupytercloud.example.fr/jupytercloud", min_length=1)
    """Where the images are."""
    version: str = "0.1.0"
    """Their version."""
    traefik_image: str = "traefik:v3.7"
    """Reverse proxy."""
    haproxy_image: str = "haproxy:3.2-alpine"
    """Proxy of Docker's socket."""
    postgres_image: str = "postgres:17"
    """Database."""
    prometheus_image: str = "prom/prometheus:v3.5.0"
    """Metrics."""
    node_exporter_image: str = "prom/node-exporter:v1.9.1"
    """Metrics of the machines."""
    grafana_image: str = "grafana/grafana:12.1.0"
    """Optional pages with dashboards."""
    portainer_image: str = "portainer/portainer-ce:2.33.0"
    """Optional pages for the Swarm's administrators."""
    portainer_agent_image: str = "portainer/agent:2.33.0"
    """Its agent on each machine."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.role == "portal" and self.portal:
            raise ValueError(Text("a hub is the portal or belongs to one, not both"))
        if self.acme_server and self.certificate == "own":
            raise ValueError(Text("an authority that speaks ACME is not asked for a certificate that you bring"))
        return self

    @property
    def services(self) -> dict[str, int]:
        """Services beside the hub, with their ports."""
        if self.role == "portal":
            return {"federation": 8101}
        agent = {"agent": 8103} if self.portal else {}
        return {"quotas": 8101, "culler": 8102, **agent}

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets."""
        tokens = (f"{name}_token" for name in (*self.services, "hub_client", "prometheus"))
        shared = ("federation_cookie_secret",) if self.role == "portal" else ()
        own = CERTIFICATE if self.certificate == "own" else ()
        return (*SECRETS, *tokens, *shared, *own)

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the secrets that others give."""
        return (GIVEN, *CERTIFICATE) if self.certificate == "own" else (GIVEN,)

    @property
    def configs(self) -> dict[str, str]:
        """Swarm config → file."""
        own = {"tls": TLS} if self.certificate == "own" else {}
        return {name: file for name, file in {**CONFIGS, **own}.items() if file in self.texts or file in RULES}

    @property
    def boards(self) -> dict[str, str]:
        """Swarm config → file, of the dashboards."""
        return {f"board_{name}": f"board_{name}.json" for name in BOARDS[self.role]}

    @property
    def texts(self) -> tuple[str, ...]:
        """Names of the files."""
        names = (*TEXTS, TLS) if self.certificate == "own" else TEXTS
        return tuple(name for name in names if self.role == "site" or name != "socket_hub.cfg")


def render(stack: Stack) -> dict[str, str]:
    """Return file name → text, secrets excepted. Raises ValueError for an issuer that can't be one."""
    check_issuer(stack.issuer)
    parts = urlsplit(stack.url)
    environment = Environment(
        loader=PackageLoader("jupytercloud_hub.deploy", "templates/swarm"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - configuration, not HTML; what is filled in was validated
    )
    given = stack.model_dump()
    given |= {
        "host": parts.hostname,
        "path": parts.path,
        "title": stack.site.capitalize(),
        "client_id": stack.client_id or stack.site,
        "contact": stack.contact or f"support@{parts.hostname}",
        "image": f"{stack.registry}/hub:{stack.version}",
        "services": stack.services,
        "secrets": stack.secrets,
        "given": stack.given,
        "configs": stack.configs,
        "boards": BOARDS[stack.role],
        "grafana_configs": GRAFANA | stack.boards,
        "optional_secrets": OPTIONAL,
    }
    texts = {name: environment.get_template(f"{name}.j2").render(given) for name in stack.texts}
    texts |= {name: _shipped("prometheus", name) for name in RULES}
    return texts | {f"board_{name}.json": _shipped("grafana", f"{name}.json") for name in BOARDS[stack.role]}


def new_secrets(stack: Stack, token: Callable[[], str] = lambda: random.token_hex(32)) -> dict[str, str]:
    """Return name → a new random secret, for those that are ours to make."""
    return {name: token() for name in (*stack.secrets, *OPTIONAL) if name not in stack.given}


def existing(folder: Path) -> Iterator[Path]:
    """Yield what writing to ``folder`` would overwrite."""
    boards = (f"board_{name}.json" for names in BOARDS.values() for name in names)
    for name in dict.fromkeys((*TEXTS, TLS, *RULES, *boards, "secrets")):
        if (folder / name).exists():
            yield folder / name


def write(folder: Path, texts: dict[str, str], secrets: dict[str, str]) -> None:
    """Write all files; secrets for their owner alone, in a folder that only she enters. Overwrites nothing."""
    inner = folder / "secrets"
    folder.mkdir(parents=True, exist_ok=True)
    inner.mkdir(mode=0o700)
    for name, secret in secrets.items():
        _new(inner / name, secret, 0o600)
    for name, text in texts.items():
        _new(folder / name, text, 0o755 if name.endswith(".sh") else 0o644)
    _new(folder / ".gitignore", "secrets/\n", 0o644)


def _new(path: Path, text: str, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as stream:
        stream.write(text)


def _shipped(part: str, name: str) -> str:
    inside = files(__package__).joinpath(part, name)  # in the wheel
    if inside.is_file():
        return inside.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "config" / part / name).read_text(encoding="utf-8")
