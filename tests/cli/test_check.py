"""``jupytercloud check`` finds each planted fault, says how to mend it, and is green once that was done."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time
from datetime import timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from jupytercloud_hub.cli.check import AREAS
from jupytercloud_hub.cli.checks import database, portal, provider, run, secrets, spawner
from jupytercloud_hub.cli.checks.look import Look, find_token, looking
from jupytercloud_hub.cli.main import main
from jupytercloud_hub.contracts.finding import Finding
from jupytercloud_hub.contracts.text import Text
from jupytercloud_hub.settings import load
from jupytercloud_hub.storage.database import upgrade
from jupytercloud_hub.storage.parts import PARTS
from tests.support.fake_provider import FakeProvider, weak_key
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


def test_every_area_has_words_and_every_part_of_a_hub_that_keeps_rows_is_known():
    assert {*run.AREAS, "spawn"} == set(AREAS)
    assert set(database._PART_OF.values()) | {"auth", "events"} == set(PARTS)


def test_the_portal_area_is_silent_on_a_hub_without_a_federation(look):
    assert look(BASE, portal.look) == []
