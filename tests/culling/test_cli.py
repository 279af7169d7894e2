"""``jupytercloud cull``: what it says, and its exit codes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.culling.away import gone_quiet

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "jupytercloud.yaml"
    section = {"rules": [{"name": "ordinary", "idle": "1 h"}]}
    file.write_text(json.dumps({"site": {"name": "essai", "url": "http://127.0.0.1:8100/"}, "culling": section}))
    return file


def cull(config: Path, *arguments: str, **env: str) -> Result:
    variables = {"JUPYTERHUB_API_TOKEN": "", "JUPYTERHUB_API_URL": "", "LC_ALL": "fr_FR.UTF-8", **env}
    return CliRunner().invoke(main, ["cull", *arguments, "--config", str(config)], env=variables)


def test_a_maintenance_is_announced_shown_and_taken_back(config: Path) -> None:
    arguments = ("maintenance", "--at", "2026-12-24T18:00+01:00", "--message", "Coupure électrique")
    assert "24T18:00+01:00\u00a0: Coupure électrique" in cull(config, *arguments).output
    shown = json.loads(cull(config, "maintenance", "--json").output)["maintenance"]
    assert shown == {
        "at": "2026-12-24T18:00:00+01:00",
        "message": {"fr": "Coupure électrique", "en": "Coupure électrique"},
    }
    assert "Aucune maintenance" in cull(config, "maintenance", "--cancel").output
    assert json.loads(cull(config, "maintenance", "--json").output) == {"maintenance": None}


@pytest.mark.parametrize(
    ("number", "arguments", "words"),
    [
        (1, ("maintenance", "--at", "2026-12-24T18:00", "--message", "x"), "n'est pas une heure avec son fuseau"),
        (2, ("maintenance", "--at", "2026-12-24T18:00Z"), "--at avec --message"),
        (3, ("maintenance", "--cancel", "--at", "2026-12-24T18:00Z", "--message", "x"), "--cancel seul"),
        (4, ("plan",), "JUPYTERHUB_API_TOKEN"),
        (5, ("away",), "JUPYTERHUB_API_TOKEN"),
    ],
)
def test_wrong_use_ends_with_two_and_says_what_is_right(
    config: Path, number: int, arguments: tuple[str, ...], words: str
) -> None:
    result = cull(config, *arguments)
    assert (result.exit_code, words in result.output) == (2, True), (number, result.output)


def test_a_hub_that_is_away_ends_with_one(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupytercloud_hub.hubapi.client._BACK_OFF_SECONDS", 0.001)
    away = {"JUPYTERHUB_API_TOKEN": "x", "JUPYTERHUB_API_URL": "http://127.0.0.1:9/hub/api"}
    result = cull(config, "plan", **away)
    assert (result.exit_code, "127.0.0.1:9" in result.output) == (1, True)


def test_a_database_that_can_not_be_used_is_told_in_one_line(config: Path) -> None:
    (config.parent / "state").mkdir()
    (config.parent / "state" / "jupytercloud.sqlite").write_text("this is no database" * 100)
    result = cull(config, "maintenance")
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "la base de données de culling est inutilisable" in result.output


def test_who_was_not_seen_for_long_is_listed_the_longest_away_first() -> None:
    def user(name: str, days: int, **more: object) -> dict[str, object]:
        return {"name": name, "last_activity": (NOW - timedelta(days=days)).isoformat(), "servers": {}, **more}

    users = [
        user("here", 1),
        user("half-a-year", 200),
        user("two-years", 700),
        user("server-forgotten", 300, servers={"": {}}),
        {"name": "never-came", "created": (NOW - timedelta(days=400)).isoformat(), "last_activity": None},
    ]
    found = gone_quiet(users, NOW - timedelta(days=180))
    assert [name for name, _ in found] == ["two-years", "never-came", "half-a-year"]
