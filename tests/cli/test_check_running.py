"""``jupytercloud check`` on a hub that runs, whose services are killed and whose scopes are taken away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupytercloud_hub.cli.check import STATUS
from tests.support.fake_provider import FakeProvider
from tests.support.hub_process import HubProcess

HUB = """
site: {name: labo, title: Labo, url: "{url}"}
auth: {issuer: ISSUER, client_id: a, client_secret: {file: secret}}
institutions: [{name: a, home_organizations: a.fr}]
spawner: {backend: local}
profiles: [{name: lab, title: Lab}]
culling: {rules: [{name: partout, idle: 1 h}]}
quotas: {}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub in a process of its own with a provider beside it."""
    idp = FakeProvider()
    folder = tmp_path_factory.mktemp("check")
    (folder / "secret").write_text("s3cret")
    (folder / "secret").chmod(0o600)
    running = HubProcess(folder, HUB.replace("ISSUER", idp.issuer))
    running.start()
    try:
        running.wait()
        yield running
    finally:
        running.end()
        idp.end()


def check(hub: HubProcess, *args: str, lang: str = "en_US.UTF-8") -> tuple[int, dict[str, list[dict]]]:
    env = {**os.environ, "LANG": lang, "LC_ALL": lang}
    command = [sys.executable, "-m", "jupytercloud_hub", "check", "--config", str(hub.settings), "--json", *args]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)["findings"]
    return done.returncode, {status: [one for one in found if one["status"] == status] for status in STATUS}


def service_pid(hub: HubProcess, name: str) -> int:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_text().split("\0")
        except OSError:
            continue
        if name in words and "serve" in words and str(hub.settings) in words:
            return int(path.parent.name)
    raise AssertionError(f"{name} does not run")


def until_well(hub: HubProcess, seconds: float = 90) -> dict[str, list[dict]]:
    deadline = time.monotonic() + seconds
    while True:
        code, found = check(hub)
        if code == 0 or time.monotonic() > deadline:
            assert found["error"] == []
            return found
        time.sleep(1)


def test_a_real_hub_that_is_well_has_no_error_and_everything_was_looked_at(hub):
    found = until_well(hub)
    assert found["skipped"] == []
    assert {one["area"] for one in found["ok"]} >= {"settings", "hub", "proxy", "services", "database", "provider"}
    assert [one["area"] for one in found["warning"]] == ["spawner"]


def test_without_a_token_it_says_what_it_did_not_look_at(hub, tmp_path):
    (tmp_path / "unknown").write_text("x" * 32)
    _, found = check(hub, "--token-file", str(tmp_path / "unknown"))
    assert {one["area"] for one in found["skipped"]} == {"proxy", "services", "orphans"}
    assert all(one["mend"] for one in found["skipped"])


def test_a_service_that_was_killed_is_found_and_is_well_again_by_itself(hub):
    until_well(hub)
    os.kill(service_pid(hub, "quotas"), signal.SIGKILL)
    code, found = check(hub)
    assert code == 1
    assert [one["area"] for one in found["error"]] == ["services"]
    assert "quotas does not run" in found["error"][0]["what"]
    assert found["error"][0]["why"] == "usage is not counted"
    until_well(hub)


def test_people_read_it_in_their_language_aligned_and_with_the_mend_below(hub):
    for lang, words in (("fr_FR.UTF-8", "en ordre"), ("en_GB.UTF-8", "ok")):
        env = {**os.environ, "LANG": lang, "LC_ALL": lang, "COLUMNS": "90"}
        command = [sys.executable, "-m", "jupytercloud_hub", "check", "--config", str(hub.settings)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert words in done.stdout
        assert all(len(line) <= 120 for line in done.stdout.splitlines())
        assert "\x1b[" not in done.stdout


def test_scopes_that_a_later_line_took_away_are_found_at_the_service(tmp_path):
    later = """
for role in c.JupyterHub.load_roles:
    if role["name"] == "service-culler":
        role["scopes"] = [scope for scope in role["scopes"] if scope != "delete:servers"]
    if role["name"] == "service-quotas":
        role["scopes"] = [*role["scopes"], "delete:users"]
"""
    words = 'site: {name: labo, url: "{url}"}\nculling: {rules: [{name: a, idle: 1 h}]}\nquotas: {}\n'
    after = later + 'c.JupyterHub.authenticator_class = "dummy"\nc.Authenticator.allow_all = True\n'
    running = HubProcess(tmp_path, words, after=after)
    running.start()
    try:
        running.wait()
        deadline = time.monotonic() + 60
        while True:
            _, found = check(running)
            told = [one["what"] for one in (*found["error"], *found["warning"])]
            if any("lacks scopes: delete:servers" in line for line in told) or time.monotonic() > deadline:
                break
            time.sleep(1)
        assert any("culler lacks scopes: delete:servers" in line for line in told)
        assert any("quotas holds more scopes than it needs: delete:users" in line for line in told)
    finally:
        running.end()
