"""``jupytercloud check`` finds each planted fault, says how to mend it, and is green once that was done."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from jupytercloud_hub.cli.check import AREAS, STATUS
from jupytercloud_hub.cli.checks import database, portal, provider, run, secrets, spawner
from jupytercloud_hub.cli.checks.look import Look, find_token, looking
from jupytercloud_hub.cli.main import main
from jupytercloud_hub.contracts.finding import Finding
from jupytercloud_hub.contracts.text import Text
from jupytercloud_hub.settings import load
from jupytercloud_hub.storage.database import PARTS, upgrade
from tests.support.fake_provider import FakeProvider, weak_key
from tests.support.hub_process import HubProcess
from tests.support.ports import free_port

BASE = 'site: {name: labo, url: "http://127.0.0.1:1/labo/"}\n'
AUTH = "auth: {issuer: %s, client_id: a, client_secret: {file: secret}}\n"


@pytest.fixture
def idp():
    running = FakeProvider()
    yield running
    running.end()


@pytest.fixture
def look(tmp_path):
    """Look at one area of a file of these words."""

    def at(words: str, area, **options) -> list[Finding]:
        path = tmp_path / "jupytercloud.yaml"
        path.write_text(words)
        (tmp_path / "secret").write_text("s3cret")
        (tmp_path / "secret").chmod(0o600)

        async def one() -> list[Finding]:
            async with looking(load(path), "", None, "en") as looked:
                return await area(Look(looked.settings, looked.client, **options))

        return asyncio.run(one())

    return at


def errors(found: list[Finding]) -> list[str]:
    return [str(finding.what) for finding in found if finding.status == "error"]


def statuses(found: list[Finding]) -> set[str]:
    return {finding.status for finding in found}


# --- provider


def test_a_provider_that_is_well_is_well(look, idp):
    found = look(BASE + AUTH % idp.issuer, provider.look)
    assert statuses(found) == {"ok"}
    assert len(found) == 3


def test_a_provider_that_is_down_is_told_with_what_to_try(look):
    (found,) = look(BASE + AUTH % "http://127.0.0.1:1", provider.look)
    assert (found.status, "nothing listens" in str(found.what)) == ("error", True)
    assert "curl -v" in str(found.mend)


def test_another_issuer_is_told_with_the_line_to_write_and_writing_it_mends_it(look, idp):
    idp.told = idp.issuer + "/"
    (found,) = look(BASE + AUTH % idp.issuer, provider.look)
    assert found.status == "error"
    line = re.search(r"write issuer: (\S+) in", str(found.mend)).group(1)
    idp.told = line
    assert statuses(look(BASE + AUTH % line, provider.look)) == {"ok"}


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(0, "ok"), (3, "ok"), (-3, "ok"), (30, "warning"), (-30, "warning"), (90, "error"), (-3600, "error")],
)
def test_a_clock_that_is_wrong_is_told_by_how_much(look, idp, seconds, status):
    idp.ahead = timedelta(seconds=seconds)
    (clock,) = [found for found in look(BASE + AUTH % idp.issuer, provider.look) if "clock" in str(found.what)]
    assert clock.status == status
    if status != "ok":
        told = int(re.search(r"(\d+) s apart", str(clock.what)).group(1))
        assert abs(told - abs(seconds)) <= 3


def test_keys_that_nobody_accepts_here_are_told(look, idp):
    idp.keys = [weak_key()]
    assert any("fits auth.algorithms" in line for line in errors(look(BASE + AUTH % idp.issuer, provider.look)))
    idp.keys = []
    assert errors(look(BASE + AUTH % idp.issuer, provider.look))


@pytest.mark.parametrize(("status", "body"), [(404, b"none"), (200, b"<html>"), (200, b"[]"), (500, b"{}"), (302, b"")])
def test_what_is_no_discovery_document_is_told(look, idp, status, body):
    idp.status, idp.body = status, body
    (found,) = look(BASE + AUTH % idp.issuer, provider.look)
    assert "no discovery document" in str(found.what)


def test_without_a_section_auth_the_login_is_not_counted_as_well(look):
    assert statuses(look(BASE, provider.look)) == {"skipped"}


# --- secrets


def test_a_secret_that_is_missing_empty_or_open_to_all_is_told(look, tmp_path):
    words = BASE + "auth: {issuer: https://i.fr, client_id: a, client_secret: {file: other}}\n"
    assert errors(look(words, secrets.look))
    (tmp_path / "other").write_text(" \n")
    assert errors(look(words, secrets.look))
    (tmp_path / "other").write_text("hunter2")
    (tmp_path / "other").chmod(0o644)
    found = look(words, secrets.look)
    assert statuses(found) == {"ok", "warning"}
    mend = next(str(finding.mend) for finding in found if finding.status == "warning")
    subprocess.run(mend, shell=True, check=True)
    assert statuses(look(words, secrets.look)) == {"ok"}
    assert "hunter2" not in str(found)


def test_a_variable_that_only_the_hub_has_is_said_to_be_unseen(look, monkeypatch):
    monkeypatch.delenv("ONLY_THE_HUB", raising=False)
    words = BASE + "auth: {issuer: https://i.fr, client_id: a, client_secret: {env: ONLY_THE_HUB}}\n"
    assert statuses(look(words, secrets.look)) == {"ok", "skipped"}


# --- database

PARTS_OF_A_SITE = "quotas: {}\nculling: {rules: [{name: a, idle: 1 h}]}\n"


def test_tables_that_are_not_there_or_old_are_told_and_the_mend_mends_it(look, tmp_path):
    words = BASE + PARTS_OF_A_SITE
    found = look(words, database.look)
    assert len(errors(found)) == 2
    assert not (tmp_path / "state").exists()
    mend = str(next(finding.mend for finding in found if finding.status == "error"))
    arguments = mend.removeprefix("jupytercloud ").split()
    assert CliRunner().invoke(main, arguments).exit_code == 0
    found = look(words, database.look)
    assert statuses(found) == {"ok"}


def test_a_database_that_takes_no_writes_is_told(look, tmp_path, monkeypatch):
    (tmp_path / "state").mkdir()
    url = f"sqlite:///{tmp_path}/state/jupytercloud.sqlite"
    upgrade(url, "quotas")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("PRAGMA journal_mode=DELETE"))
    holder = engine.connect()
    holder.connection.dbapi_connection.isolation_level = None
    holder.exec_driver_sql("BEGIN EXCLUSIVE")
    monkeypatch.setattr("jupytercloud_hub.storage.database.PROBE_SECONDS", 0.2)
    try:
        found = look(BASE + "quotas: {}\n", database.look)
        assert statuses(found) == {"error"}
        assert "locked" in errors(found)[0]
    finally:
        holder.close()
        engine.dispose()
    assert statuses(look(BASE + "quotas: {}\n", database.look)) == {"ok"}


def test_a_server_that_is_away_is_told_once_and_its_password_never(look, tmp_path):
    (tmp_path / "password").write_text("hunter2")
    words = BASE + PARTS_OF_A_SITE + "database: {url: postgresql://me@127.0.0.1:1/none, password: password}\n"
    found = look(words, database.look)
    assert len(found) == 1
    assert found[0].status == "error"
    assert "hunter2" not in str(found)


def test_on_postgresql_all_is_seen_too(look, postgresql_url):
    words = BASE + PARTS_OF_A_SITE + f"database: {{url: {json.dumps(postgresql_url)}}}\n"
    assert len(errors(look(words, database.look))) == 2
    for part in ("quotas", "culling"):
        upgrade(postgresql_url, part)
    assert statuses(look(words, database.look)) == {"ok"}


# --- profiles


def test_a_profile_that_can_never_start_here_and_limits_that_are_words_are_warnings(look):
    words = (
        BASE + "spawner: {backend: local}\nprofiles: [{name: a, title: A}, {name: g, title: G, resources: {gpu: 1}}]\n"
    )
    found = look(words, spawner.look)
    assert [finding.status for finding in found] == ["warning", "warning", "ok"]
    assert "profile g" in str(found[0].what)
    assert str(found[2].what) == "profiles that can start here: a"


def test_a_site_without_profiles_is_an_error(look):
    assert errors(look(BASE + "spawner: {backend: local}\n", spawner.look)) == ["there are no profiles"]


# --- the whole


def test_an_area_that_hangs_or_breaks_holds_up_no_other_and_hides_nothing(tmp_path, monkeypatch):
    async def hangs(at: Look) -> list[Finding]:
        await asyncio.sleep(60)
        return []

    async def breaks(at: Look) -> list[Finding]:
        raise ZeroDivisionError("planted")

    async def well(at: Look) -> list[Finding]:
        return [Finding("settings", "ok", Text("fine"))]

    monkeypatch.setattr(run, "AREAS", {"hub": hangs, "proxy": breaks, "settings": well})
    monkeypatch.setattr(run, "SECONDS", 0.3)
    (tmp_path / "a.yaml").write_text(BASE)
    begun = time.monotonic()
    found = asyncio.run(run.look_at_all(load(tmp_path / "a.yaml")))
    assert time.monotonic() - begun < 5
    assert [(finding.area, finding.status) for finding in found] == [
        ("hub", "error"),
        ("proxy", "error"),
        ("settings", "ok"),
    ]
    assert "planted" in str(found[1].what)


def test_a_file_with_mistakes_is_told_line_by_line_and_the_rest_is_not_counted_as_well(tmp_path):
    (tmp_path / "a.yaml").write_text("site: {name: labo, urll: x}\n")
    done = CliRunner().invoke(main, ["check", "--config", str(tmp_path / "a.yaml"), "--json"], env={"LANG": "en"})
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert found["counts"] == {"ok": 0, "warning": 0, "error": 2, "skipped": 1}
    assert all(finding["mend"] for finding in found["findings"])


def test_a_token_file_that_is_not_there_is_wrong_use(tmp_path):
    (tmp_path / "a.yaml").write_text(BASE)
    done = CliRunner().invoke(main, ["check", "--config", str(tmp_path / "a.yaml"), "--token-file", "/none"])
    assert done.exit_code == 2


def test_the_token_is_that_of_the_file_of_the_environment_or_of_the_state_folder(tmp_path, monkeypatch):
    (tmp_path / "a.yaml").write_text(BASE)
    settings = load(tmp_path / "a.yaml")
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    assert find_token(settings, None)[0] == ""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "check_token").write_text("kept\n")
    (tmp_path / "own").write_text("own\n")
    assert find_token(settings, None) == ("kept", None)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "environment")
    assert find_token(settings, None) == ("environment", None)
    assert find_token(settings, tmp_path / "own") == ("own", None)


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
    assert {one["area"] for one in found["skipped"]} == {"proxy", "services"}
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


def test_a_hub_that_was_stopped_is_told_by_each_area_that_needs_it(tmp_path):
    (tmp_path / "jupytercloud.yaml").write_text(f'site: {{name: labo, url: "http://127.0.0.1:{free_port()}/labo/"}}\n')
    done = CliRunner().invoke(
        main, ["check", "--config", str(tmp_path / "jupytercloud.yaml"), "--json"], env={"LANG": "en"}
    )
    found = {one["area"]: one for one in json.loads(done.stdout)["findings"]}
    assert done.exit_code == 1
    assert found["hub"]["status"] == "error"
    assert "Start the hub" in found["hub"]["mend"]
    assert found["proxy"]["status"] == "skipped"


def test_people_read_it_in_their_language_aligned_and_with_the_mend_below(hub):
    for lang, words in (("fr_FR.UTF-8", "en ordre"), ("en_GB.UTF-8", "ok")):
        env = {**os.environ, "LANG": lang, "LC_ALL": lang, "COLUMNS": "90"}
        command = [sys.executable, "-m", "jupytercloud_hub", "check", "--config", str(hub.settings)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert words in done.stdout
        assert all(len(line) <= 120 for line in done.stdout.splitlines())
        assert "\x1b[" not in done.stdout


def test_every_area_has_words_and_every_part_of_a_hub_that_keeps_rows_is_known():
    assert {*run.AREAS, "spawn"} == set(AREAS)
    assert set(database._PART_OF.values()) | {"auth", "events"} == set(PARTS)


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


def test_the_portal_area_is_silent_on_a_hub_without_a_federation(look):
    assert look(BASE, portal.look) == []
