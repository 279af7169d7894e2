"""What the engines' scripts bring up they take away, and the machine that they run on stays as it was."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.engines import LIGHT, SCRIPTS

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def machine(interface: str) -> dict[str, Any]:
    """What the engines of these scripts could leave or change here."""
    sysctls = {}
    for tree in ("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "vm/panic_on_oom", "kernel/keys"):
        path = Path("/proc/sys") / tree
        for file in [path] if path.is_file() else path.iterdir():
            sysctls[str(file)] = file.read_text()
    for file in Path("/proc/sys/net/ipv4").rglob("*"):
        if file.name in ("ip_forward", "forwarding", "route_localnet", "rp_filter") and interface not in file.parts:
            sysctls[str(file)] = file.read_text()
    ours = [line for line in run("ip", "-o", "link").splitlines() if interface in line]
    processes = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if interface in (process / "cgroup").read_text() + (process / "cmdline").read_text():
                processes.append(process.name)
        except OSError:
            continue
    return {
        "sysctls": {name: value for name, value in sysctls.items() if "jc" not in name},
        "interfaces": ours,
        "routes": [line for line in run("ip", "route").splitlines() if interface in line],
        "mounts": Path("/proc/self/mountinfo").read_text().count(interface),
        "groups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{interface}*")],
        "processes": processes,
    }


@pytest.mark.parametrize("group", ["swarm", "kubernetes"])
def test_down_leaves_nothing_and_up_changed_no_setting_of_the_machine(group: str, tmp_path: Path) -> None:
    # beside the engines that other tests use: other addresses, other names, one node, the light image only
    interface, name = f"jct{group[:5]}", group.upper()
    state = Path(f"/tmp/{interface}")
    environment = os.environ | {
        "ENGINES_RUN": str(state),
        "ENGINES_NODES": str(tmp_path),
        "ENGINES_LIGHT_ONLY": "1",
        f"{name}_NODES": "1",
        f"{name}_NET": "10.69.0",
        f"{name}_INTERFACE": interface,
        "KUBERNETES_PODS": "10.242",
        "KUBERNETES_SERVICES": "10.98",
    }

    def script(*arguments: str) -> None:
        done = subprocess.run(
            [SCRIPTS / f"{group}.sh", *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    before = machine(interface)
    assert not any(value for key, value in before.items() if key != "sysctls")
    try:
        script("up")
        script("run", "1", "docker", "-H", "unix:///engine/docker.sock", "run", "-d", "--network", "none", LIGHT)
        during = machine(interface)
        assert during["interfaces"]
        assert during["groups"]
        assert during["sysctls"] == before["sysctls"]
    finally:
        script("down")
    assert machine(interface) == before
    assert not state.exists()
    script("down")  # of nothing
