"""``jupytercloud settings`` as an administrator calls it: words, exit codes, languages."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from tests.settings.test_loading import FIVE
from tests.support.settings_files import SITE


def jupytercloud(*args: str, cwd, lang: str = "en_US.UTF-8", **environ: str) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG"))}
    env |= {"LANG": lang, **environ}
    command = [sys.executable, "-m", "jupytercloud_hub", *args]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "good.yaml").write_text(SITE)
    (tmp_path / "five.yaml").write_text(FIVE)
    return tmp_path


def test_five_mistakes_end_in_five_lines_with_places_and_exit_code_1(folder):
    done = jupytercloud("settings", "validate", "five.yaml", cwd=folder)
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert [line.split(": ")[0] for line in lines[:5]] == [
        "five.yaml:2:3",
        "five.yaml:3:3",
        "five.yaml:4:3",
        "five.yaml:8:17",
        "five.yaml:10:3",
    ]
    assert lines[2] == "five.yaml:4:3: site.timzone: there is no such key. Did you mean timezone?"
    assert lines[5] == "5 to mend in five.yaml"
    assert "Traceback" not in done.stderr


def test_a_good_file_ends_with_exit_code_0_and_a_missing_one_with_1(folder):
    assert jupytercloud("settings", "validate", "good.yaml", cwd=folder).returncode == 0
    assert jupytercloud("settings", "validate", "none.yaml", cwd=folder).returncode == 1
    assert jupytercloud("settings", "validate", cwd=folder).returncode == 2


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("fr_FR.UTF-8", "cette clé n'existe pas. Vouliez-vous dire timezone\u00a0?"),
        ("en_GB.UTF-8", "there is no such key. Did you mean timezone?"),
        ("C.UTF-8", "cette clé n'existe pas"),
        ("de_DE.UTF-8", "cette clé n'existe pas"),
    ],
)
def test_mistakes_are_told_in_the_language_of_the_terminal_french_where_it_is_neither(folder, lang, words):
    assert words in jupytercloud("settings", "validate", "five.yaml", cwd=folder, lang=lang).stderr


def test_machines_get_the_same_as_json(folder):
    done = jupytercloud("settings", "validate", "five.yaml", "--json", cwd=folder)
    found = json.loads(done.stdout)
    assert (done.returncode, found["valid"], len(found["problems"])) == (1, False, 5)
    assert found["problems"][2] == {
        "file": "five.yaml",
        "line": 4,
        "column": 3,
        "key": "site.timzone",
        "value": "",
        "rule": "there is no such key",
        "hint": "Did you mean timezone?",
    }
    good = jupytercloud("settings", "validate", "good.yaml", "--json", cwd=folder)
    assert json.loads(good.stdout) == {"valid": True, "problems": []}


def test_show_prints_what_is_in_force_and_of_a_secret_only_where_it_is_kept(folder):
    text = SITE.replace("sqlite:///state/jupytercloud.sqlite", "postgresql://me:hunter2@db/name")
    (folder / "secret.yaml").write_text(text)
    for extra in ((), ("--json",)):
        done = jupytercloud(
            "settings", "show", "--config", "secret.yaml", *extra, cwd=folder, GRENOBLE_SECRET="hunter3"
        )
        assert done.returncode == 0, done.stderr
        assert "hunter" not in done.stdout + done.stderr
        shown = json.loads(done.stdout) if extra else YAML(typ="safe").load(done.stdout)
        assert shown["auth"]["client_secret"] == {"env": "GRENOBLE_SECRET"}
        assert shown["site"]["timezone"] == "Europe/Paris"
        assert shown["culling"]["keep"]["times"] == 1  # a default that the file does not name


def test_what_show_prints_is_a_good_file_again(folder):
    shown = jupytercloud("settings", "show", "--config", "good.yaml", cwd=folder).stdout
    (folder / "again.yaml").write_text(shown)
    done = jupytercloud("settings", "validate", "again.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr


def test_each_command_has_help_with_an_example(folder):
    for verb in ("validate", "schema", "show"):
        assert "Example" in jupytercloud("settings", verb, "--help", cwd=folder).stdout
