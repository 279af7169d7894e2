"""A real hub as an operator starts it: ``jupyterhub`` on a configuration file, ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from . import ROOT
from .ports import free_ports
from .proxy import proxy_command

ADDRESSES = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}{path}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub_port}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.command = {proxy!r}
"""
"""Loopback only, on ports that are free."""

CONFIGURE = """
from jupytercloud_hub import configure
configure(c, "jupytercloud.yaml")
"""


class HubProcess:
    """A folder with ``jupytercloud.yaml`` and ``jupyterhub_config.py``, and the hub that runs on it."""

    def __init__(self, folder: Path, settings: str, *, before: str = "", after: str = "", path: str = "/labo/") -> None:
        """``{url}`` in the settings is the hub's address; ``before`` and ``after`` stand around ``configure``."""
        self.folder = folder
        self.port, self.hub_port, self.proxy_port = free_ports(3)
        self.url = f"http://127.0.0.1:{self.port}{path}"
        self.api = f"http://127.0.0.1:{self.hub_port}{path}hub/api"
        self.settings = folder / "jupytercloud.yaml"
        self.settings.write_text(settings.replace("{url}", self.url))
        addresses = ADDRESSES.format(
            port=self.port, path=path, hub_port=self.hub_port, proxy_port=self.proxy_port, proxy=proxy_command()
        )
        (folder / "jupyterhub_config.py").write_text(f"{before}\n{CONFIGURE}\n{addresses}\n{after}\n")
        self.log = folder / "hub.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **environ: str) -> None:
        """Start the command; it may end at once."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", "jupyterhub_config.py"],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, seconds: float = 240) -> None:
        """Wait until the hub answers behind its proxy."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process
            assert self.process.poll() is None, self.words()
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}hub/health", trust_env=False).status_code == 200:
                    return
            time.sleep(0.2)
        raise AssertionError(self.words())

    def words(self) -> str:
        """Return what the hub printed."""
        return self.log.read_text()

    def end(self, number: int = signal.SIGTERM) -> None:
        """End the hub and wait for it; SIGTERM lets it end what it started."""
        if self.process is None or self.process.poll() is not None:
            return
        os.killpg(self.process.pid, number)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextlib.contextmanager
def hub_process(folder: Path, settings: str, **options: str) -> Iterator[HubProcess]:
    """Run a hub for the length of a test."""
    hub = HubProcess(folder, settings, **options)
    hub.start()
    try:
        hub.wait()
        yield hub
    finally:
        hub.end()
