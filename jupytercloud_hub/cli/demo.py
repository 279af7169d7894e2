"""``jupytercloud demo``: a whole federation on this machine."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import IO

import click

from ..contracts.text import Text
from ..demo import folder, keeper, node
from ..demo.plan import Plan, free_run, taken_ports
from .common import USAGE, WRONG, fail, say

FIRST_PORT = 8100


@click.command()
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-state"),
    show_default=True,
    help="Folder for everything that the demo writes; kept from one run to the next.",
)
@click.option("--reset", is_flag=True, help="Forget the state first: people, files, histories.")
@click.option(
    "--port",
    type=click.IntRange(1024, 65000),
    default=FIRST_PORT,
    show_default=True,
    help="First of a run of ports of this machine; the portal's own.",
)
@click.option(
    "--ready-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File that receives addresses and people as JSON once everything is up.",
)
@click.option("--json", "as_json", is_flag=True, help="Print addresses and people as JSON; progress goes to stderr.")
@click.option(
    "--node-folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="JUPYTERCLOUD_NODE_FOLDER",
    help="Where the Node packages are kept; by default in the state folder.",
)
def command(
    state: Path, reset: bool, port: int, ready_file: Path | None, as_json: bool, node_folder: Path | None
) -> None:
    """Start a portal, two sites and an identity federation of made-up people, all on this machine.

    It needs Node 20 or newer, neither root nor Docker, and touches nothing outside its state folder. Log in at
    the portal as one of the people of the table. Ctrl-C ends every process.

    \b
    Examples:
      jupytercloud demo
      jupytercloud demo --state /tmp/demo --port 9000 --reset
    """
    state = state.resolve()
    plan = Plan(state, port)
    lock = _claim(plan, reset)
    if ready_file:
        ready_file.unlink(missing_ok=True)
    options = {
        "state": str(state),
        "first_port": port,
        "node_folder": str((node_folder or state / "node").resolve()),
        "ready_file": str(ready_file.resolve()) if ready_file else None,
        "as_json": as_json,
    }
    raise SystemExit(_supervise(options, lock))


def _claim(plan: Plan, reset: bool) -> IO[str]:
    """Look at everything that can be wrong before anything starts; return the lock on the state folder."""
    try:
        node.node_version()
    except node.NodeMissingError as error:
        fail(str(error))
    try:
        folder.claim(plan.state, reset=False)
    except folder.NotOursError as error:
        fail(error.text, USAGE)
    lock = (plan.state / folder.MARK).open("r+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fail(Text("another demo runs in {path}; end it, or give another --state", path=str(plan.state)))
    taken = taken_ports(plan)
    if taken:
        listed = ", ".join(f"{number} ({use})" for number, use in taken.items())
        free = free_run(plan)
        way_out = (
            Text("try --port {port}", port=free) if free else Text("end what listens there, or give another --port")
        )
        fail(Text("taken: {ports}. Nothing was started; {way_out}.", ports=listed, way_out=say(way_out)))
    if reset:
        folder.claim(plan.state, reset=True)
    return lock


def _supervise(options: dict[str, object], lock: IO[str]) -> int:
    """Run the supervisor; whatever ends this command ends it, and whatever ends it, this ends the rest."""
    keeper.adopt_orphans()
    child = subprocess.Popen(
        [sys.executable, "-m", "jupytercloud_hub.demo", json.dumps(options)],
        stdin=subprocess.PIPE,
        start_new_session=True,
        pass_fds=(lock.fileno(),),
    )
    assert child.stdin is not None
    asked_to_end = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal asked_to_end
        if asked_to_end:
            keeper.end_all(0)
        asked_to_end = True
        assert child.stdin is not None
        child.stdin.close()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    code = child.wait()
    keeper.end_all(2)
    if code < 0:
        click.echo(
            say(Text("the demo's supervisor was killed ({signal}); everything was ended", signal=-code)), err=True
        )
        return WRONG
    return code
