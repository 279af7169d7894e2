"""Admission at 0, 10^4, 10^6 intervals in the ledger (10^7 with ``--full``), and what they cost to sum up and export.

``python -m tests.bench.admission [--quick | --full] [--postgresql] [--json FILE]`` prints tables and writes JSON. The
ledgers take turns within each round. An admission here is a reserve, a confirm and a release by one of 7,000 people
with budgets for herself, her group, her organization and the hub, all of which have a year of usage.

There is no peer to run beside it: jupyterhub-usage-quotas asks Prometheus at each start and needs a cluster.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import create_engine, make_url, text

from jupytercloud_hub.contracts.admission import AdmissionAnswer, Confirm, Release, Reserve, StartKey
from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.contracts.server_record import Resources, ServerRecord
from jupytercloud_hub.quotas.admission import Admission
from jupytercloud_hub.quotas.council import council_rows
from jupytercloud_hub.quotas.ledger import Ledger, Prices
from jupytercloud_hub.quotas.rebuild import rebuild
from jupytercloud_hub.quotas.tables import CLOSED
from jupytercloud_hub.quotas.usage import Reader
from jupytercloud_hub.settings.quotas import Budget, Limit, QuotasSettings, Tariff
from jupytercloud_hub.settings.site import SiteSettings
from jupytercloud_hub.spawners.admission import Admission as Client
from jupytercloud_hub.storage import Database
from jupytercloud_hub.storage.database import upgrade
from tests.support.postgresql import Postgresql

PEOPLE, GROUPS, ORGANIZATIONS = 7000, 200, 20
FIRST, NOW = date(2025, 9, 1), datetime(2026, 8, 31, 12, tzinfo=UTC)
SITE = SiteSettings(name="bench", url="http://127.0.0.1/")
HARD = {"hard": True, "window": "academic-year"}
SETTINGS = QuotasSettings(
    tariff=(Tariff(cpu=1, memory=0.25, gpu=10),),
    budgets=(
        Budget(name="person", limits=(Limit(units=1e9, **HARD), Limit(units=1e9, window="month", hard=True))),
        Budget(name="group", account="group", limits=(Limit(units=1e9, **HARD),)),
        Budget(name="organization", account="organization", limits=(Limit(gpu_hours=1e9, **HARD),)),
        Budget(name="hub", account="hub", limits=(Limit(units=1e9, **HARD),)),
    ),
)


def person(number: int) -> Person:
    return Person(
        username=f"person-{number:05}",
        groups=(f"group-{number % GROUPS:03}",),
        home_organization=f"univ-{number % ORGANIZATIONS:02}.fr",
    )


def open_ledger(url: str) -> tuple[Ledger, Reader]:
    ledger = Ledger(Database(url, "quotas"), SITE.name, Prices(SETTINGS.tariff, ZoneInfo("Europe/Paris")))
    return ledger, Reader(ledger, SETTINGS)


def fill(url: str, count: int) -> None:
    """Write ``count`` intervals of a year, in the order of their beginnings; a rebuild makes the sums afterwards.

    The database makes them, out of multiples of a large number: ten million take minutes.
    """
    upgrade(url, "quotas")
    sqlite = url.startswith("sqlite")
    engine = create_engine(make_url(url).set(drivername="sqlite" if sqlite else "postgresql+psycopg"))
    begin = int(datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC).timestamp())
    span = int(NOW.timestamp()) - begin - 90_000
    with engine.connect() as connection:
        if sqlite:  # each page is written once, unprotected
            for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-1000000"):
                connection.exec_driver_sql(f"PRAGMA {pragma}")
            connection.commit()
        for first in range(0, count, 100_000):
            values = {"first": first, "end": min(first + 100_000, count), "count": count, "begin": begin, "span": span}
            connection.execute(text(MADE.format(json="TEXT" if sqlite else "JSON")), values)
        connection.commit()
    engine.dispose()


MADE = f"""
WITH RECURSIVE
  numbers (n) AS (SELECT CAST(:first AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :end),
  starts AS (
    SELECT n, n * 2654435761 % 4294967296 / 64 AS chance, n * 40503 % 65537 AS other,
      CAST(:begin AS BIGINT) + CAST(:span AS BIGINT) * n / :count AS moment FROM numbers
  ),
  owners AS (
    SELECT n, moment, chance % {PEOPLE} AS number, chance / {PEOPLE} % 10 = 0 AS gpu, other % 4 AS profile,
      CASE WHEN other % 1000 = 0 THEN 80000 ELSE 60 + other % 14400 END AS length FROM starts
  ),
  named AS (
    SELECT owners.*, 'person-' || SUBSTR(CAST(100000 + number AS TEXT), 2) AS name,
      'group-' || SUBSTR(CAST(1000 + number % {GROUPS} AS TEXT), 2) AS team,
      'univ-' || SUBSTR(CAST(100 + number % {ORGANIZATIONS} AS TEXT), 2) || '.fr' AS home FROM owners
  )
INSERT INTO quotas_interval (hub, "user", server, started_us, state, profile, cpu, memory, gpu, gpu_type, rate, begin_s,
  counted_s, ended_s, closed_by, accounts)
SELECT '{SITE.name}', name, 's' || n, moment * 1000000, '{CLOSED}',
  CASE WHEN gpu OR profile = 2 THEN 'gpu' WHEN profile = 0 THEN 'lab' WHEN profile = 1 THEN 'pycoa' ELSE 'big' END,
  2000, 4096, CASE WHEN gpu THEN 1 ELSE 0 END, CASE WHEN gpu THEN 'a100' ELSE '' END, 2000000,
  moment, moment + length, moment + length, 'release',
  CAST('[["person", "' || name || '"], ["group", "' || team || '"], ["organization", "' || home
    || '"], ["hub", "{SITE.name}"]]' AS {{json}})
FROM named WHERE true
"""


def peak_mib() -> float:
    """Return the most memory that this program had; `getrusage` would count its parent's, from before it began."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


async def work(what: str, url: str) -> dict[str, float]:
    """Sum up or export a ledger; return its time and this process's memory."""
    ledger, _ = open_ledger(url)
    await ledger.database.upgrade()
    began, spent, rows = time.perf_counter(), time.process_time(), 0
    if what in ("rebuild", "agree"):
        async for _ in rebuild(ledger, write=what == "rebuild"):
            rows += 1
    else:
        kinds = ("person", "group", "organization", "hub")
        async for _ in council_rows(ledger, FIRST, NOW.date() + timedelta(days=1), kinds, 5, str):  # type: ignore[arg-type]
            rows += 1
    taken, spent = time.perf_counter() - began, time.process_time() - spent
    await ledger.database.close()
    return {"rows": rows, "seconds": round(taken, 2), "cpu_s": round(spent, 2), "peak_mib": round(peak_mib(), 1)}


def in_a_process(what: str, url: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.admission", "--work", what, "--url", url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


async def admissions(url: str, count: int, round_number: int) -> dict[str, list[float]]:
    """Reserve, confirm and release ``count`` times; return the milliseconds of each reserve: passed, and of CPU."""
    ledger, reader = open_ledger(url)
    door = Admission(ledger, reader, SETTINGS, SITE)
    record = ServerRecord(profile="lab", resources=Resources(cpu=2, memory="4 GiB"))
    chance = random.Random(round_number)
    passed, cpu = [], []
    for number in range(count):
        owner = person(chance.randrange(PEOPLE))
        now = NOW + timedelta(seconds=number)
        key = StartKey(hub=SITE.name, user=owner.username, server=f"r{round_number}-{number}", started=now)
        began, spent = time.perf_counter(), time.process_time()
        answer = await door.answer(Reserve(key=key, person=owner, record=record), now)
        if number >= 5:  # the first ones compile the statements
            passed.append((time.perf_counter() - began) * 1000)
            cpu.append((time.process_time() - spent) * 1000)
        assert answer.verdict == "admitted", answer
        await door.answer(Confirm(key=key), now)
        await door.answer(Release(key=key), now)
    await ledger.database.close()
    return {"passed": passed, "cpu": cpu}


async def thread_time(count: int) -> list[float]:
    """Return the milliseconds of the hub's one thread that asking takes: the spawner's own client, over HTTP."""
    body = AdmissionAnswer(verdict="admitted", expires=NOW).model_dump_json().encode()

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = Client(f"http://127.0.0.1:{server.server_port}/", "token", timeout=10)
    record = ServerRecord(profile="lab", resources=Resources(cpu=2, memory="4 GiB"))
    found = []
    for number in range(count):
        began = time.thread_time()
        key = StartKey(hub=SITE.name, user="anna", server=f"s{number}", started=NOW)
        await client.send(Reserve(key=key, person=person(1), record=record))
        if number >= 5:
            found.append((time.thread_time() - began) * 1000)
    server.shutdown()
    return found


@contextlib.contextmanager
def ledgers(sizes: list[int], postgresql: bool) -> Iterator[dict[int, str]]:
    with contextlib.ExitStack() as stack:
        if postgresql:
            server = stack.enter_context(Postgresql.running())
            yield {size: stack.enter_context(server.database()) for size in sizes}
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jupytercloud-bench-")))
            yield {size: f"sqlite:///{folder / f'{size}.sqlite'}" for size in sizes}


def measure(sizes: list[int], rounds: int, count: int, postgresql: bool) -> dict[str, Any]:
    result: dict[str, Any] = {
        "bench": "admission",
        "versions": {name: version(name) for name in ("jupytercloud-hub", "sqlalchemy", "jupyterhub")},
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load_average": os.getloadavg()[0],
        "database": "postgresql" if postgresql else "sqlite",
        "admission_ms": {},
        "rebuild": {},
        "agree": {},
        "export": {},
    }
    with ledgers(sizes, postgresql) as urls:
        for size, url in urls.items():
            fill(url, size)
            result["rebuild"][size] = in_a_process("rebuild", url)
            result["agree"][size] = in_a_process("agree", url)
            result["export"][size] = in_a_process("export", url)
        taken: dict[int, dict[str, list[float]]] = {size: {"passed": [], "cpu": []} for size in sizes}
        for number in range(rounds):
            for size, url in urls.items():  # interleaved
                for name, values in asyncio.run(admissions(url, count, number)).items():
                    taken[size][name] += values
    for size, values in taken.items():
        result["admission_ms"][size] = {
            "cpu_median": round(statistics.median(values["cpu"]), 2),
            "cpu_p95": round(statistics.quantiles(values["cpu"], n=20)[-1], 2),
            "passed_median": round(statistics.median(values["passed"]), 2),
            "passed_p95": round(statistics.quantiles(values["passed"], n=20)[-1], 2),
        }
    hub = asyncio.run(thread_time(rounds * count))
    result["hub_thread_ms"] = {
        "median": round(statistics.median(hub), 2),
        "p95": round(statistics.quantiles(hub, n=20)[-1], 2),
    }
    return result


def show(result: dict[str, Any]) -> None:
    print(f"{result['database']}, {result['machine']}, load {result['load_average']:.1f}, {result['versions']}")
    print(f"\n{'intervals':>10}  {'CPU median':>10}  {'CPU p95':>8}  {'median':>8}  {'p95':>8}   (ms for a reserve)")
    for size, row in result["admission_ms"].items():
        figures = (row["cpu_median"], row["cpu_p95"], row["passed_median"], row["passed_p95"])
        print(f"{size:>10}  {figures[0]:>10}  {figures[1]:>8}  {figures[2]:>8}  {figures[3]:>8}")
    print(f"\nin the hub's thread: {result['hub_thread_ms']['median']} ms (p95 {result['hub_thread_ms']['p95']} ms)")
    for what, words in WORK.items():
        print(f"\n{'intervals':>10}  {'s':>8}  {'CPU s':>8}  {'MiB':>7}  {words}")
        for size, row in result[what].items():
            figures = f"{row['seconds']:>8}  {row['cpu_s']:>8}  {row['peak_mib']:>7}  {row['rows']:>9}"
            print(f"{size:>10}  {figures}")


WORK = {
    "rebuild": "sums that were made (all of them: there were none)",
    "agree": "sums that differ after it",
    "export": "rows for the council",
}
LIMITS = {"admission_cpu": 1.5, "hub_thread_ms": 5.0, "peak_mib": 200.0}
"""CPU of an admission with the most intervals to that with none (and 1 ms of noise); milliseconds of the hub's thread;
memory of a rebuild and of an export, whatever the number of intervals."""


def broken(result: dict[str, Any]) -> list[str]:
    """Return which promises the run did not keep."""
    cpu = [row["cpu_median"] for row in result["admission_ms"].values()]
    checks = {
        "an admission costs the same whatever the history": cpu[-1] <= LIMITS["admission_cpu"] * cpu[0] + 1,
        "the hub's thread": result["hub_thread_ms"]["median"] < LIMITS["hub_thread_ms"],
        "a rebuild agrees with itself": not any(row["rows"] for row in result["agree"].values()),
        "bounded memory": all(row["peak_mib"] < LIMITS["peak_mib"] for what in WORK for row in result[what].values()),
    }
    return [name for name, kept in checks.items() if not kept]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="0, 2,000 and 20,000 intervals, fewer admissions.")
    parser.add_argument("--full", action="store_true", help="Ten million intervals too.")
    parser.add_argument("--sizes", type=int, nargs="+", metavar="N", help="Other numbers of intervals.")
    parser.add_argument("--postgresql", action="store_true", help="On a real PostgreSQL instead of SQLite.")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--work", choices=list(WORK), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(json.dumps(asyncio.run(work(options.work, options.url))))
        return 0
    sizes = options.sizes or ([0, 2_000, 20_000] if options.quick else [0, 10_000, 1_000_000])
    if options.full:
        sizes.append(10_000_000)
    result = measure(sizes, 2 if options.quick else 5, 40, options.postgresql)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    failed = broken(result)
    if failed:
        print(f"not kept: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


if __name__ == "__main__":
    raise SystemExit(main())
