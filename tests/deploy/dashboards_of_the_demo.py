"""Every expression of the dashboards gives data: a real Prometheus scrapes the running demo.

Run by name (`python -m pytest -m engines tests/deploy/dashboards_of_the_demo.py`): on a quiet machine everything has
happened before the first look of Prometheus, and rates find nothing; people have to go on starting servers to be sure.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from ruamel.yaml import YAML

from tests.support.demo import Demo, running
from tests.support.person import log_in, start_server
from tests.support.ports import free_port

from .test_metrics_config import CONFIG, DASHBOARDS, panels, plain

pytestmark = [pytest.mark.engines, pytest.mark.timeout(500)]

PATIENCE = 180.0


@contextmanager
def prometheus(folder: Path, jobs: list[dict[str, Any]]) -> Iterator[httpx.Client]:
    """Debian's Prometheus with the rules that are shipped, looking every second."""
    for name in ("recording.yml", "alerts.yml"):
        text = (CONFIG / name).read_text().replace("interval: 30s", "interval: 1s")
        (folder / name).write_text(text)
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": {"site": "demo"}},
        "rule_files": ["recording.yml", "alerts.yml"],
        "scrape_configs": jobs,
    }
    with (folder / "prometheus.yml").open("w") as file:
        YAML(typ="safe").dump(config, file)
    address = f"127.0.0.1:{free_port()}"
    found = shutil.which("prometheus")
    assert found, "Debian's package prometheus (make test-engines installs it)"
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [found, "--config.file=prometheus.yml", f"--web.listen-address={address}", "--storage.tsdb.path=data"],
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=30) as client:
            yield client
    finally:
        process.terminate()
        process.wait(30)


def job(name: str, url: str, token: str, site: str) -> dict[str, Any]:
    parts = urlsplit(url)
    return {
        "job_name": f"{name}-{site}",
        "metrics_path": parts.path,
        "authorization": {"credentials": token},
        "static_configs": [{"targets": [parts.netloc], "labels": {"site": site, "job": name}}],
    }


def jobs_of_the_demo(demo: Demo) -> list[dict[str, Any]]:
    token = (demo.state / "prometheus-token").read_text().strip()
    jobs = [job("hub", f"{demo.portal}hub/metrics", token, "portal")]
    federation = job("federation", f"{demo.portal}services/federation/metrics", token, "portal")
    del federation["static_configs"][0]["labels"]["site"]  # its metrics name sites themselves
    for name in demo.ready["sites"]:
        jobs.append(job("hub", f"{demo.site(name)}hub/metrics", token, name))
        jobs += [job(one, f"{demo.site(name)}services/{one}/metrics", token, name) for one in ("quotas", "culler")]
    return [*jobs, federation]


class People:
    """People of the demo who do something each time that they are asked: what the dashboards show."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.ines, page = log_in(demo.person("ines"), demo.site("grenoble"))
        assert page.status_code == 200, page.text
        self._to_start = [("alice", "grenoble"), ("ines", "grenoble")]

    def do_something(self) -> None:
        """Somebody logs in and starts a server, as long as there is somebody; somebody follows a link."""
        if self._to_start:
            login, site = self._to_start.pop()
            client, _ = log_in(self.demo.person(login), self.demo.site(site))
            start_server(client, self.demo.site(site), "pycoa")
        else:
            log_in(self.demo.person("alice"), self.demo.site("grenoble"))
        self.ines.get(f"{self.demo.portal}services/federation/go/hub/home")


@contextmanager
def textfile(folder: Path, settings: Path) -> Iterator[dict[str, Any]]:
    """Serve what ``jupytercloud check --textfile`` wrote, as node exporter does; the job that scrapes it."""
    command = [sys.executable, "-m", "jupytercloud_hub", "check", "--config", str(settings)]
    written = folder / "served" / "metrics"
    written.parent.mkdir()
    asked = subprocess.run([*command, "--textfile", str(written)], capture_output=True, check=False, timeout=170)
    assert written.exists(), asked.stderr.decode()
    handler = partial(Quiet, directory=str(written.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield job("node", f"http://127.0.0.1:{server.server_port}/metrics", "none", "grenoble")
        finally:
            server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    """Says nothing of what was asked for, and that it is text."""

    def guess_type(self, path: Any) -> str:
        return "text/plain"

    def log_message(self, *words: Any) -> None:
        pass


def without_data(client: httpx.Client, wanted: list[tuple[str, str]]) -> list[str]:
    """Return the expressions of which Prometheus knows nothing, or only what is no number."""
    empty = []
    for where, expression in wanted:
        answer = client.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", (where, answer)
        if not [one for one in answer["data"]["result"] if one["value"][1] != "NaN"]:
            empty.append(f"{where}: {expression}")
    return empty


def asked_until_answered(
    client: httpx.Client, wanted: list[tuple[str, str]], log: Path, meanwhile: Callable[[], object]
) -> None:
    end = time.monotonic() + PATIENCE
    empty = [where for where, _ in wanted]
    while empty:
        meanwhile()
        with suppress(httpx.TransportError):
            empty = without_data(client, wanted)
        if empty:
            assert time.monotonic() < end, "\n".join([*empty, log.read_text()[-1500:]])
            time.sleep(1)


def expressions(*names: str) -> list[tuple[str, str]]:
    return [
        (f"{path.stem}: {title}", plain(expression))
        for path in DASHBOARDS
        if path.stem in names
        for title, expression in panels(path)
    ]


def test_every_expression_of_the_dashboards_gives_data_over_the_running_demo(tmp_path: Path) -> None:
    with running(tmp_path) as demo:
        people = People(demo)
        with textfile(tmp_path, demo.state / "grenoble" / "jupytercloud.yaml") as checked:
            jobs = [*jobs_of_the_demo(demo), checked]
            with prometheus(tmp_path, jobs) as client:
                wanted = expressions("site", "federation", "usage")
                asked_until_answered(client, wanted, tmp_path / "prometheus.log", people.do_something)
