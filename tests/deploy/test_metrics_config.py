"""Alerts and dashboards ask for metrics that exist; each alert fires in its unit test, and has a page that helps."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from jupyterhub import metrics as hub_metrics  # registers the hub's own
from prometheus_client import REGISTRY, CollectorRegistry
from ruamel.yaml import YAML

from jupytercloud_hub.auth import metrics as auth_metrics
from jupytercloud_hub.cli.checks.reports import as_textfile
from jupytercloud_hub.cli.main import main
from jupytercloud_hub.culling.metrics import Metrics as CullingMetrics
from jupytercloud_hub.events.metrics import Metrics as EventsMetrics
from jupytercloud_hub.federation.metrics import FederationMetrics
from jupytercloud_hub.federation.model import SiteState
from jupytercloud_hub.quotas.metrics import Metrics as QuotasMetrics
from tests.support import ROOT
from tests.support.prometheus import shipped_remote_write

CONFIG = ROOT / "config" / "prometheus"
DASHBOARDS = sorted((ROOT / "config" / "grafana").glob("*.json"))
RUNBOOKS = ROOT / "docs" / "runbooks"
ALL_SERIES = {"job", "instance", "site", "le"}
"""Labels that Prometheus and its configuration add."""

METRIC = r"(?<![\w:\"])((?:jupyter|hub:|up\b|process_)[\w:]*)"


@cache
def metrics() -> dict[str, set[str]]:
    """Return each series that our code and JupyterHub export, with its labels."""
    assert hub_metrics
    assert auth_metrics
    ours = CollectorRegistry()
    for part in (CullingMetrics, EventsMetrics, FederationMetrics, QuotasMetrics):
        part(ours)
    found = {"up": set(), "process_resident_memory_bytes": set()}
    for registry in (ours, REGISTRY):
        for name, collector in registry._names_to_collectors.items():
            if name.startswith(("jupytercloud_", "jupyterhub_")):
                found[name] = set(getattr(collector, "_labelnames", ()))
    for line in as_textfile([]).decode().splitlines():
        if line.startswith("# TYPE"):
            found[line.split()[2]] = {"area", "status"}
    return found


def rules(name: str) -> list[dict[str, Any]]:
    return [rule for group in YAML(typ="safe").load(CONFIG / name)["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return rules("alerts.yml")


def panels(path: Path) -> list[tuple[str, str]]:
    """Return (title, expression) of a dashboard."""
    dashboard = json.loads(path.read_text())
    return [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]]


def plain(expression: str, site: str = ".*") -> str:
    """Return the expression as Prometheus takes it, Grafana's variables filled in."""
    return expression.replace("$site", site).replace("$__rate_interval", "1m")


EXPRESSIONS = [
    *((f"{rule.get('alert') or rule.get('record')}", rule["expr"]) for rule in [*rules("recording.yml"), *alerts()]),
    *((f"{path.stem}: {title}", plain(expression)) for path in DASHBOARDS for title, expression in panels(path)),
]


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_expression_asks_for_metrics_and_labels_that_exist(where: str, expression: str) -> None:
    recorded = {rule["record"] for rule in rules("recording.yml")}
    asked = re.findall(rf"{METRIC}(\{{[^}}]*\}})?", expression)
    assert asked, "an expression without any metric of ours"
    for name, selector in asked:
        assert name in metrics() or name in recorded, f"{name} is exported by nothing"
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
        known = metrics().get(name, {"instance"}) | ALL_SERIES
        assert labels <= known, f"{name} has no label {labels - known}"
        for state in re.findall(r'state="(\w+)"', selector) if "site_state" in name else ():
            assert state in set(SiteState)


def test_prometheus_reads_what_is_shipped_here_and_nothing_personal_is_a_label() -> None:
    config = YAML(typ="safe").load(CONFIG / "prometheus.yml")
    assert all((CONFIG / name).exists() for name in config["rule_files"])
    assert {job["job_name"] for job in config["scrape_configs"]} >= {"hub", "quotas", "culler", "federation"}
    for name, labels in metrics().items():
        assert not labels & {"user", "username", "person", "email"}, name


def test_common_store_gets_all_that_dashboards_ask_and_nothing_of_anybody_elses() -> None:
    (relabel,) = shipped_remote_write("")["write_relabel_configs"]
    assert (relabel["source_labels"], relabel["action"]) == (["__name__"], "keep")
    asked = {name for _, expression in EXPRESSIONS for name in re.findall(METRIC, expression)}
    assert len(asked) > 20
    assert not [name for name in asked if not re.fullmatch(relabel["regex"], name)]
    assert not re.fullmatch(relabel["regex"], "node_filesystem_free_bytes")


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_alert_has_a_page_of_three_commands_that_exist(alert: dict[str, Any]) -> None:
    page = RUNBOOKS / f"{alert['annotations']['runbook_url'].rpartition('/')[2].removesuffix('.html')}.md"
    text = page.read_text()
    assert f"`{alert['alert']}`" in text
    commands = re.findall(r"```sh\n\s*(.+?)\n\s*```", text)
    assert len(commands) == 3
    assert page.stem in (RUNBOOKS / "index.md").read_text().splitlines()
    for words in (line.split() for line in commands if line.startswith("jupytercloud ")):
        command: click.Command | None = main
        context = click.Context(main)
        for word in words[1:]:
            if not isinstance(command, click.Group):
                break
            command = command.get_command(context, word)
            assert command is not None, " ".join(words)
        assert command is not None
        options = {name for option in command.params for name in option.opts} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= options, " ".join(words)


def test_each_alert_is_silent_in_one_case_and_fires_in_another() -> None:
    tests = YAML(typ="safe").load(CONFIG / "alerts_test.yml")["tests"]
    cases = {
        name: [case["exp_alerts"] for test in tests for case in test["alert_rule_test"] if case["alertname"] == name]
        for name in (alert["alert"] for alert in alerts())
    }
    for name, expected in cases.items():
        assert any(expected), f"{name} never fires"
        assert not all(expected), f"{name} is never silent"


@pytest.mark.engines
def test_promtool_passes_the_rules_their_unit_tests_and_every_dashboard(tmp_path: Path) -> None:
    def promtool(*arguments: str) -> None:
        asked = subprocess.run(
            ["promtool", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
        )
        assert asked.returncode == 0, asked.stdout + asked.stderr

    shutil.copytree(CONFIG, tmp_path, dirs_exist_ok=True)
    token = tmp_path / "token"
    token.touch()
    config = tmp_path / "prometheus.yml"
    config.write_text(re.sub(r"^# ?(remote_write| {2,})", r"\1", config.read_text(), flags=re.MULTILINE))
    config.write_text(re.sub(r"/run/secrets/\w+", str(token), config.read_text()))
    assert YAML(typ="safe").load(config)["remote_write"], "what is commented out is read too"
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "alerts.yml", "recording.yml")
    promtool("test", "rules", "alerts_test.yml")
    asked = [{"record": f"panel:{number}", "expr": expression} for number, (_, expression) in enumerate(EXPRESSIONS)]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": asked}]}))
    promtool("check", "rules", "panels.yml")
