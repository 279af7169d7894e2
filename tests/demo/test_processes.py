"""What `jupytercloud demo` promises of its processes, ports and folders."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from jupytercloud_hub.demo.plan import Plan, is_free
from tests.support.demo import Demo, alive, free_port, running, start
from tests.support.person import log_in, start_server

pytestmark = pytest.mark.timeout(400)


def wait_gone(state: Path, seconds: float) -> list[str]:
    """The processes that are left when none is, or when the time is over."""
    deadline = time.monotonic() + seconds
    while (left := alive(state)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def with_a_server(demo: Demo) -> None:
    """Somebody works: the server and its home are there."""
    site = demo.site("grenoble")
    client, page = log_in(demo.person("ines"), site)
    assert page.url.path.startswith("/grenoble/"), page.text
    start_server(client, site, "pycoa")
    deadline = time.monotonic() + 60
    while not any("jupyterhub-singleuser" in line or "jupyterhub.singleuser" in line for line in demo.processes()):
        assert time.monotonic() < deadline, demo.processes()
        time.sleep(0.2)


def ports_of(demo: Demo) -> list[int]:
    first = int(demo.portal.split(":")[2].split("/")[0])
    return list(Plan(demo.state, first).ports)


def test_ctrl_c_ends_every_process_and_a_second_start_finds_everything_as_it_was(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, port=port) as demo:
        first = demo.ready
        with_a_server(demo)
        assert len(demo.processes()) > 10
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(30) == 0
        assert alive(demo.state) == []
        assert all(is_free(number) for number in ports_of(demo))
        assert not (tmp_path / "ready.json").exists()
    homes = list((tmp_path / "state/grenoble").glob("**/premiers-pas.ipynb"))
    assert len(homes) == 1
    homes[0].write_text("mine")
    keys = (tmp_path / "state/provider-keys.json").read_text()
    with running(tmp_path, port=port) as demo:
        assert demo.ready == first
        assert (tmp_path / "state/provider-keys.json").read_text() == keys
        with_a_server(demo)
        assert homes[0].read_text() == "mine", "what is there is never overwritten"
    assert alive(demo.state) == []


@pytest.mark.parametrize("victim", ["command", "supervisor"])
def test_after_kill_9_nothing_is_left_within_ten_seconds(tmp_path: Path, victim: str) -> None:
    with running(tmp_path) as demo:
        with_a_server(demo)
        killed = demo.process.pid
        if victim == "supervisor":
            (killed,) = (int(line.split()[0]) for line in demo.processes() if "-m jupytercloud_hub.demo " in line)
        os.kill(killed, signal.SIGKILL)
        assert wait_gone(demo.state, 10) == []
        assert all(is_free(number) for number in ports_of(demo))
        demo.process.wait(5)


def test_the_ready_file_names_addresses_people_and_profiles(tmp_path: Path) -> None:
    with running(tmp_path, "--json") as demo:
        ready = demo.ready
        printed = demo.output.read_text()
    assert set(ready) == {"portal_url", "provider_url", "sites", "people", "profiles"}
    assert ready["portal_url"].endswith("/portal/")
    assert {name: site["url"].rsplit("/", 2)[1] for name, site in ready["sites"].items()} == {
        "paris-saclay": "paris-saclay",
        "grenoble": "grenoble",
    }
    assert all(set(site) == {"url", "home_organizations"} for site in ready["sites"].values())
    person_keys = {"login", "password", "name", "home_organization", "expected_site"}
    assert len(ready["people"]) == 12
    for person in ready["people"]:
        assert set(person) == person_keys
        expected = person["expected_site"]
        assert expected is None or person["home_organization"] in ready["sites"][expected]["home_organizations"]
    assert {"karim", "lea"} == {p["login"] for p in ready["people"] if p["expected_site"] is None}
    assert ready["profiles"] == ["pycoa", "jupyterlab", "calcul", "gpu"]
    assert json.dumps(ready["portal_url"]) in printed


def run_to_the_end(state: Path, *options: str, port: int | None = None) -> tuple[int, str]:
    process = start(state, *options, port=port)
    return process.wait(60), state.with_suffix(".out").read_text()


def test_taken_ports_are_all_named_before_anything_starts(tmp_path: Path) -> None:
    port = free_port()
    plan = Plan(tmp_path, port)
    with socket.socket() as one, socket.socket() as two:
        for number, taken in ((port + 1, one), (plan.provider_port, two)):
            taken.bind(("127.0.0.1", number))
            taken.listen()
        code, printed = run_to_the_end(tmp_path / "state", port=port)
    assert code == 1
    assert f"{port + 1} (paris-saclay)" in printed
    assert f"{plan.provider_port} (provider)" in printed
    assert "--port" in printed, "a way out is named"
    assert not (tmp_path / "state/logs").exists(), "nothing was started"


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    code, printed = run_to_the_end(tmp_path, "--reset")
    assert code == 2
    assert str(tmp_path) in printed
    assert [entry.name for entry in tmp_path.iterdir()] == ["precious.txt"]


def test_reset_forgets_everything_but_the_node_packages(tmp_path: Path) -> None:
    from jupytercloud_hub.demo import folder

    state = tmp_path / "state"
    folder.claim(state, reset=False)
    for name in ("node/x", "grenoble/state", "logs"):
        (state / name).mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (state / "link").symlink_to(outside)
    folder.claim(state, reset=True)
    assert sorted(entry.name for entry in state.iterdir()) == [folder.MARK, "node"]
    assert outside.is_dir()


def test_two_demos_do_not_share_a_folder(tmp_path: Path) -> None:
    import fcntl

    from jupytercloud_hub.demo import folder

    state = tmp_path / "state"
    folder.claim(state, reset=False)
    with (state / folder.MARK).open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, printed = run_to_the_end(state)
    assert code == 1
    assert str(state) in printed


def test_without_node_the_demo_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, printed = run_to_the_end(tmp_path / "state")
    assert code == 1
    assert "nodejs" in printed


def test_the_help_shows_examples() -> None:
    import sys

    said: Any = subprocess.run(
        [sys.executable, "-m", "jupytercloud_hub", "demo", "--help"], capture_output=True, text=True, check=True
    )
    for option in ("--state", "--reset", "--port", "--ready-file", "--json"):
        assert option in said.stdout
    assert "jupytercloud demo --state" in said.stdout
