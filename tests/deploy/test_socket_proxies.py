"""The stack's two proxies of Docker's socket, on a real HAProxy: what gets through and what does not."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn, UnixStreamServer

import httpx
import pytest

from jupytercloud_hub.deploy.stack import render
from tests.support.ports import free_port

from .test_stack import EXAMPLE

ALLOWED = [
    ("GET", "/v1.41/services?filters=x"), ("GET", "/v1.41/services/jupyter-anna"), ("GET", "/v1.41/tasks"),
    ("GET", "/v1.41/services/jupyter-anna/logs?tail=20"), ("GET", "/v1.41/nodes/abc"), ("GET", "/_ping"),
    ("POST", "/v1.41/services/create"), ("DELETE", "/v1.41/services/jupyter-anna"),
]  # fmt: skip
REFUSED = [
    ("POST", "/v1.41/containers/create"), ("GET", "/v1.41/secrets"), ("GET", "/v1.41/containers/json"),
    ("POST", "/v1.41/services/hub/update"), ("DELETE", "/v1.41/networks/x"), ("POST", "/v1.41/swarm/leave"),
    ("GET", "/v1.41/services/%2e%2e/containers/json"), ("DELETE", "/v1.41/nodes/abc"),
    ("PUT", "/v1.41/services/create"),
]  # fmt: skip


class Docker(BaseHTTPRequestHandler):
    """Stands for Docker behind its socket: answers everything that gets through."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD = do_POST = do_DELETE = do_PUT = _answer  # noqa: N815 - the base class looks for these names

    def address_string(self) -> str:
        return "haproxy"

    def log_message(self, *arguments: object) -> None:
        pass


class Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


@pytest.fixture(scope="module")
def sockets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run a real HAProxy on both files; only the ports and the socket are the test's."""
    haproxy = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if haproxy is None:
        pytest.skip("no haproxy here")
    folder = tmp_path_factory.mktemp("sockets")
    server = Server(str(folder / "docker.sock"), Docker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    running, addresses = [], {}
    for name in ("socket_hub", "socket_traefik"):
        port = free_port()
        text = render(EXAMPLE)[f"{name}.cfg"].replace("bind :2375", f"bind 127.0.0.1:{port}")
        file = folder / f"{name}.cfg"
        file.write_text(text.replace("/var/run/docker.sock", str(folder / "docker.sock")))
        running.append(subprocess.Popen([haproxy, "-db", "-f", str(file)], stdout=subprocess.DEVNULL))
        addresses[name] = f"http://127.0.0.1:{port}"
        wait_for_port(port)
    yield addresses
    for process in running:
        process.terminate()
        process.wait(20)
    server.shutdown()
    server.server_close()


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port}")


@pytest.mark.parametrize(("method", "path"), [*ALLOWED, *REFUSED])
def test_hub_gets_from_dockers_socket_what_its_spawner_asks_and_no_more(
    method: str, path: str, sockets: dict[str, str]
) -> None:
    status = httpx.request(method, sockets["socket_hub"] + path, trust_env=False, timeout=30).status_code
    assert status == (200 if (method, path) in ALLOWED else 403)


@pytest.mark.parametrize(("method", "path"), [*ALLOWED, *REFUSED])
def test_traefik_only_reads(method: str, path: str, sockets: dict[str, str]) -> None:
    status = httpx.request(method, sockets["socket_traefik"] + path, trust_env=False, timeout=30).status_code
    lists = {"/v1.41/services?filters=x", "/v1.41/tasks", "/v1.41/nodes/abc", "/_ping"}
    assert status == (200 if method == "GET" and path in lists else 403)
