"""An event on a real engine, step by step, as both engines' tests walk through it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.events.purge import OUTPUT
from tests.support import ROOT
from tests.support.engines import NOTEBOOK
from tests.support.event_hub import EventHub, event, until

SEATS, WARM = 3, 2
KILLED = """
import os, signal, sys
from jupytercloud_hub.events.engine import SeatEngine
async def remove_homes(self, account):
    os.kill(os.getpid(), signal.SIGKILL)
SeatEngine.remove_homes = remove_homes
from jupytercloud_hub.cli.main import main
main(["event", "purge", "--yes", "--config", sys.argv[1]])
"""
"""A purge that dies between "server removed" and "volume removed" of the first seat."""


@dataclass
class Engine:
    """What a test asks of an engine about one event, without any code of the event's own."""

    homes: Callable[[], Collection[str]]
    """Volumes or claims."""
    servers: Callable[[], Collection[str]]
    """Services or pods."""
    inside: Callable[[str, str], str]
    """Runs a command in the server of an account."""


def made(
    folder: Path,
    site: str,
    gateway: str,
    environ: dict[str, str],
    port: int,
    engines: Sequence[str] = (),
    after: str = "",
) -> EventHub:
    """Create the event and start its hub, which servers reach at ``gateway``."""
    (folder / "site.yaml").write_text(site)
    after += f'c.JupyterHub.hub_bind_url = c.JupyterHub.hub_connect_url = "http://{gateway}:{port}"\n'
    words = ("--seats", str(SEATS), "--warm", str(WARM), "--profile", "carnet", "--site", str(folder / "site.yaml"))
    hub = EventHub.create(folder / "salon", *words, notice="1 s", after=after)
    hub.settings.write_text(
        hub.settings.read_text().replace("event:\n", f"event:\n  engines: {json.dumps(engines)}\n", 1)
    )
    hub.start(**environ)
    hub.wait()
    return hub


def profile() -> str:
    return f"""
profiles:
  - name: carnet
    title: Carnet
    default: true
    image: {NOTEBOOK}
    command: [jupyterhub-singleuser]
    resources: {{cpu: {{guarantee: 0.05, limit: 1}}, memory: {{guarantee: 64 MiB, limit: 256 MiB}}}}
"""


def warm_and_enter(hub: EventHub, engine: Engine) -> None:
    assert f"{WARM} sur {WARM} prêtes" in event("warm", "--seats", str(WARM), "--wait", "240", *config(hub))
    with hub.browser() as visitor:
        page = hub.come_in(visitor, hub.codes()[0])
        assert page.status_code == 200, page.text
        assert "/salon/user/seat-0001/" in str(page.url), "a warm seat: no page that waits"
    assert "seat-0001" in "".join(engine.servers())
    # Seats without a visitor are topped up, and the culler, which looks each second, spares them.
    until(lambda: hub.status()["ready"] == WARM, hub.words)
    assert hub.status()["held"] == 1


def reset(hub: EventHub, engine: Engine) -> None:
    engine.inside("seat-0001", "echo mine > /home/jovyan/secret.txt")
    before = set(engine.homes())
    order(hub, "reset", seat="seat-0001")
    until(lambda: hub.status()["held"] == 0, hub.words)
    until(lambda: hub.status()["ready"] == WARM, hub.words)
    with hub.browser() as visitor:
        hub.come_in(visitor, hub.codes()[1])
    (held,) = until(lambda: seats_held(hub), hub.words)
    assert "secret.txt" not in engine.inside(held, "ls -a /home/jovyan")
    assert before, "homes are the engine's"
    # All seats are wanted by now: the one that was reset stands ready again, with nothing of its visitor.
    until(lambda: hub.status()["ready"] == WARM, hub.words)
    assert "secret.txt" not in engine.inside("seat-0001", "ls -a /home/jovyan")


def close(hub: EventHub, engine: Engine) -> None:
    (held,) = seats_held(hub)
    engine.inside(held, "mkdir -p /home/jovyan/a && echo hers > '/home/jovyan/a/mon carnet.txt'")
    event("close", *config(hub))
    until(lambda: hub.status()["door"] == "over", "it does not end")
    packed = hub.folder / "state" / "work" / f"{held}.zip"
    until(packed.exists, hub.words)
    with zipfile.ZipFile(packed) as archive:
        assert archive.read("a/mon carnet.txt") == b"hers\n"
    until(lambda: not engine.servers(), hub.words)
    with hub.browser() as visitor:
        page = hub.come_in(visitor, hub.codes()[1])
        assert "event/work" in page.text, page.text
        assert visitor.get("hub/event/work").content == packed.read_bytes()


def purge(hub: EventHub, engine: Engine, environ: dict[str, str]) -> None:
    homes = set(engine.homes())
    assert len(homes) >= 2
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(hub.settings)], cwd=ROOT, env=environ, check=False, timeout=400
    )
    assert killed.returncode == -signal.SIGKILL
    assert set(engine.homes()) == homes, "it died before the first was removed"
    said = json.loads(event("purge", "--yes", "--json", *config(hub)))
    assert said["found_afterwards"] == {}
    assert said["not_covered"] == [OUTPUT]
    assert said["removed"]["volumes"] == len(homes), "those of the interrupted run are counted once"
    assert said["removed"]["codes"] == SEATS + 4
    assert not engine.homes()
    assert not engine.servers()
    again = CliRunner().invoke(main, ["event", "purge", "--yes", "--json", *config(hub)])
    assert json.loads(again.output)["removed"] == said["removed"]
    for path in hub.folder.rglob("*"):
        if path.is_file() and path.suffix in (".sqlite", ".log", ".zip", ".csv", ".hashed") and path != hub.log:
            assert b"secret.txt" not in path.read_bytes(), path


def seats_held(hub: EventHub) -> list[str]:
    """Return the accounts of the seats that have a visitor."""
    with hub.browser() as organizer:
        hub.come_in(organizer, hub.codes("organizer")[0])
        return sorted(set(re.findall(r"<small>(seat-\d+)</small>", organizer.get("services/events/orders").text)))


def order(hub: EventHub, action: str, **fields: str) -> None:
    """Press a button of the organizers' board."""
    with hub.browser() as organizer:
        hub.come_in(organizer, hub.codes("organizer")[0])
        page = organizer.get("services/events/orders").text
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page)
        assert xsrf
        answer = organizer.post(f"services/events/{action}", data={"_xsrf": xsrf[1], **fields})
        assert answer.status_code == 200, answer.text


def config(hub: EventHub) -> Any:
    return "--config", str(hub.settings)
