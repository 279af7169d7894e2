"""``jupytercloud check``: what was left behind at the engine, and what a kernel finds inside a server."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from jupytercloud_hub.cli.checks import orphans
from jupytercloud_hub.cli.checks.look import Look, find_token, looking
from jupytercloud_hub.cli.checks.spawn import CODE, told_by_kernel
from jupytercloud_hub.settings import load
from jupytercloud_hub.spawners.kubernetes_check import excessive_rights
from jupytercloud_hub.spawners.local_sweep import VARIABLE
from tests.support.hub_process import HubProcess, hub_process

SETTINGS = 'site: {name: labo, url: "{url}"}\nspawner: {backend: local}\nprofiles: [{name: lab, title: Lab}]\n'
AFTER = 'c.JupyterHub.authenticator_class = "dummy"\nc.Authenticator.allow_all = True\n'


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory):
    with hub_process(tmp_path_factory.mktemp("orphans"), SETTINGS, after=AFTER) as running:
        yield running


def look(hub: HubProcess) -> list:
    async def one():
        settings = load(hub.settings)
        async with looking(settings, find_token(settings, None)[0], None, "en") as at:
            return await orphans.look(Look(at.settings, at.client, at.token))

    return asyncio.run(one())


def test_a_server_that_the_hub_does_not_know_is_found_and_the_mend_removes_it(
    hub: HubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [found.status for found in look(hub)] == ["ok"]
    left = subprocess.Popen(["sleep", "600"], env={**os.environ, VARIABLE: "labo/ghost//lab"})
    try:
        assert [found.status for found in look(hub)] == ["ok"], "it may be a start of which the hub does not tell yet"
        monkeypatch.setattr(orphans, "GRACE", timedelta(0))
        [found] = look(hub)
        assert (found.status, f"{left.pid} (ghost)" in str(found.what)) == ("warning", True)
        mend = str(found.mend).split()
        assert mend[0] == "jupytercloud"
        environ = {k: v for k, v in os.environ.items() if k != "JUPYTERHUB_API_TOKEN"}
        done = subprocess.run(
            [sys.executable, "-m", "jupytercloud_hub", *mend[1:], "--grace", "0 s"],
            env=environ,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0
        assert left.wait(30) != 0
        assert [found.status for found in look(hub)] == ["ok"]
    finally:
        left.kill()


def in_a_kernel(home: str, *folders: str) -> list[tuple[str, str]]:
    """What is found where the kernel's home and its CVMFS are so."""
    command = [sys.executable, "-c", CODE % json.dumps(folders)]
    said = subprocess.run(command, env={"HOME": home}, capture_output=True, text=True, check=True).stdout
    return [(found.status, str(found.what)) for found in told_by_kernel(said, 1.0)]


def test_a_home_that_takes_no_writes_is_told_with_the_systems_own_words(tmp_path: Path) -> None:
    assert [status for status, _ in in_a_kernel(str(tmp_path))] == ["ok", "ok"]
    assert not list(tmp_path.iterdir()), "nothing is left in the home"
    (_, (status, what)) = in_a_kernel("/proc/self")
    assert status == "error"
    assert "nothing can be written to the home" in what


def test_a_cvmfs_that_can_not_be_read_in_the_server_is_told(tmp_path: Path) -> None:
    (tmp_path / "sft.cern.ch").mkdir()
    assert {status for status, _ in in_a_kernel(str(tmp_path), str(tmp_path / "sft.cern.ch"))} == {"ok"}
    found = in_a_kernel(str(tmp_path), "/cvmfs/no.such.repository")
    assert found[-1][0] == "error"
    assert "/cvmfs/no.such.repository" in found[-1][1]


def test_a_kernel_that_says_something_else_is_an_error() -> None:
    for said in ("", "42", "{}", '{"sum": 41, "home": "", "cvmfs": {}}'):
        assert [found.status for found in told_by_kernel(said, 1.0)] == ["error"], said


ROLE = [
    {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "watch", "list", "create", "delete"]},
    {"apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews"], "verbs": ["create"]},
    {"nonResourceURLs": ["/healthz"], "verbs": ["get"]},
]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}, "list nodes"),
        ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, "* *"),
        ({"apiGroups": ["apps"], "resources": ["pods"], "verbs": ["get"]}, "get pods"),
        ({"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}, "patch pods"),
    ],
)
def test_an_account_of_the_cluster_that_may_too_much_is_told_what(more: dict, told: str) -> None:
    assert excessive_rights(ROLE) == ""
    assert excessive_rights([*ROLE, more]) == told
