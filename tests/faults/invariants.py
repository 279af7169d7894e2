"""What has to hold after each fault, whatever it was: compared with what truly ran, by a clock of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from jupytercloud_hub.demo.plan import SITES
from jupytercloud_hub.spawners.base import slug

from .people import Visitor
from .topology import HEARTBEAT, POLL, World

ROUNDING = 2.0
"""Seconds: a beginning and an end are each cut to their second."""
STARTING = 8.0
"""A place is counted from the person's order on: a busy machine needs so long until the server's process is there."""


@dataclass
class Run:
    """One single-user server as it truly ran."""

    site: str
    user: str
    pid: int
    began: float
    ended: float | None = None
    slack: float = 0.0
    """Seconds of outage around its end, in which nobody could see it."""


@dataclass
class Keeper:
    """Remembers what truly ran, over all faults of one topology."""

    world: World
    runs: dict[str, Run] = field(default_factory=dict)
    served: set[int] = field(default_factory=set)

    def note(self, outage: float) -> None:
        """Read what began and what ended since the last time."""
        living = {pid for site in SITES for pid in self.world.servers(site)}
        for path in sorted(self.world.truth.iterdir()):
            try:
                told = json.loads(path.read_text())
            except (OSError, ValueError):
                continue
            site = next(one for one in SITES if slug(one) == path.name.split("+")[0])
            run = self.runs.setdefault(path.name, Run(site, told["user"], told["pid"], told["began"]))
            if run.ended is None:
                run.slack += outage  # a start or an end of it may lie in an outage
                if run.pid not in living:
                    run.ended = path.stat().st_mtime

    # -- the invariants

    async def check(self, allowed: list[Visitor], outage: float) -> list[str]:
        """Return what does not hold. Waits for what needs a heartbeat or a look of the hub to settle."""
        deadline = time.monotonic() + 30
        while True:
            wrong = [*await self._servers(), *self._homes(allowed), *await self._people(allowed)]
            self.note(outage)
            outage = 0.0  # counted once
            wrong += self._ledger()
            if not wrong or time.monotonic() > deadline:
                return wrong
            await asyncio.sleep(0.5)

    async def _people(self, allowed: list[Visitor]) -> list[str]:
        """Nobody in who must not be."""
        wrong = []
        names = {v.made_up.login for v in allowed}
        for hub in self.world.plan.hubs:
            for user in await self._users(hub.name):
                if not any(name in user["name"] for name in names):
                    wrong.append(f"{user['name']} is a user of {hub.name}")
        return wrong

    async def _users(self, hub: str) -> list[dict[str, Any]]:
        async with self.world.api(hub) as api:
            answer = await api.get("users")
            answer.raise_for_status()
            return list(answer.json())

    def _homes(self, allowed: list[Visitor]) -> list[str]:
        """Nobody's home at a wrong site: neither in the portal's table nor on a disk."""
        wrong = []
        expected = {v.made_up.login: {v.at} if v.at else v.may_go for v in allowed}
        path = self.world.plan.folder("portal") / "state/jupytercloud.sqlite"
        for user, site in _sqlite(path, "SELECT username, site FROM federation_home_site"):
            login = next((one for one in expected if one in (user or "")), None)
            if login is None or site not in expected[login]:
                wrong.append(f"the home of {user} is at {site}, not at {expected.get(login or '')}")
        for site in SITES:
            homes = self.world.plan.folder(site) / "homes"
            for home in homes.iterdir() if homes.exists() else ():
                login = next((one for one in expected if one in home.name), None)
                if login is None or site not in expected[login]:
                    wrong.append(f"a home {home.name} was made at {site}")
        return wrong

    async def _servers(self) -> list[str]:
        """No server lost that lives: the hub knows each, and sends to that very process. No orphan after the sweep."""
        wrong = []
        for site in SITES:
            known = {}
            for user in await self._users(site):
                for server in (user.get("servers") or {}).values():
                    if server.get("pending"):
                        wrong.append(f"{user['name']} at {site}: pending {server['pending']}")
                    known[slug(user["name"])] = (server.get("state") or {}).get("pid")
            living = self.world.servers(site)
            unknown = {pid: user for pid, user in living.items() if pid != known.get(user)}
            if unknown and not wrong:
                await self._sweep(site)
                living = self.world.servers(site)
                wrong += [f"an orphan of {unknown[pid]} at {site}" for pid in living if pid in unknown]
            users = list(living.values())
            wrong += [f"{user} has two servers at {site}" for user in set(users) if users.count(user) > 1]
            wrong += [f"{site} knows a server of {user} that is dead" for user in known if user not in users]
        return wrong

    async def _sweep(self, site: str) -> None:
        hub = self.world.plan.hub(site)
        arguments = ["servers", "sweep", "--remove", "--grace", "0 s", "--config", str(self.world.settings(site))]
        arguments += ["--hub-api", f"http://127.0.0.1:{hub.hub}{hub.base_path}hub/api"]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "jupytercloud_hub",
            *arguments,
            env={**os.environ, "JUPYTERHUB_API_TOKEN": self.world.token},
            stdout=asyncio.subprocess.DEVNULL,
        )
        await process.wait()

    def _ledger(self) -> list[str]:
        """Each start that served somebody is one interval, as long as it truly ran; none beside, nothing twice."""
        wrong = []
        for site in SITES:
            rows = self._intervals(site)
            for user in {run.user for run in self.runs.values() if run.site == site} | {row[0] for row in rows}:
                runs = sorted(
                    (r for r in self.runs.values() if (r.site, r.user) == (site, user)), key=lambda r: r.began
                )
                mine = [row for row in rows if row[0] == user]
                spare = sorted((r for r in runs if r.pid not in self.served), key=lambda r: (r.ended or 9e9) - r.began)
                while len(runs) > len(mine) and spare:
                    runs.remove(spare.pop(0))  # one that never became ready: swept, or its start was broken off
                if len(runs) != len(mine):
                    # A place that was counted without a process: right only where it is next to nothing.
                    mine = [row for row in mine if row[2] - row[1] > STARTING + POLL + HEARTBEAT]
                if len(runs) != len(mine):
                    wrong.append(f"{user} at {site}: {len(runs)} servers ran, the ledger has {len(mine)}")
                    continue
                wrong += [line for run, row in zip(runs, mine, strict=True) if (line := self._same(run, row))]
        return wrong

    def _same(self, run: Run, row: tuple[Any, ...]) -> str:
        _, begin, counted, ended = row
        if (ended is None) != (run.ended is None):
            word = "open" if ended is None else "closed"
            return f"{run.user} at {run.site}: the ledger has it {word}, the server {'ran' if run.ended else 'runs'}"
        truly = (run.ended or time.time()) - run.began
        billed = counted - begin
        low = truly - HEARTBEAT - ROUNDING - run.slack - (HEARTBEAT if run.ended is None else 0)
        high = truly + STARTING + POLL + HEARTBEAT + ROUNDING + run.slack
        if not low <= billed <= high:
            return f"{run.user} at {run.site}: {billed} s in the ledger, {truly:.1f} s ran (slack {run.slack:.1f} s)"
        return ""

    def _intervals(self, site: str) -> list[tuple[Any, ...]]:
        query = "SELECT {} FROM quotas_interval WHERE state IN ('running', 'closed') ORDER BY id"
        if site == "grenoble":
            address = self.world.postgresql_url
            with psycopg.connect(address) as connection:
                columns = '"user", begin_s, counted_s, ended_s'
                return list(connection.execute(query.format(columns).encode()).fetchall())
        path = self.world.plan.folder(site) / "state/jupytercloud.sqlite"
        return _sqlite(path, query.format('"user", begin_s, counted_s, ended_s'))


def _sqlite(path: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
