"""Portal, two sites and a stock hub beside each other: one provider, the same proxies, the same light servers."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from jupytercloud_hub.demo import files, node
from jupytercloud_hub.demo.plan import HOST, SITES, Plan
from tests.faults.topology import World
from tests.support import CACHE, ROOT
from tests.support.demo import free_port
from tests.support.ports import free_ports
from tests.support.postgresql import Postgresql

ORGANIZATIONS = {"paris-saclay": "univ-paris-saclay.example", "grenoble": "univ-grenoble.example"}
HUBS = ("portal", *SITES, "stock")
STARTING_SECONDS = 1.5
"""What a light server takes to start: long enough that people wait on the page which shows them how far it is."""

LIGHT = """
import sys
sys.path.insert(0, "{root}")
from tests.soak.spawners import LightProfileSpawner, LightSpawner
c.JupyterHub.spawner_class = {kind}
c.LightSpawner.light = "http://{host}:{port}"
"""
DRIVEN = """
c.JupyterHub.services.append({{"name": "soak", "api_token": "{token}", "display": False}})
c.JupyterHub.load_roles.append({{"name": "soak", "services": ["soak"],
    "scopes": ["admin:users", "admin:servers", "read:hub"]}})
"""
STOCK = """
c = get_config()
c.JupyterHub.bind_url = "http://{host}:{public}/stock/"
c.JupyterHub.hub_bind_url = "http://{host}:{hub}"
c.ConfigurableHTTPProxy.api_url = "http://{host}:{proxy_api}"
c.ConfigurableHTTPProxy.command = {proxy!r}
c.JupyterHub.cookie_secret_file = "cookie_secret"
c.CryptKeeper.keys = ["11" * 32]
c.Authenticator.enable_auth_state = True
c.Authenticator.auto_login = True
c.Authenticator.manage_groups = True
c.JupyterHub.authenticator_class = "oauthenticator.generic.GenericOAuthenticator"
c.OAuthenticator.client_id, c.OAuthenticator.client_secret = "stock", "secret-of-the-stock-hub"
c.OAuthenticator.oauth_callback_url = "http://{host}:{public}/stock/hub/oauth_callback"
c.GenericOAuthenticator.authorize_url = "{issuer}/auth"
c.GenericOAuthenticator.token_url = "{issuer}/token"
c.GenericOAuthenticator.userdata_url = "{issuer}/me"
c.GenericOAuthenticator.username_claim = "eduperson_principal_name"
c.GenericOAuthenticator.scope = ["openid", "profile", "email", "eduperson"]
c.GenericOAuthenticator.allow_all = True
c.OAuthenticator.auth_state_groups_key = "oauth_user.eduperson_scoped_affiliation"
c.JupyterHub.services = [{{"name": "culler",
    "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600", "--cull-every=60"]}}]
c.JupyterHub.load_roles = [{{"name": "culler", "services": ["culler"],
    "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"]}}]
"""
"""JupyterHub as its documentation says, with its culler, at the times at which ours look (once a minute)."""

PRODUCTION = (
    ("services: together", "services: separate"),
    ("every: 15 s", "every: 1 min"),
    ("heartbeat: 15 s", "heartbeat: 1 min"),
)
"""What the demo does more often than a site: back to the package's own defaults, each service by itself."""


@dataclass
class Soak(World):
    """All that runs, on both sides."""

    people: int = 0
    stock: tuple[int, int, int] = (0, 0, 0)
    """Ports of the stock hub: public, hub, proxy's API."""
    lights: dict[str, int] = field(default_factory=dict)
    """Port of the light server of each hub that starts servers."""

    def address(self, hub: str) -> str:
        return f"http://{HOST}:{self.stock[0]}/stock/" if hub == "stock" else super().address(hub)

    def login(self, number: int) -> tuple[str, str, str]:
        """Return somebody's name at the provider, her organization, and the site that is hers."""
        site = SITES[number % len(SITES)]
        return f"p{number:05}", ORGANIZATIONS[site], site

    def provider_config(self) -> dict[str, Any]:
        made = []
        for number in range(self.people):
            login, organization, _ = self.login(number)
            kind = "faculty" if number % 4 < 2 else "student"
            claims = {
                "name": f"Person {number}",
                "locale": "fr",
                "eduperson_scoped_affiliation": [f"{kind}@{organization}", f"member@{organization}"],
            }
            made.append({"login": login, "password": "demo", "organization": organization, "claims": claims})
        titles = [{"name": name, "title": {"fr": name, "en": name}} for name in ORGANIZATIONS.values()]
        config = super().provider_config()
        config["people"] = {"organizations": titles, "people": made}
        config["clients"].append(
            {
                "client_id": "stock",
                "client_secret": "secret-of-the-stock-hub",
                "redirect_uris": [f"{self.address('stock')}hub/oauth_callback"],
            }
        )
        return config

    def write(self) -> None:
        files.write(self.plan, self.place)
        (self.plan.state / "stock").mkdir(exist_ok=True)
        (self.plan.state / "stock" / "jupyterhub_config.py").write_text("import sys\n" + STOCK.format(
            host=HOST, public=self.stock[0], hub=self.stock[1], proxy_api=self.stock[2],
            proxy=node.proxy_command(self.place), issuer=self.plan.issuer,
        ))  # fmt: skip
        for site in SITES:
            self.change(site, *PRODUCTION)
        for hub in HUBS:
            config = self.plan.folder(hub) / "jupyterhub_config.py"
            more = DRIVEN.format(token=self.token)
            if hub in self.lights:
                kind = "LightSpawner" if hub == "stock" else "LightProfileSpawner"
                more += LIGHT.format(root=ROOT, kind=kind, host=HOST, port=self.lights[hub])
            config.write_text(config.read_text() + more)

    def start(self, name: str, clock: str = "") -> None:
        kind, _, hub = name.partition("-")
        if kind != "light":
            super().start(name, clock)
            return
        with (self.plan.state / "logs" / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.soak.light_server", str(self.lights[hub]), str(STARTING_SECONDS)],
                cwd=ROOT,
                env={**os.environ, "SOAK_STATE": str(self.plan.state)},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def named(self) -> dict[str, psutil.Process]:
        """Return every process by what it is: ``grenoble hub``, ``grenoble proxy``, ``portal federation``…"""
        found = {}
        for name, process in self.processes.items():
            one = psutil.Process(process.pid)
            if name not in HUBS:
                found[name] = one
                continue
            found[f"{name} hub"] = one
            for child in one.children():
                words = child.cmdline()
                if any("configurable-http-proxy" in word for word in words):
                    found[f"{name} proxy"] = child
                elif "serve" in words:
                    found[f"{name} {words[words.index('serve') + 1]}"] = child
                elif "jupyterhub_idle_culler" in words:
                    found[f"{name} culler"] = child
        return found

    def troubles(self) -> dict[str, dict[str, Any]]:
        """Return, by log, how many lines tell of an error, and the first few."""
        told = {}
        for log in sorted((self.plan.state / "logs").glob("*.log")):
            lines = _ERROR.findall(log.read_text(errors="replace"))
            if lines:
                told[log.stem] = {"lines": len(lines), "first": [line[:300] for line in lines[:5]]}
        return told


_ERROR = re.compile(r"^\[[EC] .*|^.*Traceback.*", re.MULTILINE)


@asynccontextmanager
async def running(state: Path, people: int) -> AsyncIterator[Soak]:
    """Bring both sides up in a folder; at the end every process of it is gone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if soft < hard else soft, hard))
    state.mkdir(parents=True, exist_ok=True)
    ports = free_ports(6)
    world = Soak(
        Plan(state.resolve(), free_port()),
        node.prepare(CACHE / "node"),
        Postgresql(""),  # none runs: SQLite on both sides
        {},
        people=people,
        stock=(ports[0], ports[1], ports[2]),
        lights=dict(zip((*SITES, "stock"), ports[3:], strict=True)),
    )
    world.write()
    try:
        for hub in world.lights:
            world.start(f"light-{hub}")
        for name in ("provider", *HUBS):
            world.start(name)
        await world.until_well()
        await world.until_answers("stock")
        yield world
    finally:
        await asyncio.to_thread(world.end)
