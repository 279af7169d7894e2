from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from tests.support.hub import TestHub, start_hub, stop_hub

from .sites import local_site  # noqa: F401
from .sites_engines import kubernetes_site, swarm_site  # noqa: F401

PEOPLE: dict[str, dict[str, Any]] = {
    "amelie": {
        "language": "fr",
        "home_organization": "univ-grenoble-alpes.fr",
        "affiliations": ["member@univ-grenoble-alpes.fr", "student@univ-grenoble-alpes.fr"],
        "groups": ["physique"],
    },
    "bob": {"language": "en", "home_organization": "universite-paris-saclay.fr", "affiliations": ["staff"]},
    "zoe.l-été@univ.fr": {"language": "fr", "home_organization": "univ.fr"},
    "root": {"language": "en", "admin": True},
}

PROFILES: list[dict[str, Any]] = [
    {
        "name": "lab",
        "title": "JupyterLab",
        "description": {"fr": "Un carnet vide.", "en": "An empty notebook."},
        "resources": {"cpu": 2, "memory": "4 GiB"},
        "default": True,
    },
    {
        "name": "physics",
        "title": {"fr": "Physique", "en": "Physics"},
        "access": {"groups": ["physique"]},
        "options": [
            {"name": "size", "title": {"fr": "Taille", "en": "Size"}, "choices": ["small", "big"], "variable": "SIZE"},
            {
                "name": "tag",
                "title": {"fr": "Étiquette", "en": "Tag"},
                "text": {"pattern": "[a-z]{1,8}", "hint": {"fr": "Des minuscules.", "en": "Small letters."}},
                "default": "plain",
                "variable": "TAG",
            },
        ],
    },
    {"name": "gpu", "title": "GPU", "resources": {"cpu": 4, "memory": "16 GiB", "gpu": 1, "gpu_type": "a100"}},
]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A hub whose servers are a small static server: they start in a moment."""
    config = Config()
    config.JupyterHub.spawner_class = "profile-local"
    config.ProfileMixin.profiles = PROFILES
    config.ProfileMixin.site = "grenoble"
    config.ProfileLocalSpawner.homes = str(tmp_path / "homes")
    config.ProfileLocalSpawner.logs = str(tmp_path / "logs")
    config.ProfileLocalSpawner.cmd = ["python3", "-m", "tests.spawners.tiny_server"]
    config.ProfileLocalSpawner.environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    config.Spawner.http_timeout = 60
    return config


@pytest.fixture
async def hub(config: Config, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Start a hub with the test's config; ended afterwards, its servers too."""
    started: list[TestHub] = []

    async def start(people: dict[str, dict[str, Any]] = PEOPLE, **options: Any) -> TestHub:
        app = await start_hub(config, people, tmp_path, **options)
        started.append(app)
        return app

    yield start
    for app in started:
        if TestHub.initialized() and TestHub.instance() is app:
            await stop_hub(app)
