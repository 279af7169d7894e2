"""A profile's volumes on backend local, and the servers of a hub found among the machine's processes."""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jupytercloud_hub.cli.checks import spawner
from jupytercloud_hub.profiles.catalogue import Profile, Volume
from jupytercloud_hub.settings import load
from jupytercloud_hub.spawners.base import slug
from jupytercloud_hub.spawners.local_sweep import VARIABLE, LocalEngine
from jupytercloud_hub.spawners.local_volumes import forget, look, place


def volumes(*given: dict[str, Any]) -> list[Volume]:
    return [Volume.model_validate(volume) for volume in given]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "read-me").write_text("shared")
    return tmp_path / "home"


def test_shared_data_and_scratch_are_links_in_the_home_at_every_start(home: Path, tmp_path: Path) -> None:
    wanted = volumes(
        {"source": str(tmp_path / "data"), "target": "/home/jovyan/course/data"},
        {"kind": "scratch", "target": "/scratch"},
    )
    for _ in range(2):
        assert list(place(home, wanted, tmp_path / "scratch" / "anna")) == []
        assert (home / "course" / "data" / "read-me").read_text() == "shared"
        (home / "scratch" / "big").write_text("x")
        forget(tmp_path / "scratch" / "anna")
        assert list((tmp_path / "scratch").iterdir()) == []
    assert (tmp_path / "data" / "read-me").exists()


def test_what_is_not_there_is_said_and_what_is_hers_stays(home: Path, tmp_path: Path) -> None:
    (home / "data").write_text("my own notes")
    (home / "away").symlink_to(tmp_path)
    wanted = volumes(
        {"source": str(tmp_path / "data"), "target": "/data"},
        {"source": str(tmp_path / "data"), "target": "/home/jovyan/away/data2"},
        {"source": str(tmp_path / "gone"), "target": "/gone"},
        {"source": "corpus", "target": "/corpus"},
    )
    said = [str(text) for text in place(home, wanted, tmp_path / "scratch")]
    assert said == [
        "/data is not there: your files have something else called data.",
        "/home/jovyan/away/data2 is not there: your files have something else called away/data2.",
        f"{tmp_path}/gone is not on this machine.",
        "/corpus is not there: this site has no volume corpus.",
    ]
    assert (home / "data").read_text() == "my own notes"
    assert not (tmp_path / "data2").exists()


def test_check_names_what_this_machine_does_not_have(tmp_path: Path) -> None:
    profile = {"name": "a", "title": "A", "volumes": [{"source": f"{tmp_path}/gone", "target": "/data"}]}
    (found,) = look([Profile.model_validate(profile)])
    assert found.status == "warning"
    assert f"{tmp_path}/gone is not on this machine" in str(found.what)


async def test_servers_of_a_hub_are_found_and_ended_and_no_other_process() -> None:
    def server(mark: str) -> subprocess.Popen[bytes]:
        # a server and its kernel: the kernel has the same environment, and is no server
        script = "import subprocess, sys; subprocess.Popen(['sleep', '60']); print(flush=True); input()"
        return subprocess.Popen(
            [sys.executable, "-c", script],
            env={**os.environ, VARIABLE: mark},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    site = f"sweep-{os.getpid()}"
    mine, other = server(f"{slug(site)}/anna/second/lab"), server(f"{slug(site + 'x')}/anna//lab")
    try:
        for process in (mine, other):
            assert process.stdout
            process.stdout.readline()
        engine = LocalEngine(site)
        (held,) = await engine.held()
        assert (held.name, held.owner, held.profile) == (str(mine.pid), ("anna", "second"), "lab")
        await engine.remove(str(other.pid))
        assert other.poll() is None
        threading.Thread(target=mine.wait, daemon=True).start()  # this test's child: somebody has to note its end
        await engine.remove(str(mine.pid))
        assert mine.wait(20) != 0
        async with asyncio.timeout(20):
            while await engine.held():  # its kernel goes too
                await asyncio.sleep(0.1)
    finally:
        for process in (mine, other):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()
            for stream in (process.stdin, process.stdout):
                assert stream
                stream.close()


async def test_check_says_all_that_this_backend_does_not_give(tmp_path: Path) -> None:
    (tmp_path / "jupytercloud.yaml").write_text(
        'site: {name: labo, url: "http://127.0.0.1:8000/", state: state}\n'
        "spawner: {backend: local}\n"
        "profiles:\n"
        "  - {name: a, title: A, image: lab:1, volumes: [{source: corpus, target: /corpus}]}\n"
        "  - {name: b, title: B, image: lab:1}\n"
    )
    settings = load(tmp_path / "jupytercloud.yaml")
    found = [str(finding.what) for finding in await spawner.look(cast(Any, SimpleNamespace(settings=settings)))]
    assert "on backend local, profile a, b: its image is not used: servers are processes" in found
    assert "on backend local, profile a: /corpus is not there: this site has no volume corpus." in found
