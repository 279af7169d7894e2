"""A real PostgreSQL for a test run: a cluster of its own on a free loopback port, started as an ordinary user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import NullPool, create_engine, make_url, text

from .ports import free_port


@dataclass(frozen=True)
class Postgresql:
    """A server; `url` leads to its maintenance database."""

    url: str
    folder: Path | None = None
    address: str = "127.0.0.1"

    @classmethod
    @contextmanager
    def running(cls, address: str = "127.0.0.1") -> Iterator[Postgresql]:
        """Use the server of DATABASE_URL, else start one and remove it afterwards.

        ``address``: one of this machine's, at which it listens too, for the engines' nodes and pods behind it.
        """
        given = os.environ.get("DATABASE_URL")
        if given:
            yield cls(given)
            return
        folder = Path(tempfile.mkdtemp(prefix="jupytercloud-pg-", dir="/tmp"))  # a socket's path must be short
        port = free_port()
        server = cls(f"postgresql://postgres@127.0.0.1:{port}/postgres", folder, address)
        try:
            if os.geteuid() == 0:
                owner = pwd.getpwnam("postgres")
                os.chown(folder, owner.pw_uid, owner.pw_gid)
            server._run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
            if address != "127.0.0.1":
                with (folder / "data" / "pg_hba.conf").open("a") as rules:
                    rules.write("host all all 10.0.0.0/8 trust\n")
            server.start(port)
            yield server
        finally:
            server.stop()
            shutil.rmtree(folder, ignore_errors=True)

    def start(self, port: int | None = None) -> None:
        """Start the server (again) and wait until it answers."""
        port = port or make_url(self.url).port
        listen = ",".join(sorted({"127.0.0.1", self.address}))
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", f"-p {port} -h {listen} -k {self.folder}", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server; `immediate` is what a power cut does."""
        self._run("pg_ctl", "-D", "data", "-w", "-m", mode, "stop", check=False)

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make an empty database and drop it afterwards."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        address = make_url(self.url).set(drivername="postgresql+psycopg")
        engine = create_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool)  # a test may stop the server
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield make_url(self.url).set(database=name).render_as_string(hide_password=False)
        finally:
            with engine.connect() as connection:
                connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            engine.dispose()

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        found = shutil.which(program) or next(
            (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)), None
        )
        if found is None:
            raise FileNotFoundError(f"{program}: PostgreSQL is not installed (make test-engines installs it)")
        user: dict[str, object] = {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        done = subprocess.run(
            [found, *arguments], cwd=self.folder, capture_output=True, text=True, check=False, timeout=60, **user
        )
        if check and done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr or done.stdout}")
