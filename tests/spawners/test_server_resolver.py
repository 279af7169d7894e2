"""A person's server seeks the hub's proxy at the address that it has now, not at the one that it had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import jupyterhub
import pytest

from tests.support.ports import free_port

START = """
from jupyterhub.httpclient import JupyterHubHTTPClient
from jupyterhub.singleuser.extension import JupyterHubSingleUser
ours = "--ServerApp.jpserver_extensions=jupytercloud_hub.spawners.inside=True"
server = JupyterHubSingleUser.initialize_server([ours])
client = JupyterHubHTTPClient.instance()
assert client._has_session, "JupyterHub has asked the hub for its version"
print(type(client._session.connector._resolver).__name__)
"""


class Version(BaseHTTPRequestHandler):
    """All of a hub that a server asks while it starts."""

    def do_GET(self) -> None:
        body = json.dumps({"version": jupyterhub.__version__}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Version) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hub/"
        server.shutdown()


def test_jupyterhubs_first_request_in_a_server_asks_the_system_already(hub: str, tmp_path: Path) -> None:
    told = {
        "HOME": str(tmp_path), "JUPYTERHUB_USER": "marie", "JUPYTERHUB_API_TOKEN": "token",
        "JUPYTERHUB_API_URL": f"{hub}api", "JUPYTERHUB_ACTIVITY_URL": f"{hub}api/users/marie/activity",
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{free_port()}/", "JUPYTERHUB_SERVICE_PREFIX": "/user/marie/",
        "JUPYTERHUB_BASE_URL": "/", "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-marie",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": "/user/marie/oauth_callback",
        "JUPYTERHUB_OAUTH_SCOPES": '["access:servers!server=marie/"]',
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", START], env={**os.environ, **told}, cwd=tmp_path, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["SystemResolver"]


def test_the_resolver_needs_nothing_but_what_jupyterhub_brings() -> None:
    code = "import sys; import jupytercloud_hub.hubapi.resolver; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "httpx"} & set(loaded)
