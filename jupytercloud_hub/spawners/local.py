"""``profile-local``: servers as processes on the hub's own machine, for a laptop, a demonstration and tests.

Nothing keeps these servers apart from each other or holds them to their limits; the form says so.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from subprocess import STDOUT
from typing import Any, ClassVar

from jupyterhub.spawner import SimpleLocalProcessSpawner
from traitlets import Bool, Unicode, default

from ..contracts.text import Text
from .base import ProfileMixin, slug
from .homes import give_files, make_home
from .local_sweep import VARIABLE
from .local_volumes import forget, place
from .processes import born, end_with_parent, is_zombie, last_lines
from .refusal import StartRefused

ANSWER_SECONDS = 0.1
ROOT_ARGUMENT = "--allow-root"
SINGLEUSER = "jupyterhub-singleuser"


class ProfileLocalSpawner(ProfileMixin, SimpleLocalProcessSpawner):
    """Profiles on local processes: limits not enforced, no images, one folder for each person."""

    backend: ClassVar[str] = "local"

    homes = Unicode(
        "homes",
        help="""
        Folder in which each person's home is a folder of its own.

        Relative to the hub's working directory. Homes are made when they are first needed, readable by nobody
        else but the account that the hub runs as, and never deleted.
        """,
    ).tag(config=True)

    files_root = Unicode(
        ".",
        help="""
        Folder to which the ``source`` of a profile's ``files`` is relative.

        ``configure`` sets it to the folder of ``jupytercloud.yaml``.
        """,
    ).tag(config=True)

    logs = Unicode(
        "logs",
        help="""
        Folder for what servers print, one file for each server, begun anew at each start.

        When a start fails, the person is shown its last lines.
        """,
    ).tag(config=True)

    scratch = Unicode(
        "scratch",
        help="""
        Folder for the scratch volumes of profiles, one folder for each server, removed when it stops.

        Relative to the hub's working directory.
        """,
    ).tag(config=True)

    end_with_hub = Bool(
        False,
        help="""
        Whether servers end when the hub's process does, however it ends (Linux only).

        Without it servers go on, and the hub takes them over when it is back.
        """,
    ).tag(config=True)

    _born: str | None = None
    pid: Any  # a trait of LocalProcessSpawner

    @default("home_dir")
    def _default_home_dir(self) -> str:
        return str((Path(self.homes) / slug(self.user.name)).resolve())

    @property
    def log_file(self) -> Path:
        """Where the server's output goes."""
        return Path(self.logs).resolve() / f"{self.slug}.log"

    @property
    def scratch_folder(self) -> Path:
        """Room that goes with this server."""
        return Path(self.scratch).resolve() / self.slug

    def get_env(self) -> dict[str, str]:
        """Return the server's environment, with what tells ``jupytercloud servers`` whose process it is."""
        label = self.labels()
        parts = [label.get(f"jupytercloud.hub/{part}", "") for part in ("hub", "user", "server", "profile")]
        return {**super().get_env(), VARIABLE: "/".join(parts)}

    def make_preexec_fn(self, name: str) -> Any:
        """Return what the child does before it becomes the server."""
        home, with_hub = self.home_dir, self.end_with_hub
        parent = os.getpid()

        def before() -> None:
            os.chdir(home)
            if with_hub:
                end_with_parent(parent)

        return before

    def get_args(self) -> list[str]:
        """Return the server's arguments; one that runs as root has to be told that this is meant."""
        args = list(super().get_args())
        if os.geteuid() == 0 and Path(self.cmd[0]).name == SINGLEUSER and ROOT_ARGUMENT not in args:
            args.append(ROOT_ARGUMENT)
        return args

    async def start(self) -> Any:
        """Make the home ready, start the process, and wait until it listens or ends."""
        self.say(Text("Your files are being made ready."), 20)
        for missing in await asyncio.to_thread(self._prepare):
            self.log.warning("%s: %s", self._log_name, missing)
            self.say(missing, 30)
        if list(self.cmd) == [SINGLEUSER]:
            beside = Path(sys.executable).with_name(SINGLEUSER)  # the hub's PATH may lack its own environment
            if beside.exists():
                self.replace("cmd", [str(beside)])
        self.say(Text("The server is starting on this machine."), 40)
        descriptor = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self.replace("popen_kwargs", {**self.base("popen_kwargs"), "stdout": descriptor, "stderr": STDOUT})
        try:
            where = await super().start()
        except OSError as error:
            raise self._failed_start(
                Text("The command {command} cannot be run.", command=self.cmd[0]), details=str(error)
            ) from None
        finally:
            os.close(descriptor)
        return where

    def _prepare(self) -> list[Text]:
        """Make home, log, files and volumes ready; return what of them is not there, in words."""
        home = Path(self.home_dir)
        make_home(home)
        self.log_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.profile:
            return []
        give_files(home, self.profile.files, Path(self.files_root))
        return list(place(home, self.profile.volumes, self.scratch_folder))

    async def until_it_answers(self, where: Any) -> None:
        """Return once the server takes connections; `StartRefused` with its last words when it ends first.

        JupyterHub itself would wait for a process that is dead until ``http_timeout``.
        """
        address, port = where
        deadline = asyncio.get_running_loop().time() + max(1, self.start_timeout - 1)
        while True:
            code = self.proc.poll() if self.proc else 0
            if code is not None:
                raise self._failed_start(Text("The server ended while it was starting (code {code}).", code=code))
            try:
                _, writer = await asyncio.open_connection(address, port)
            except OSError:
                if asyncio.get_running_loop().time() > deadline:
                    raise self._failed_start(
                        Text("The server did not answer within {seconds} s.", seconds=self.start_timeout),
                        reason="timeout",
                    ) from None
                await asyncio.sleep(ANSWER_SECONDS)
            else:
                writer.close()
                return

    async def run_post_stop_hook(self) -> None:
        """Remove the scratch room of a server that ended, also of one that never started."""
        await asyncio.to_thread(forget, self.scratch_folder)
        await super().run_post_stop_hook()

    def _failed_start(self, text: Text, *, reason: str = "server", details: str = "") -> StartRefused:
        lines = details or last_lines(self.log_file)
        return StartRefused(
            self.words(text),
            reason=reason,
            status_code=500,
            log_message=f"{text}\n{lines}",
            details=lines,
        )

    def get_state(self) -> dict[str, Any]:
        """Return the process, and when it was born: after a restart its number may be another's."""
        state: dict[str, Any] = super().get_state()
        if self.pid:
            state["pid_born"] = self._born = self._born or born(self.pid)
        return state

    async def _signal(self, sig: int) -> bool:
        """Send a signal; False where the process has ended.

        One that an earlier hub started may have a parent that never takes note of its end, as a container's first
        process: the kernel still knows its number, and JupyterHub would wait for it.
        """
        if self.proc is None and is_zombie(self.pid):
            return False
        return bool(await super()._signal(sig))

    def load_state(self, state: dict[str, Any]) -> None:
        """Take a process over, unless its number belongs to another one by now."""
        super().load_state(state)
        self._born = state.get("pid_born")
        if self.pid and self._born and born(self.pid) != self._born:
            self.log.warning("Process %s of %s is another one by now", self.pid, self._log_name)
            self.pid = 0

    def clear_state(self) -> None:
        """Forget the process."""
        super().clear_state()
        self._born = None
