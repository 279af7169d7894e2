"""What a Swarm task says of a server: waiting, starting, running or ended, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..contracts.text import Text


class Phase(Enum):
    """Where a server is on its way."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True)
class TaskView:
    """A task as it is told to the hub and to people."""

    phase: Phase
    text: Text
    engine: str = ""
    """The engine's own words (``Status.Err``, else ``Status.Message``)."""
    code: int | None = None
    """Exit code of the container, once there is one."""

    @property
    def alive(self) -> bool:
        """Whether the hub is to count the server as there."""
        return self.phase is not Phase.ENDED


# The states of moby/swarmkit, api/types.proto, in their order. SwarmSpawner takes new, allocated, assigned, accepted
# and ready for dead, and waits for ever on rejected.
_WAITING = frozenset({"new", "allocated", "pending"})
_STARTING = {
    "assigned": Text("A machine was found."),
    "accepted": Text("A machine was found."),
    "preparing": Text("The image is being fetched."),
    "ready": Text("The server is starting."),
    "starting": Text("The server is starting."),
}
_WANTED = frozenset({"", "ready", "running"})


def judge(task: Mapping[str, Any]) -> TaskView:
    """Return what a task of Docker's API (``GET /tasks``) says.

    A task that the manager wants shut down has ended, whatever its machine last said: so it is when the machine was
    lost, and nobody is there any more to report.
    """
    status = task.get("Status") or {}
    state = str(status.get("State") or "").lower()
    error = str(status.get("Err") or "")
    code = (status.get("ContainerStatus") or {}).get("ExitCode")
    wanted = str(task.get("DesiredState") or "").lower() in _WANTED
    if not wanted and (state in _WAITING or state in _STARTING or state == "running"):
        return TaskView(Phase.ENDED, Text("The machine of this server was lost."), error)
    if state in _WAITING:
        text = (
            Text("No machine has room for it at the moment; it waits for one.")
            if "no suitable node" in error
            else Text("A machine is being looked for.")
        )
        return TaskView(Phase.WAITING, text, error)
    if state in _STARTING:
        return TaskView(Phase.STARTING, _STARTING[state], error)
    if state == "running":
        return TaskView(Phase.RUNNING, Text("The server is running."), error)
    if state == "rejected":
        return TaskView(Phase.ENDED, Text("The machine could not start it."), error, code)
    if state == "complete" or (state == "failed" and code == 0):
        return TaskView(Phase.ENDED, Text("The server has ended."), error, code or 0)
    if code is not None:
        return TaskView(Phase.ENDED, Text("The server ended with code {code}.", code=code), error, code)
    return TaskView(Phase.ENDED, Text("The server has ended."), error or state, code)


def newest(tasks: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the task that counts where a service has several: the one made last."""
    return max(tasks, key=lambda task: str(task.get("CreatedAt") or ""), default=None)
