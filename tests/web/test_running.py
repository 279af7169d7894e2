"""Services as processes: one of each hub at a time, ended with their hub, and secrets that outlive restarts."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from jupytercloud_hub.web.context import ContextError, ServiceContext, kept_secret
from tests.support import ROOT
from tests.support.ports import free_port

RUN = """
import asyncio, logging, sys
from pathlib import Path
from jupytercloud_hub.settings import load
from jupytercloud_hub.web import service
from jupytercloud_hub.web.context import ServiceContext

logging.basicConfig(level=logging.INFO)
service.LOCK_SECONDS = float(sys.argv[2])

class Trial(service.Service):
    name = "essai"
    async def start(self):
        print("starts", flush=True)
    async def stop(self):
        await asyncio.sleep(0.1)
        print("stopped well", flush=True)

settings = load(Path(sys.argv[1]) / "jupytercloud.yaml")
context = ServiceContext.from_environment("essai", settings.state_folder)
asyncio.run(service.run([Trial(settings, context)]))
"""
PARENT = """
import subprocess, sys, time
process = subprocess.Popen([sys.executable, *sys.argv[1:]], start_new_session=True)
print(process.pid, flush=True)
time.sleep(300)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jupytercloud.yaml").write_text('site: {name: essai, url: "http://127.0.0.1:1/"}\n')
    (tmp_path / "run.py").write_text(RUN)
    (tmp_path / "parent.py").write_text(PARENT)
    return tmp_path


def environ(port: int, **more: str) -> dict[str, str]:
    own = {"JUPYTERHUB_API_TOKEN": "t" * 32, "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}"}
    return {**os.environ, "PYTHONPATH": str(ROOT), **own, **more}


@pytest.fixture
def start(folder: Path):
    started: list[subprocess.Popen[str]] = []

    def begin(port: int, lock_seconds: float = 15, **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(folder / "run.py"), str(folder), str(lock_seconds)],
            env=environ(port, **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def answers(port: int) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/services/essai/health", trust_env=False).status_code == 200
    return False


def until(condition, seconds: float = 90) -> float:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() < begun + seconds, f"not within {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - begun


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_service_in_order(start, number):
    port = free_port()
    process = start(port)
    until(lambda: answers(port))
    process.send_signal(number)
    output, _ = process.communicate(timeout=15)
    assert process.returncode == 0
    assert "stopped well" in output


def test_a_connection_that_does_not_close_keeps_no_service_from_ending_in_order(start, folder):
    run = RUN.replace("service.LOCK_SECONDS", "service.CLOSE_SECONDS = 0.3\nservice.LOCK_SECONDS")
    hangs = """
from tornado.httpserver import HTTPServer

async def forever(self):
    await asyncio.Event().wait()
HTTPServer.close_all_connections = forever
"""
    (folder / "run.py").write_text(run.replace("class Trial", f"{hangs}\nclass Trial"))
    port = free_port()
    process = start(port)
    until(lambda: answers(port))
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "still open" in output
    assert "stopped well" in output


def test_of_two_processes_of_one_service_the_second_waits_and_then_refuses(start):
    first, second = free_port(), free_port()
    holder = start(first)
    until(lambda: answers(first))
    refused = start(second, lock_seconds=1)
    output, _ = refused.communicate(timeout=30)
    assert refused.returncode == 1
    assert "another process runs the service essai" in output
    assert "Traceback" not in output
    assert holder.poll() is None
    assert answers(first)


def test_a_process_that_waits_goes_on_as_soon_as_the_one_before_it_is_gone_killed_or_not(start):
    first, second = free_port(), free_port()
    holder = start(first)
    until(lambda: answers(first))
    start(second)
    time.sleep(1)
    assert not answers(second)
    holder.kill()
    until(lambda: answers(second), 15)


def test_a_managed_service_ends_within_seconds_when_its_hub_is_killed(folder):
    port = free_port()
    hub = subprocess.Popen(
        [sys.executable, str(folder / "parent.py"), str(folder / "run.py"), str(folder), "15"],
        env=environ(port, JUPYTERHUB_SERVICE_NAME="essai"),
        stdout=subprocess.PIPE,
        text=True,
    )
    service = int(hub.stdout.readline())
    try:
        until(lambda: answers(port))
        hub.kill()
        hub.wait()
        assert until(lambda: not alive(service), 10) < 10
    finally:
        hub.kill()
        with contextlib.suppress(ProcessLookupError):
            os.kill(service, signal.SIGKILL)


def test_a_service_that_an_operator_runs_does_not_end_with_the_shell_that_started_it(folder):
    port = free_port()
    shell = subprocess.Popen(
        [sys.executable, str(folder / "parent.py"), str(folder / "run.py"), str(folder), "15"],
        env=environ(port),
        stdout=subprocess.PIPE,
        text=True,
    )
    service = int(shell.stdout.readline())
    try:
        until(lambda: answers(port))
        shell.kill()
        shell.wait()
        time.sleep(2)
        assert answers(port)
    finally:
        os.kill(service, signal.SIGKILL)


def test_a_port_that_is_taken_ends_the_service_and_gives_its_lock_back(start):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(taken.getsockname()[1])
        output, _ = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "stopped well" in output
    port = free_port()
    start(port, lock_seconds=1)
    until(lambda: answers(port))


def test_a_kept_secret_is_one_for_all_processes_that_start_at_once_and_stays(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom jupytercloud_hub.web.context import kept_secret\n"
        "print(kept_secret(Path(sys.argv[1]), 'a').hex())"
    )

    def read(_: int) -> str:
        return subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "state")], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()

    with ThreadPoolExecutor(4) as pool:
        secrets = set(pool.map(read, range(6)))
    assert len(secrets) == 1
    assert kept_secret(tmp_path / "state", "a").hex() in secrets
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["a"]
    assert (tmp_path / "state" / "a").stat().st_mode & 0o077 == 0


def test_a_secret_whose_file_is_damaged_is_not_silently_replaced(tmp_path):
    (tmp_path / "a").write_text("not hexadecimal")
    with pytest.raises(ValueError, match="hex"):
        kept_secret(tmp_path, "a")


def test_without_the_hubs_environment_a_service_says_what_is_missing(tmp_path):
    with pytest.raises(ContextError, match="JUPYTERCLOUD_QUOTAS_API_TOKEN is not set"):
        ServiceContext.from_environment("quotas", tmp_path, {})
    with pytest.raises(ContextError, match="JUPYTERCLOUD_QUOTAS_URL is not set"):
        ServiceContext.from_environment("quotas", tmp_path, {"JUPYTERHUB_API_TOKEN": "t"})


def test_several_services_in_one_process_have_a_token_and_an_address_each(tmp_path):
    given = {
        "JUPYTERHUB_API_TOKEN": "common",
        "JUPYTERHUB_BASE_URL": "/labo/",
        "JUPYTERCLOUD_QUOTAS_API_TOKEN": "q",
        "JUPYTERCLOUD_QUOTAS_URL": "http://127.0.0.1:9001",
        "JUPYTERCLOUD_CULLER_API_TOKEN": "c",
        "JUPYTERCLOUD_CULLER_URL": "http://127.0.0.1:9002",
    }
    quotas = ServiceContext.from_environment("quotas", tmp_path, given)
    culler = ServiceContext.from_environment("culler", tmp_path, given)
    assert (quotas.api_token, quotas.bind, quotas.prefix) == ("q", ("127.0.0.1", 9001), "/labo/services/quotas/")
    assert (culler.api_token, culler.bind) == ("c", ("127.0.0.1", 9002))
    assert quotas.cookie_secret == culler.cookie_secret
