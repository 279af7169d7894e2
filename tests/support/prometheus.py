"""Debian's Prometheus with the rules that are shipped, looking every second, and VictoriaMetrics."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from ruamel.yaml import YAML

from . import ROOT
from .ports import free_port

CONFIG = ROOT / "config" / "prometheus"
PATIENCE = 180.0

Job = dict[str, Any]
Expression = tuple[str, str]
"""Where it stands, and what is asked."""


def job(name: str, url: str, token: str, **labels: str) -> Job:
    """What Prometheus is told of one address; ``labels`` tell jobs of the same name apart."""
    parts = urlsplit(url)
    return {
        "job_name": "-".join((name, *labels.values())),
        "metrics_path": parts.path,
        "authorization": {"credentials": token},
        "static_configs": [{"targets": [parts.netloc], "labels": {**labels, "job": name}}],
    }


class Prometheus:
    """A running Prometheus, or what is asked as one."""

    def __init__(self, client: httpx.Client, log: Path, jobs: int = 0) -> None:
        self._client, self._log, self._jobs = client, log, jobs

    @property
    def url(self) -> str:
        """Where it answers."""
        return str(self._client.base_url).rstrip("/")

    def ask(self, expression: str) -> list[float]:
        """Return the numbers that an expression has at this moment."""
        answer = self._client.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", (expression, answer)
        values = [float(one["value"][1]) for one in answer["data"]["result"]]
        return [value for value in values if value == value]  # not NaN

    def until_it_has_looked_everywhere(self) -> None:
        """Wait for the second look at each job: from then on whatever is counted has an increase."""
        looked = f"count(count_over_time(up[5m]) > 1) == {self._jobs} and sum(up) == {self._jobs}"
        self.until_answered([("each job was looked at", looked)])

    def until_answered(self, wanted: list[Expression], meanwhile: Callable[[], object] | None = None) -> None:
        """Ask until every expression has a number; ``meanwhile`` is done before each look."""
        end = time.monotonic() + PATIENCE
        while True:
            if meanwhile:
                meanwhile()
            wanted = [one for one in wanted if not self.ask(one[1])]
            if not wanted:
                return
            told = "\n".join(f"{where}: {expression}" for where, expression in wanted)
            assert time.monotonic() < end, f"{told}\n{self._log.read_text()[-1500:]}"
            time.sleep(0.5)


def shipped_remote_write(url: str) -> Job:
    """What prometheus.yml says of the common store, uncommented, for a store without accounts."""
    text = (CONFIG / "prometheus.yml").read_text()
    shipped = YAML(typ="safe").load(re.sub(r"^# ?(remote_write| {2,})", r"\1", text, flags=re.MULTILINE))
    (write,) = shipped["remote_write"]
    del write["basic_auth"]
    return {**write, "url": f"{url}/api/v1/write"}


@contextmanager
def prometheus(folder: Path, jobs: list[Job], site: str = "", store: Prometheus | None = None) -> Iterator[Prometheus]:
    """Run it for the length of a test; ``store`` gets what the shipped configuration sends, as ``site``'s."""
    for name in ("recording.yml", "alerts.yml"):
        text = (CONFIG / name).read_text().replace("interval: 30s", "interval: 1s")
        (folder / name).write_text(text)
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": {"site": site}},
        "rule_files": ["recording.yml", "alerts.yml"],
        "scrape_configs": jobs,
        "remote_write": [shipped_remote_write(store.url)] if store else [],
    }
    with (folder / "prometheus.yml").open("w") as file:
        YAML(typ="safe").dump(config, file)
    options = ("--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address={address}")
    with _running("prometheus", folder, *options) as (client, log):
        yield Prometheus(client, log, len(jobs))


@contextmanager
def victoria_metrics(folder: Path) -> Iterator[Prometheus]:
    """Run Debian's VictoriaMetrics, which answers what it got as soon as it has it."""
    options = ("-storageDataPath=store", "-search.latencyOffset=0s", "-httpListenAddr={address}")
    with _running("victoria-metrics", folder, *options) as (client, log):
        yield Prometheus(client, log)


@contextmanager
def _running(name: str, folder: Path, *options: str) -> Iterator[tuple[httpx.Client, Path]]:
    found = shutil.which(name)
    assert found, f"Debian's package {name} (make test-engines installs it)"
    address = f"127.0.0.1:{free_port()}"
    log = folder / f"{name}.log"
    with log.open("w") as output:
        command = [found, *(option.format(address=address) for option in options)]
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
    try:
        with httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=30) as client:
            _wait_until_ready(client, log)
            yield client, log
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_ready(client: httpx.Client, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(httpx.TransportError):
            if client.get("/-/ready").status_code == 200:
                return
        time.sleep(0.2)
    raise AssertionError(log.read_text())
