"""A real hub for tests, in the test's own process: no Node, nothing written outside the test's folder."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import httpx
from jupyterhub.app import JupyterHub
from jupyterhub.auth import Authenticator
from jupyterhub.proxy import Proxy
from jupyterhub.utils import random_port
from traitlets.config import Config


class MemoryProxy(Proxy):
    """Routes in a dictionary: tests ask the hub itself, and servers at their own address."""

    should_start = False

    def __init__(self, **kwargs: Any) -> None:
        self.routes: dict[str, dict[str, Any]] = {}
        super().__init__(**kwargs)

    async def add_route(self, routespec: str, target: str, data: dict[str, Any]) -> None:
        self.routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec: str) -> None:
        self.routes.pop(routespec, None)

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        return dict(self.routes)


class TableAuthenticator(Authenticator):
    """Lets in everybody who stands in ``people``, as an authenticator that publishes a person does."""

    people: Mapping[str, Mapping[str, Any]] = {}

    async def authenticate(self, handler: Any, data: Mapping[str, str]) -> dict[str, Any] | None:
        entry = self.people.get(data["username"])
        if entry is None:
            return None
        published = {key: value for key, value in entry.items() if key not in ("groups", "admin")}
        return {
            "name": data["username"],
            "admin": entry.get("admin"),
            "groups": list(entry.get("groups", ())),
            "user_info": {"name": data["username"].title(), "jupytercloud": published},
        }


class TestHub(JupyterHub):
    """JupyterHub without its command line, its signals and its atexit."""

    __test__ = False
    others: frozenset[asyncio.Task[Any]] = frozenset()
    """Tasks of the loop that were there before the hub: a browser's, or the test's own."""

    async def shutdown_cancel_tasks(self, sig: Any = None) -> None:
        """Clean up and cancel all tasks as JupyterHub does, but not the others': a browser could not be closed then."""
        await self.cleanup()
        current = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task not in self.others and task is not current]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def init_signal(self) -> None:
        pass

    def load_config_file(self, *args: Any, **kwargs: Any) -> None:
        pass

    def init_logging(self) -> None:
        super().init_logging()
        self.log.propagate = True
        self.log.handlers.clear()


async def start_hub(config: Config, people: Mapping[str, Mapping[str, Any]], folder: Any) -> TestHub:
    """Start a hub with these people; its data stand in ``folder``. End it with `stop_hub`."""
    TestHub.clear_instance()
    hub_port = random_port()
    base = Config()
    base.JupyterHub.authenticator_class = type("People", (TableAuthenticator,), {"people": people})
    base.JupyterHub.proxy_class = MemoryProxy
    base.JupyterHub.bind_url = f"http://127.0.0.1:{random_port()}/@/space%20word/"
    base.JupyterHub.hub_bind_url = f"http://127.0.0.1:{hub_port}"
    base.JupyterHub.db_url = f"sqlite:///{folder}/jupyterhub.sqlite"
    base.JupyterHub.cookie_secret_file = f"{folder}/cookie_secret"
    base.JupyterHub.log_level = 10
    base.Authenticator.allow_all = True
    base.Authenticator.manage_groups = True
    base.merge(config)
    others = frozenset(asyncio.all_tasks())
    hub = TestHub.instance(config=base)
    hub.others = others
    await hub.initialize([])
    await hub.start()
    return hub


async def stop_hub(hub: TestHub, *, servers: bool = True) -> None:
    """End the hub and, unless told not to, all servers."""
    if servers:
        for user in list(hub.users.values()):
            for name, spawner in list(user.spawners.items()):
                for _ in range(300):  # who is on the way up can't be stopped
                    if spawner.pending != "spawn":
                        break
                    await asyncio.sleep(0.1)
                if spawner.active:
                    await user.stop(name)
    hub.cleanup_servers = False
    if hub.http_server:
        hub.http_server.stop()
    await hub.shutdown_cancel_tasks()
    TestHub.clear_instance()


class Visitor:
    """A browser without a screen: cookies, forms with their XSRF token, a language."""

    def __init__(self, hub: TestHub, language: str | None = None) -> None:
        headers = {"Accept-Language": language} if language else {}
        self.hub = hub
        self.client = httpx.AsyncClient(base_url=hub.hub.url, headers=headers, trust_env=False, timeout=60)

    async def __aenter__(self) -> Visitor:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    @property
    def xsrf(self) -> str:
        """The token of the last page."""
        return (
            max(
                (cookie for cookie in self.client.cookies.jar if cookie.name == "_xsrf"), key=lambda c: len(c.path)
            ).value
            or ""
        )

    async def log_in(self, name: str) -> None:
        await self.client.get("login")
        answer = await self.client.post("login", params={"_xsrf": self.xsrf}, data={"username": name, "password": ""})
        assert answer.status_code == 302, answer.text
        await self.client.get("home")

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(path, **options)

    async def post_form(self, path: str, data: Mapping[str, Any]) -> httpx.Response:
        """Send the form of a page that was opened before, to the address that it names."""
        return await self.client.post(path, params={"_xsrf": self.xsrf}, data=dict(data))


def text_of(html: str) -> str:
    """Return a page's text in one line."""
    without = re.sub(r"<(style|script).*?</\1>", " ", html, flags=re.S)
    import html as entities

    return re.sub(r"\s+", " ", entities.unescape(re.sub(r"<[^>]+>", " ", without))).strip()
