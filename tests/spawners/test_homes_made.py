"""Homes that the hub makes on a file system that it sees."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError
from traitlets.config import Config

from jupytercloud_hub.settings.spawner import MadeHome
from jupytercloud_hub.spawners.homes_made import make


def test_home_is_made_with_owner_and_rights_and_one_that_is_there_is_not_touched(tmp_path: Path) -> None:
    uid, gid = (12345, 0) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    home = tmp_path / "anna"
    assert make(home, uid, gid, 0o770)
    found = home.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (uid, gid, 0o770)
    (home / "notes.txt").write_text("mine")
    assert not make(home, 1, 1, 0o700)
    assert home.stat().st_uid == uid
    assert [entry.name for entry in tmp_path.iterdir()] == ["anna"]


def test_nothing_is_made_where_the_file_system_is_not_mounted(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        make(tmp_path / "not-mounted" / "anna", os.geteuid(), os.getegid(), 0o700)
    assert list(tmp_path.iterdir()) == []


def test_path_names_the_person() -> None:
    assert MadeHome(path="/mnt/{hub}/{username}").uid == 1000
    for path in ("/mnt/homes", "/mnt/{nobody}", "mnt/{user}"):
        with pytest.raises(ValidationError):
            MadeHome(path=path)


async def test_spawner_makes_it_before_the_start_and_refuses_where_it_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupytercloud_hub.spawners.refusal import StartRefused
    from jupytercloud_hub.spawners.swarm import ProfileSwarmSpawner
    from tests.bench.swarm import FakeDocker, nothing, wiring

    monkeypatch.setattr(ProfileSwarmSpawner, "_client", FakeDocker(), raising=False)
    monkeypatch.setattr(ProfileSwarmSpawner, "_pool", None)
    person: Any = SimpleNamespace(
        name="zoé", user_info={}, groups=[], admin=False, url="/", id=1, escaped_name="zo-c3-a9"
    )
    hub = SimpleNamespace(public_host="", api_url="http://hub:8081/hub/api", base_url="/hub/", server=None)

    def spawner(path: str) -> Any:
        config = Config()
        config.ProfileMixin.profiles = [{"name": "a", "title": "A", "image": "light", "command": ["x"]}]
        config.ProfileSwarmSpawner.home = {"type": "bind", "source": "/srv/homes/{username}"}
        config.MadeHomesMixin.made_home = {"path": path, "uid": os.geteuid(), "gid": os.getegid()}
        made = ProfileSwarmSpawner(**wiring(person, hub), config=config)
        made.until_it_answers = nothing
        made.resolve_options({"profile": "a"})
        return made

    await spawner(f"{tmp_path}/{{username}}").start()
    assert (tmp_path / "zo-c3-a9").is_dir()
    with pytest.raises(StartRefused):
        await spawner(f"{tmp_path}/away/{{user}}").start()
