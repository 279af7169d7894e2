"""``profile-swarm``: servers as Docker Swarm services.

SwarmSpawner underneath, with these mended, each at one place: calls in parallel with a bound, one list call for all
polls, mounts of every type (dockerspawner #536), labels, names that are DNS labels, no restart of a server that ended,
task states, the engine's own reason of a failure at once, a stop that waits, machines that were lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from docker.errors import APIError, DockerException, NotFound
from dockerspawner import SwarmSpawner
from requests.exceptions import RequestException
from traitlets import Dict, Enum, Float, Integer, default

from ..contracts.text import Text
from ..profiles.resolve import Resolved
from ..profiles.resources import Capabilities, ProfileResources
from . import swarm_objects as objects
from .base import ProfileMixin
from .homes_made import MadeHomesMixin
from .refusal import StartRefused
from .swarm_board import SERVICE_LABEL, Board
from .swarm_tasks import Phase, TaskView, judge

LOG_LINES = 12
HOME_LABELS = ("app.kubernetes.io/managed-by", "jupytercloud.hub/hub", "jupytercloud.hub/user")
"""Labels of a server that its home has too: it outlives the server."""
ENGINE_DOWN = (RequestException, DockerException)


class ProfileSwarmSpawner(MadeHomesMixin, ProfileMixin, SwarmSpawner):
    """Profiles on Docker Swarm. The hub speaks to a manager (``DOCKER_HOST``, or the local socket)."""

    backend: ClassVar[str] = "swarm"

    threads = Integer(
        16,
        min=1,
        max=64,
        help="""
        Calls to Docker's API that may be under way at a time, for the whole hub.

        SwarmSpawner makes one after the other; with hundreds of starts people wait for that.
        """,
    ).tag(config=True)

    poll_share = Float(
        5.0,
        min=0,
        help="""
        Seconds for which polls share one list of all tasks.

        A server that died is noticed that much later at most; a thousand polls within that time cost one call.
        """,
    ).tag(config=True)

    stop_seconds = Float(
        60.0,
        min=0,
        help="""
        Longest wait for a server's task to be gone, in seconds.

        Until then a stop is not over: its home is not free to be mounted elsewhere.
        """,
    ).tag(config=True)

    reach = Enum(
        ["network", "host-port"],
        default_value="network",
        help="""
        How the hub reaches servers.

        ``network``: by name in the overlay network ``network_name``, which the hub is in too. ``host-port``: each
        server publishes a port on the machine where it runs, for a hub outside of the Swarm.
        """,
    ).tag(config=True)

    home = Dict(
        {"type": "volume", "source": "jupytercloud-{hub}-{user}", "target": "/home/jovyan"},
        help="""
        What is mounted as a person's home: ``type`` (volume, bind), ``source``, ``target``, ``driver``, ``options``.

        In ``source`` and ``options``, ``{hub}`` and ``{user}`` are slugs, ``{username}`` is the name as SwarmSpawner
        writes it: volumes of a stock hub (``jupyterhub-user-{username}``) go on. A volume with the driver ``local``
        and no NFS behind it does not follow the server to another machine. An empty mapping mounts nothing.
        """,
    ).tag(config=True)

    node_classes = Dict(
        help="""
        Placement constraints of each ``node_class`` that profiles name.

        Example: ``{"big-memory": ["node.labels.memory==big"]}``.
        """,
    ).tag(config=True)

    gpu_resources = Dict(
        help="""
        For GPU types: the nodes' generic resource (``resource``, else GPU) and placement constraints (``constraints``).

        Example: ``{"a100": {"resource": "GPU", "constraints": ["node.labels.gpu==a100"]}}``.
        """,
    ).tag(config=True)

    _pool: ClassVar[ThreadPoolExecutor | None] = None
    _boards: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Board]]] = WeakKeyDictionary()
    _made = False

    @default("cmd")
    def _default_cmd(self) -> list[str]:
        # none at all would make SwarmSpawner inspect the image, on a manager that may not have it
        return ["jupyterhub-singleuser"]

    @default("network_name")
    def _default_network_name(self) -> str:
        return ""

    @default("client_kwargs")
    def _default_client_kwargs(self) -> dict[str, Any]:
        return {"max_pool_size": self.threads, "timeout": 30}

    def capabilities(self) -> Capabilities:
        """Swarm holds servers to their limits and places them on labelled machines."""
        return Capabilities(
            backend=self.backend,
            limits="enforced",
            gpus=dict(self.gpus),
            node_classes=frozenset(self.node_classes),
            images=True,
            site=self.site or None,
        )

    # -- names ------------------------------------------------------------------------------------------------------

    @default("object_name")
    def _object_name_default(self) -> str:
        """Return the service's name: hub, user and server, at most 60 characters of a DNS label."""
        return objects.service_name(self.site, self.user.name, self.name)

    def labels(self) -> dict[str, str]:
        """Return the labels of the service and of its containers."""
        return {**super().labels(), SERVICE_LABEL: self.object_name}

    # -- from the profile to this start -----------------------------------------------------------------------------

    def apply(self, resolved: Resolved) -> None:
        """Set image and the profile's own Swarm settings."""
        super().apply(resolved)
        if resolved.image:
            self.replace("image", resolved.image)
        for trait, value in resolved.profile.swarm.items():
            if not self.has_trait(trait):
                raise StartRefused(
                    self.words(Text("This profile has a setting that this site does not know: {name}.", name=trait)),
                    reason="profile",
                    status_code=500,
                )
            current = self.base(trait)
            both = {**current, **value} if isinstance(current, dict) and isinstance(value, dict) else value
            self.replace(trait, both)

    @property
    def _wanted(self) -> ProfileResources:
        return self._resolved.resources if self._resolved else ProfileResources()

    def home_names(self) -> dict[str, str]:
        """Return what stands for ``{places}`` in a home's name; ``{username}`` as SwarmSpawner writes it."""
        return {**super().home_names(), "username": self.escaped_name}

    @property
    def mounts(self) -> list[Any]:
        """Home, the profile's volumes and /dev/shm, as the API takes them."""
        whose = {key: self.labels()[key] for key in HOME_LABELS}
        mounts = [objects.home_mount(self.home, self.home_names(), whose)] if self.home else []
        if self.profile:
            mounts += [objects.mount_of(volume) for volume in self.profile.volumes]
        if self._wanted.shm:
            mounts.append(objects.shm_mount(self._wanted.shm))
        return [*mounts, *objects.binds(self.volume_binds, self.volume_driver, self.volume_driver_options)]

    def _constraints(self) -> list[str]:
        constraints: list[str] = []
        if self.profile and self.profile.node_class:
            constraints += self.node_classes.get(self.profile.node_class, [])
        if self._wanted.gpu_type:
            constraints += self.gpu_resources.get(self._wanted.gpu_type, {}).get("constraints", [])
        return constraints

    async def create_object(self) -> Any:
        """Make the service. One that an earlier start left behind is removed first."""
        gpu = self.gpu_resources.get(self._wanted.gpu_type or "", {})
        wanted = objects.service(
            name=self.object_name,
            image=self.image,
            args=await self.get_command(),
            env=self.get_env(),
            labels=self.labels(),
            mounts=self.mounts,
            resources=objects.resources_of(self._wanted, gpu.get("resource", objects.GPU_RESOURCE)),
            constraints=self._constraints(),
            network=self.network_name,
            port=self.port if self.reach == "host-port" else None,
            extra={
                "container": self.extra_container_spec,
                "resources": self.extra_resources_spec,
                "placement": self.extra_placement_spec,
                "task": self.extra_task_spec,
                "endpoint": self.extra_endpoint_spec,
                "create": self.extra_create_kwargs,
            },
        )
        self._made = True  # also where no answer comes: whatever was made is removed at the end
        try:
            return await self.docker("create_service", **wanted)
        except APIError as error:
            raise self._failed_start(
                Text("The Swarm did not take this server."), details=str(error.explanation or error)
            ) from None

    # -- waiting ----------------------------------------------------------------------------------------------------

    async def start_object(self) -> None:
        """Wait until the task runs, and tell what it waits for. A task that ended tells why, at once."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + max(1, self.start_timeout - 2)
        pause, told, view = 0.2, "", None
        while True:
            view = await self._view(max_age=pause) or view
            if view is not None:
                if view.phase is Phase.RUNNING:
                    return
                if view.phase is Phase.ENDED:
                    raise self._failed_start(view.text, details=await self._last_words(view))
                if told != f"{view.text}{view.engine}":
                    told = f"{view.text}{view.engine}"
                    self.say(view.text, 30 if view.phase is Phase.WAITING else 60)
            if loop.time() > deadline:
                text = view.text if view else Text("The Swarm made no task of it.")
                raise self._failed_start(text, details=view.engine if view else "", reason="timeout")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    async def until_it_answers(self, where: Any) -> None:
        """Wait until the server listens, as long as its task runs."""
        address, port = where
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.http_timeout
        while loop.time() < deadline:
            try:
                async with asyncio.timeout(2):
                    _, writer = await asyncio.open_connection(address, port)
            except (OSError, TimeoutError):
                view = await self._view(max_age=1)
                if view is not None and view.phase is Phase.ENDED:
                    raise self._failed_start(view.text, details=await self._last_words(view)) from None
                await asyncio.sleep(0.3)
            else:
                writer.close()
                return

    def _failed_start(self, text: Text, *, details: str = "", reason: str = "engine") -> StartRefused:
        return StartRefused(
            self.words(text), reason=reason, status_code=500, log_message=f"{text}\n{details}", details=details
        )

    async def _last_words(self, view: TaskView) -> str:
        """Return the engine's own words and the server's last lines."""
        try:
            logs = await self.docker("service_logs", self.object_name, stdout=True, stderr=True, tail=LOG_LINES)
            text = (logs if isinstance(logs, bytes) else b"".join(logs)).decode("utf-8", errors="replace")
        except ENGINE_DOWN:
            text = ""
        return "\n".join([*([view.engine] if view.engine else []), *text.strip().splitlines()[-LOG_LINES:]])

    # -- how it is --------------------------------------------------------------------------------------------------

    @property
    def board(self) -> Board:
        """The list of tasks that all spawners of this hub share."""
        boards = self._boards.setdefault(asyncio.get_running_loop(), {})
        if self.site not in boards:
            label = f"jupytercloud.hub/hub={self.labels()['jupytercloud.hub/hub']}"
            boards[self.site] = Board(lambda: self.docker("tasks", filters={"label": label}))
        return boards[self.site]

    async def _task(self, max_age: float) -> Mapping[str, Any] | None:
        """Return this server's task: one of the same name may be left of the service that was there a moment ago."""
        task = (await self.board.tasks(max_age)).get(self.object_name)
        return None if task and self.object_id and task.get("ServiceID") != self.object_id else task

    async def _view(self, max_age: float) -> TaskView | None:
        task = await self._task(max_age)
        return judge(task) if task else None

    async def get_task(self) -> Mapping[str, Any] | None:
        """Return this server's task, None where there is none."""
        return await self._task(self.poll_share)

    async def poll(self) -> str | int | None:
        """Return None while the server is there, else why it is not.

        An engine that does not answer says nothing about a server: it stays counted as running.
        """
        if not self.object_id and not self._made:
            return 0
        try:
            view = await self._view(self.poll_share) or await self._view(0)
        except ENGINE_DOWN as error:
            self.log.warning("Docker does not answer (%s): %s is taken for running", error, self._log_name)
            return None
        if view is None:
            return 0
        if view.alive:
            return None
        return f"{view.text} {view.engine}".strip() if view.code is None else view.code

    async def get_ip_and_port(self) -> tuple[str, int]:
        """Return where the hub reaches the server."""
        if self.reach == "network":
            return self.object_name, self.port
        for _ in range(50):
            task = await self._task(0.2) or {}
            ports = ((task.get("Status") or {}).get("PortStatus") or {}).get("Ports") or []
            for port in ports:
                if port.get("TargetPort") == self.port and port.get("PublishedPort"):
                    node = await self.docker("inspect_node", task["NodeID"])
                    return node["Status"]["Addr"], port["PublishedPort"]
            await asyncio.sleep(0.2)
        raise self._failed_start(Text("The server's port was not published."))

    # -- the end ----------------------------------------------------------------------------------------------------

    async def remove_object(self) -> None:
        """Remove the service and wait until its task is gone: only then is its home free."""
        with suppress(NotFound):
            await self.docker("remove_service", self.object_name)
        deadline = asyncio.get_running_loop().time() + self.stop_seconds
        while True:
            view = await self._view(0)
            if view is None or (view.phase is Phase.ENDED and view.code is not None):
                break
            if asyncio.get_running_loop().time() > deadline:
                self.log.warning("The task of %s is not gone after %g s", self._log_name, self.stop_seconds)
                break
            await asyncio.sleep(0.5)
        self._made = False
        self.object_id = ""

    async def run_post_stop_hook(self) -> None:
        """Remove a service whose task ended by itself: JupyterHub calls ``stop`` only for servers that run."""
        if self.object_id or self._made:
            try:
                await self.remove_object()
            except ENGINE_DOWN as error:
                self.log.warning("%s stays behind until the next sweep: %s", self.object_name, error)
        await super().run_post_stop_hook()

    # -- Docker's API -----------------------------------------------------------------------------------------------

    @property
    def executor(self) -> ThreadPoolExecutor:
        """The threads in which calls to Docker wait, for all spawners of the hub."""
        cls = ProfileSwarmSpawner
        if cls._pool is None:
            cls._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="docker")
        return cls._pool
