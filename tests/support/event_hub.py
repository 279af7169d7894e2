"""The hub of an event as ``event create`` writes it, as a process; the event began an hour ago."""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from click.testing import CliRunner

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.events.files import SeatFiles
from jupytercloud_hub.settings import load
from tests.support import ROOT
from tests.support.hub_process import HubProcess

PATIENCE = 150
SITE = f"""
site: {{name: labo, url: "http://127.0.0.1:8000/labo/"}}
spawner: {{backend: local, local: {{homes: homes, end_with_hub: true}}}}
profiles:
  - name: lab
    title: Lab
    default: true
    resources: {{memory: 64 MiB}}
    command: [python3, -m, tests.spawners.tiny_server]
    environment: {{PYTHONPATH: {ROOT}}}
"""
"""A site whose one profile is a server that starts at once."""


def until(what: Any, message: Any) -> Any:
    """Wait until something is so, and return it; ``message`` may be a function."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError(message() if callable(message) else message)


def event(*words: str) -> str:
    """Run ``jupytercloud event`` in this process and return what it prints."""
    done = CliRunner().invoke(main, ["event", *words], env={"LC_ALL": "fr_FR.UTF-8"})
    assert done.exit_code == 0, f"{done.output}{done.exception!r}"
    return done.output


class EventHub(HubProcess):
    """The hub of an event that began an hour ago and goes on for five."""

    @classmethod
    def create(cls, folder: Path, *words: str, notice: str = "3 s", after: str = "") -> EventHub:
        """Write the directory of the event ``salon`` and move its days to today.

        What ``event create`` writes for an engine is made to run as a process of this machine: paths in containers
        become paths in the folder.
        """
        day = (datetime.now(UTC) + timedelta(days=2)).date()
        event("create", "salon", "--from", str(day), "--to", str(day), *words, "--folder", str(folder))
        written = (folder / "jupytercloud.yaml").read_text()
        now = datetime.now(UTC)
        for key, moment in (("opens", now - timedelta(hours=1)), ("closes", now + timedelta(hours=5))):
            written = re.sub(rf'{key}: ".*"', f'{key}: "{moment.isoformat()}"', written)
        written = written.replace("every: 15 s", "every: 1 s").replace("warn: 10 min", "warn: 1 s")
        written = written.replace("report_every: 20 s", "report_every: 1 s")
        if "end_with_hub" not in written:  # a test that fails half-way leaves no servers
            written = written.replace("    homes: homes\n", "    homes: homes\n    end_with_hub: true\n")
        written = re.sub(r"(  profile: \w+\n)", rf"\1  notice: {notice}\n", written)
        written = re.sub(r"\n  url: .*", "\n  url: {url}", written, count=1)
        return cls(folder, written, path="/salon/", after=after)

    @classmethod
    @contextmanager
    def running(cls, folder: Path, seats: int, warm: int, **more: str) -> Iterator[EventHub]:
        """Run the hub of an event of `SITE`'s profile, and end it; ``more`` as for `create`."""
        (folder / "site.yaml").write_text(SITE)
        words = ("--seats", str(seats), "--warm", str(warm), "--profile", "lab", "--site", str(folder / "site.yaml"))
        hub = cls.create(folder / "salon", *words, **more)
        hub.start()
        try:
            hub.wait()
            yield hub
        finally:
            hub.end()

    def wait(self, seconds: float = 300) -> None:
        super().wait(seconds)

    def status(self) -> dict[str, Any]:
        """Return what ``event status --json`` prints, without a new process for each look."""
        return json.loads(event("status", "--json", "--config", str(self.settings)))  # type: ignore[no-any-return]

    def home(self, account: str) -> Path:
        home = SeatFiles(load(self.settings)).home(account)
        assert home
        return home

    def codes(self, kind: str = "visitor") -> list[str]:
        return [row["code"] for row in csv.DictReader((self.folder / "codes.csv").open()) if row["kind"] == kind]

    def browser(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, trust_env=False, timeout=60, follow_redirects=True)

    def come_in(self, browser: httpx.Client, code: str) -> httpx.Response:
        page = browser.get("hub/login").text
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page)
        assert xsrf
        return browser.post("hub/login", data={"code": code, "_xsrf": xsrf[1]})
