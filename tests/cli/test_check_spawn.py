"""``jupytercloud check --spawn``: a real hub, a real JupyterLab, a real kernel, and nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.hub_process import HubProcess, hub_process

pytestmark = pytest.mark.timeout(300)

SETTINGS = """
site: {name: labo, title: Labo, url: "{url}"}
spawner: {backend: local, timeouts: {start: 2 min, http: 2 min}}
profiles:
  - {name: lab, title: Lab, default: true}
  - {name: broken, title: Broken, command: [python3, -c, "import sys; sys.exit('no room left on /scratch')"]}
  - {name: closed, title: Closed, access: {groups: [physique]}}
"""
OPERATOR = "o" * 40
AFTER = f"""
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [*c.JupyterHub.services, {{"name": "operator", "api_token": "{OPERATOR}"}}]
c.JupyterHub.load_roles = [
    *c.JupyterHub.load_roles, {{"name": "operator", "services": ["operator"], "scopes": ["admin:users", "tokens"]}}
]
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with hub_process(tmp_path_factory.mktemp("hub"), SETTINGS, after=AFTER) as running:
        users = f"{running.url}hub/api/users"
        headers = {"Authorization": f"token {OPERATOR}"}
        with httpx.Client(headers=headers, trust_env=False, timeout=60) as client:
            assert client.post(f"{users}/sonde@labo.example").status_code == 201
            answer = client.post(f"{users}/sonde@labo.example/tokens", json={"note": "check"})
            assert answer.status_code == 201, answer.text
            (running.folder / "token").write_text(answer.json()["token"])
            (running.folder / "operator").write_text(OPERATOR)
        yield running


def check(hub: HubProcess, *arguments: str, token: str = "token") -> list[dict[str, Any]]:
    """What it finds about the start."""
    command = [sys.executable, "-m", "jupytercloud_hub", "check", "--config", str(hub.settings), "--json"]
    done = subprocess.run(
        [*command, "--token-file", str(hub.folder / token), *arguments],
        env={**os.environ, "LC_ALL": "en_GB.UTF-8"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.stdout, done.stderr
    return [one for one in json.loads(done.stdout)["findings"] if one["area"] == "spawn"]


def runs(hub: HubProcess) -> bool:
    headers = {"Authorization": f"token {(hub.folder / 'token').read_text()}"}
    return bool(httpx.get(f"{hub.url}hub/api/user", headers=headers, trust_env=False).json()["servers"])


def test_a_server_is_started_a_kernel_computes_and_nothing_is_left(hub: HubProcess) -> None:
    found = check(hub, "--spawn")
    assert [one["status"] for one in found] == ["ok"] * 4, found
    assert "a kernel computed over the websocket" in found[1]["what"]
    assert found[2]["what"] == "the home takes what is written"
    assert "nothing of it runs" in found[3]["what"]
    assert not runs(hub)


def test_a_start_that_fails_is_told_in_the_engines_words_and_cleaned_up(hub: HubProcess) -> None:
    found = check(hub, "--spawn", "broken")
    [failed] = [one for one in found if one["status"] != "ok"]
    assert failed["status"] == "error"
    assert "no room left on /scratch" in failed["what"]
    assert not runs(hub)


def test_a_profile_that_the_test_person_may_not_have_is_told(hub: HubProcess) -> None:
    [found] = check(hub, "--spawn", "closed")
    assert found["status"] == "error"
    assert "status 403" in found["what"]
    assert "physique" in found["what"]


def test_a_token_that_is_nobodys_own_starts_nothing(hub: HubProcess) -> None:
    [found] = check(hub, "--spawn", token="operator")
    assert found["status"] == "skipped"
    assert "hub/token" in found["mend"]


def test_without_the_option_nothing_is_started(hub: HubProcess) -> None:
    assert check(hub) == []
