"""``jupytercloud identity check``: the same decision as at a login, with its reasons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from jupytercloud_hub.cli.identity import command
from tests.identity.test_decision import GOOD

CONFIG = """
site: {name: hub, url: "http://127.0.0.1:8000/"}
auth: {issuer: "http://127.0.0.1:9", client_id: hub, client_secret: {env: NAME}}
institutions:
  - {name: uga, title: UGA, home_organizations: [univ-grenoble-alpes.fr], affiliations: [staff], contact: a@b.fr}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "jupytercloud.yaml"
    path.write_text(CONFIG)
    return path


def test_somebody_who_is_let_in_is_named_with_every_step(config: Path, tmp_path: Path) -> None:
    (tmp_path / "claims.json").write_text(json.dumps(GOOD))
    result = CliRunner(env={"LANG": "en"}).invoke(
        command, ["check", str(tmp_path / "claims.json"), "--config", str(config)]
    )
    assert result.exit_code == 0, result.output
    assert "recognises the organization univ-grenoble-alpes.fr" in result.output
    assert "Let in as anna@univ-grenoble-alpes.fr." in result.output


def test_somebody_who_is_refused_gets_code_1_and_the_reason(config: Path) -> None:
    raw = {**GOOD, "eduperson_scoped_affiliation": "student@univ-grenoble-alpes.fr"}
    result = CliRunner().invoke(command, ["check", "-", "--config", str(config), "--json"], input=json.dumps(raw))
    assert result.exit_code == 1
    answer = json.loads(result.output)
    assert answer["refused"]["reason"] == "affiliation-not-accepted"
    assert answer["refused"]["contact"] == "a@b.fr"
    assert answer["identity"] is None


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"'])
def test_what_is_not_a_json_object_is_wrong_use(config: Path, text: str) -> None:
    assert CliRunner().invoke(command, ["check", "-", "--config", str(config)], input=text).exit_code == 2
