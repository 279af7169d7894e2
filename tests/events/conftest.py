"""A real hub with a real event: directory as ``event create`` writes it, seats with a server that starts at once."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from jupyterhub.utils import random_port
from traitlets.config import Config

from jupytercloud_hub import configure
from jupytercloud_hub.cli.main import main
from tests.support import ROOT
from tests.support.hub import TestHub, start_hub, stop_hub, text_of

SITE = """\
site: {{name: labo, url: "http://127.0.0.1:8000/labo/", contact: aide@example.fr}}
spawner: {{backend: local, local: {{homes: homes}}}}
profiles:
  - name: lab
    title: Lab
    resources: {{memory: 64 MiB}}
    command: [python3, -m, tests.spawners.tiny_server]
    environment: {{PYTHONPATH: {root}}}
"""
CERTIFICATES = httpx.create_ssl_context()  # once: to read them takes longer than to come in
SEATS = 4
CODES = 6
OPENS = datetime(2027, 3, 6, 9, tzinfo=UTC)
"""Ten o'clock in Paris."""
INSIDE = OPENS + timedelta(hours=1)


def make_event(folder: Path, *flags: str, seats: int = SEATS) -> Path:
    """Write an event's directory and return it."""
    (folder / "site.yaml").write_text(SITE.format(root=ROOT))
    words = [
        *("event", "create", "salon", "--from", "2027-03-06", "--to", "2027-03-07", "--hours", "10:00-19:00"),
        *("--seats", str(seats), "--profile", "lab", "--site", str(folder / "site.yaml")),
        *("--folder", str(folder / "salon"), *flags),
    ]
    made = CliRunner().invoke(main, words)
    assert made.exit_code == 0, made.output
    return folder / "salon"


@dataclass
class Fair:
    """A hub with an event, whose clock the test sets."""

    app: TestHub
    folder: Path
    now: datetime = INSIDE
    codes: dict[str, list[str]] = field(default_factory=dict)

    @property
    def authenticator(self) -> Any:
        return self.app.authenticator

    def visitor(self, address: str = "192.0.2.1", language: str = "fr") -> Telephone:
        return Telephone(self.app, address, language)


class Telephone:
    """A visitor's browser without JavaScript, behind some address."""

    def __init__(self, app: TestHub, address: str, language: str) -> None:
        headers = {"X-Forwarded-For": address, "Accept-Language": language}
        self.client = httpx.AsyncClient(
            base_url=app.hub.url, headers=headers, trust_env=False, timeout=60, verify=CERTIFICATES
        )

    async def __aenter__(self) -> Telephone:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def give(self, code: str) -> httpx.Response:
        """Open the page and send a code; the answer is not followed."""
        if not any(cookie.name == "_xsrf" for cookie in self.client.cookies.jar):
            await self.client.get("login")
        found = [cookie for cookie in self.client.cookies.jar if cookie.name == "_xsrf"]
        xsrf = max(found, key=lambda cookie: len(cookie.path)).value
        return await self.client.post("login", data={"code": code, "_xsrf": xsrf})

    async def look(self, path: str = "event/wait") -> httpx.Response:
        """Ask again, as a page that waits does."""
        return await self.client.get(path)

    async def seat(self) -> str:
        """Return the account that this browser is logged in as."""
        answer = await self.client.get("api/user", headers={"Referer": str(self.client.base_url)})
        return str(answer.json().get("name", "")) if answer.status_code == 200 else ""


def words(answer: httpx.Response) -> str:
    return text_of(answer.text)


async def start(folder: Path, now: datetime = INSIDE, port: int | None = None, extra: Config | None = None) -> Fair:
    """Start the hub of an event's directory, in this process, without its services; ``port``: its own."""
    config = Config()
    configure(config, folder / "jupytercloud.yaml")
    if port is not None:
        config.JupyterHub.hub_bind_url = f"http://127.0.0.1:{port}"
    config.JupyterHub.services = []
    config.JupyterHub.load_roles = []
    config.JupyterHub.extra_user_scopes = []
    config.JupyterHub.bind_url = f"http://127.0.0.1:{random_port()}/salon/"
    config.Spawner.http_timeout = 60
    config.merge(extra or Config())
    app = await start_hub(config, {}, folder)
    codes: dict[str, list[str]] = {}
    for row in csv.DictReader((folder / "codes.csv").open()):
        codes.setdefault(row["kind"], []).append(row["code"])
    fair = Fair(app, folder, now, codes)
    app.authenticator.now = lambda: fair.now
    return fair


@pytest.fixture
async def fair(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Fair]:
    flags = getattr(request, "param", ("--codes", str(CODES)))
    fair = await start(make_event(tmp_path, *flags))
    yield fair
    await stop_hub(fair.app)
