"""The command answers at once, and a hub that only prints its help imports nothing heavy of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec

import pytest

from jupytercloud_hub.cli.main import COMMANDS

HEAVY = ("jupyterhub", "tornado", "sqlalchemy", "httpx", "oauthenticator", "alembic", "jinja2", "kubespawner")


def modules_after(statement: str) -> set[str]:
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "statement",
    [
        "import jupytercloud_hub",
        "from jupytercloud_hub.cli.main import main",
        "import jupytercloud_hub.cli.settings",
        "import jupytercloud_hub.settings",
        "import jupytercloud_hub.profiles.catalogue, jupytercloud_hub.identity",
    ],
)
def test_no_hub_and_no_database_is_imported_where_none_is_needed(statement):
    assert modules_after(statement) & set(HEAVY) == set()


def test_the_help_of_the_command_reads_few_modules():
    loaded = modules_after("import jupytercloud_hub.cli.main")
    assert len({name for name in loaded if name.startswith("jupytercloud_hub")}) <= 4


def test_every_entry_point_of_ours_loads():
    """`jupyterhub --help-all` imports each of them, and swallows what goes wrong."""
    ours = [
        point
        for group in ("jupyterhub.authenticators", "jupyterhub.spawners", "console_scripts")
        for point in entry_points(group=group)
        if point.value.startswith("jupytercloud_hub")
    ]
    assert {point.name for point in ours} >= {"jupytercloud", "renater", "profile-local"}
    for point in ours:
        assert point.load(), point.name


def test_entry_points_import_no_application_of_the_hub_and_no_engine_that_they_do_not_need():
    loaded = modules_after("import jupytercloud_hub.auth.renater, jupytercloud_hub.spawners.local")
    assert "jupyterhub.app" not in loaded
    assert not {"kubernetes_asyncio", "docker", "kubespawner", "dockerspawner"} & loaded


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_that_is_listed_is_there_and_has_help_with_an_example(name):
    assert find_spec(f"jupytercloud_hub.cli.{COMMANDS[name][0]}"), f"cli/{COMMANDS[name][0]}.py is listed but missing"
    done = subprocess.run(
        [sys.executable, "-m", "jupytercloud_hub", name, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_a_command_that_there_is_not_is_wrong_use():
    done = subprocess.run(
        [sys.executable, "-m", "jupytercloud_hub", "chek"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "chek" in done.stderr
