"""Nothing that a test does reaches outside the project's folder and the test's own temporary one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines_kubernetes import kubernetes, namespace  # noqa: F401
from tests.support.engines_swarm import swarm  # noqa: F401
from tests.support.postgresql import Postgresql


@pytest.fixture(autouse=True, scope="session")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give Jupyter, browsers and npm a home of their own."""
    home = tmp_path_factory.mktemp("home")
    before = {name: os.environ.get(name) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    os.environ["HOME"] = str(home)
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        os.environ.pop(name, None)
    yield home
    for name, value in before.items():
        if value is not None:
            os.environ[name] = value


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A real PostgreSQL: the one that DATABASE_URL names, or one started for this run."""
    with Postgresql.running() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql: Postgresql) -> Iterator[str]:
    """A new, empty database."""
    with postgresql.database() as url:
        yield url
