"""Every expression of the dashboards gives data: a real Prometheus looks at running hubs while people use them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.support.demo import Demo, running
from tests.support.event_hub import EventHub, event, until
from tests.support.person import log_in, start_server, stop_server
from tests.support.prometheus import Expression, Job, job, prometheus, victoria_metrics

from .test_metrics_config import DASHBOARDS, panels, plain

pytestmark = [pytest.mark.engines, pytest.mark.timeout(500)]

TOKEN = "p" * 64
READS_METRICS = f"""
c.JupyterHub.services.append({{"name": "prometheus", "api_token": "{TOKEN}", "display": False}})
c.JupyterHub.load_roles.append(
    {{"name": "prometheus", "scopes": ["read:metrics", "access:services"], "services": ["prometheus"]}}
)
"""
"""What docs/howto/metrics.md says."""


def expressions(*names: str, chosen: str = ".*") -> list[Expression]:
    """Titles and expressions of dashboards; ``chosen``: what stands in their variable "Site"."""
    return [
        (f"{path.stem}: {title}", plain(expression, chosen))
        for path in DASHBOARDS
        if path.stem in names
        for title, expression in panels(path)
    ]


def jobs_of_the_demo(demo: Demo) -> list[Job]:
    token = (demo.state / "prometheus-token").read_text().strip()
    jobs = [job("hub", f"{demo.portal}hub/metrics", token, site="portal")]
    for name in demo.ready["sites"]:
        jobs.append(job("hub", f"{demo.site(name)}hub/metrics", token, site=name))
        jobs += [job(one, f"{demo.site(name)}services/{one}/metrics", token, site=name) for one in ("quotas", "culler")]
    return [*jobs, job("federation", f"{demo.portal}services/federation/metrics", token)]  # names sites itself


class People:
    """People of the demo, who come back again and again: what they do is what the dashboards show."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._link = f"{demo.portal}services/federation/go/hub/home"
        self._at_home, _ = log_in(demo.person("ines"), self._link)

    def come_start_stop_and_follow_a_link(self) -> None:
        """One person at the portal and one at her site; all parts have work each time."""
        site = self._demo.site("grenoble")
        alice, _ = log_in(self._demo.person("alice"), site)
        start_server(alice, site, "pycoa")
        stop_server(alice, site)
        log_in(self._demo.person("ines"), self._link)
        self._at_home.get(self._link)  # her cookie knows the way


@contextmanager
def textfile(folder: Path, settings: Path) -> Iterator[Job]:
    """Serve what ``jupytercloud check --textfile`` wrote, as node exporter does; the job that looks at it."""
    command = [sys.executable, "-m", "jupytercloud_hub", "check", "--config", str(settings)]
    written = folder / "served" / "metrics"
    written.parent.mkdir()
    asked = subprocess.run([*command, "--textfile", str(written)], capture_output=True, check=False, timeout=170)
    assert written.exists(), asked.stderr.decode()
    handler = partial(Quiet, directory=str(written.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield job("node", f"http://127.0.0.1:{server.server_port}/metrics", "none", site="grenoble")
        finally:
            server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    """Says nothing of what was asked for, and that it is text."""

    def guess_type(self, path: Any) -> str:
        return "text/plain"

    def log_message(self, *words: Any) -> None:
        pass


def test_site_federation_and_usage_have_data_over_the_demo_while_people_come_and_go(tmp_path: Path) -> None:
    with running(tmp_path) as demo, textfile(tmp_path, demo.state / "grenoble" / "jupytercloud.yaml") as checked:
        people = People(demo)
        with prometheus(tmp_path, [*jobs_of_the_demo(demo), checked]) as asked:
            asked.until_it_has_looked_everywhere()
            wanted = expressions("site", "federation", "usage")
            asked.until_answered(wanted, people.come_start_stop_and_follow_a_link)


@pytest.fixture
def fair(tmp_path: Path) -> Iterator[EventHub]:
    with EventHub.running(tmp_path, seats=3, warm=1, after=READS_METRICS) as hub:
        yield hub


def comes_to_a_seat(fair: EventHub, code: str) -> bool:
    with fair.browser() as visitor:
        return "/user/seat-" in str(fair.come_in(visitor, code).url)


def test_event_has_data_at_its_site_and_in_the_common_store_up_to_the_end_of_the_visits(
    tmp_path: Path, fair: EventHub
) -> None:
    places = {"hub": "hub/metrics", "events": "services/events/metrics", "culler": "services/culler/metrics"}
    jobs = [job(name, f"{fair.url}{place}", TOKEN) for name, place in places.items()]
    wanted = dict(expressions("event"))
    until(lambda: fair.status()["ready"] == 1, fair.words)
    with victoria_metrics(tmp_path) as store, prometheus(tmp_path, jobs, site="salon", store=store) as asked:
        asked.until_it_has_looked_everywhere()
        for code in fair.codes()[:2]:
            until(partial(comes_to_a_seat, fair, code), fair.words)
        asked.until_answered([*wanted.items()])
        asked.until_answered([("visitors", f"{wanted['event: Visiteurs à une place, à cet instant']} == 2")])
        event("close", "--config", str(fair.settings))
        asked.until_answered([("visits that ended", f"sum({wanted['event: Arrêts à la fin des visites']}) > 0")])
        store.until_answered([*dict(expressions("event", chosen="salon")).items()])
