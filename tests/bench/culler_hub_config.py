"""A hub for the culler's bench: servers that are no processes and take a while to stop, a proxy in memory.

Read by JupyterHub as its configuration file; what was asked of the hub goes to ``BENCH_LOG``, one JSON a line.
"""

import asyncio
import json
import os
import time

from jupyterhub.proxy import Proxy
from jupyterhub.spawner import Spawner
from tornado import web

LOG = open(os.environ["BENCH_LOG"], "a", buffering=1)  # noqa: SIM115, PTH123
STOP_SECONDS = float(os.environ["BENCH_STOP_SECONDS"])
SERVERS_PORT = int(os.environ["BENCH_SERVERS_PORT"])


def note(**event: object) -> None:
    LOG.write(json.dumps({"at": time.time(), **event}) + "\n")


class Bench(Spawner):
    """Runs nothing; its stop takes ``BENCH_STOP_SECONDS``."""

    running = False

    async def start(self):
        self.running = True
        return ("127.0.0.1", SERVERS_PORT)

    async def poll(self):
        return None if self.running else 0

    async def stop(self, now=False):
        note(what="stop", user=self.user.name)
        await asyncio.sleep(STOP_SECONDS)
        self.running = False
        note(what="stopped", user=self.user.name)

    def load_state(self, state):
        super().load_state(state)
        self.running = bool(state.get("running"))

    def get_state(self):
        resources = {"cpu": 2.0, "memory": 4 * 1024**3, "gpu": 0, "gpu_type": None}
        record = {"profile": "pycoa", "options": {}, "resources": resources}
        return {**super().get_state(), "running": self.running, "jupytercloud": record}


class Memory(Proxy):
    """Keeps routes in a dictionary and passes nothing on."""

    should_start = False

    async def add_route(self, routespec, target, data):
        self.routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec):
        self.routes.pop(routespec, None)

    async def get_all_routes(self):
        return dict(self.routes)

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.routes = {}


def log_request(handler: web.RequestHandler) -> None:
    request, now = handler.request, time.time()
    note(
        what="request",
        method=request.method,
        path=request.uri,
        status=handler.get_status(),
        arrived=now - request.request_time(),
    )


c = get_config()  # noqa: F821
c.JupyterHub.hub_port = int(os.environ["BENCH_HUB_PORT"])
c.JupyterHub.port = int(os.environ["BENCH_PUBLIC_PORT"])
c.JupyterHub.ip = "127.0.0.1"
c.JupyterHub.db_url = f"sqlite:///{os.environ['BENCH_FOLDER']}/hub.sqlite"
c.JupyterHub.cookie_secret_file = f"{os.environ['BENCH_FOLDER']}/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = Bench
c.JupyterHub.proxy_class = Memory
c.JupyterHub.concurrent_spawn_limit = 100
c.JupyterHub.tornado_settings = {"log_function": log_request, "slow_stop_timeout": 10}
c.JupyterHub.log_level = "WARN"
c.Spawner.poll_interval = 3600
c.JupyterHub.services = [{"name": "bench", "api_token": os.environ["BENCH_TOKEN"]}]
c.JupyterHub.load_roles = [
    {
        "name": "bench-role",
        "services": ["bench"],
        "scopes": ["admin:users", "admin:servers", "list:users", "read:users:activity", "users:activity"],
    }
]
