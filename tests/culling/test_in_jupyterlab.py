"""The extension in a real JupyterLab: true activity, and the notice before a stop."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

import jupytercloud_hub.culling
from tests.support import CACHE, ROOT
from tests.support.chromium import prepare

from .hub import Hub, until

CULLING = {
    "rules": [
        {
            "name": "short",
            "title": {"fr": "Essais", "en": "Trials"},
            "idle": "30 s",
            "warn": "20 s",
            "keep": {"duration": "40 s", "times": 1},
        }
    ],
    "every": "1 s",
    "settle": "2 s",
    "report_every": "2 s",
    "activity_fresh": "10 s",
}
LAB = """
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = c.Spawner.http_timeout = 90
c.Spawner.environment = {**c.Spawner.environment, "JUPYTER_CONFIG_PATH": %r, "JUPYTERHUB_ACTIVITY_INTERVAL": "2"}
"""
ACCESS = ["access:servers!user=anna", "access:services!service=culler"]


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    enabled = tmp_path / "jupyter" / "jupyter_server_config.d"
    enabled.mkdir(parents=True)
    shutil.copy(Path(jupytercloud_hub.culling.__file__).parent / "lab" / "jupytercloud_culling.json", enabled)
    async with Hub(tmp_path, CULLING, extra=LAB % str(enabled.parent)) as running:
        yield running


async def execute(hub: Hub, code: str) -> None:
    """Start a computation in a new kernel, and close the connection: no browser is left."""
    answer = await hub.client.post(f"{hub.api}/users/anna/tokens", json={"scopes": ACCESS})
    token = answer.json()["token"]
    base, headers = f"{hub.base}user/anna/api", {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, timeout=60) as client:
        body = {"path": "these.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
        session = (await client.post(f"{base}/sessions", json=body)).json()
    kernel = session["kernel"]["id"]
    address = f"{base.replace('http', 'ws', 1)}/kernels/{kernel}/channels"
    socket = await websocket_connect(HTTPRequest(address, headers=headers))
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": "x",
        "version": "5.3",
    }
    message: dict[str, Any] = {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "channel": "shell",
        "content": {"code": code, "silent": False},
    }
    await socket.write_message(json.dumps(message))
    while json.loads(await socket.read_message() or "{}").get("header", {}).get("msg_type") != "execute_input":
        pass
    socket.close()


async def test_a_long_computation_without_a_browser_is_not_idle_and_its_end_is(hub: Hub) -> None:
    await hub.spawn("anna")
    await execute(hub, "import time; time.sleep(45)")
    began = asyncio.get_running_loop().time()
    while (watched := asyncio.get_running_loop().time() - began) < 35:
        view = await hub.view("anna")
        assert (view["status"], view["warned"]) == (200, False), view
        if watched > 8:
            assert (view["busy"], view["activity_by"]) == (["these.ipynb"], "extension")
        await asyncio.sleep(1)

    async def stopped() -> bool:
        return await hub.running("anna") == []

    await until(stopped, 60)


async def _lab(browser: Any, hub: Hub, locale: str) -> Any:
    """Open anna's JupyterLab in a browser of its own."""
    page = await (await browser.new_context(locale=locale)).new_page()
    page.set_default_timeout(90_000)
    await page.goto(f"{hub.base}user/anna/lab")
    await page.fill("input[name=username]", "anna")
    await page.fill("input[name=password]", "x")
    await page.click("input[type=submit], button[type=submit]")
    return page


@pytest.mark.browser
async def test_an_open_tab_is_told_in_jupyterlab_keeps_the_server_once_and_is_stopped_with_the_reason(
    hub: Hub, tmp_path: Path
) -> None:
    pictures = ROOT / os.environ.get("JUPYTERCLOUD_SCREENSHOTS", str(tmp_path))
    from playwright.async_api import async_playwright, expect

    await hub.spawn("anna")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=str(prepare(CACHE / "chromium")), args=["--no-sandbox"]
        )
        english, page = [await _lab(browser, hub, locale) for locale in ("en-GB", "fr-FR")]
        notice = page.locator(".Toastify__toast", has_text="Ce serveur s'arrête à")
        await expect(notice).to_be_visible(timeout=60_000)
        assert "Arrêt après 30 s sans activité (Essais)." in (await notice.inner_text())
        before = (await hub.view("anna"))["stops_at"]
        told = english.locator(".Toastify__toast", has_text="This server stops at")
        await expect(told.get_by_role("button", name=re.compile("Keep it until"))).to_be_visible(timeout=20_000)
        assert "Stopped after 30 s without activity (Trials)." in (await told.inner_text())
        for shown, language in ((page, "fr"), (english, "en")):
            await shown.screenshot(path=str(pictures / f"notice-{language}.png"), animations="disabled")
        await english.close()
        await notice.get_by_role("button", name=re.compile("Le garder jusqu'à")).click()

        async def kept() -> bool:
            view = await hub.view("anna")
            return bool(view["stops_at"] > before and view["keep"]["code"] == "used-up")

        await until(kept, 10)

        async def warned_again() -> bool:
            view = await hub.view("anna")
            return bool(view.get("warned") and view["stops_at"] > before)

        await until(warned_again, 60)
        await expect(notice).to_be_visible(timeout=30_000)
        await expect(notice.get_by_role("button", name=re.compile("Le garder"))).to_have_count(0)

        async def stopped() -> bool:
            return await hub.running("anna") == []

        await until(stopped, 60)  # though the tab is open all the while
        page = await page.context.new_page()
        await page.goto(hub.culler)
        await expect(page.locator("table")).to_contain_text("Arrêt après 30 s sans activité (Essais).")
        await browser.close()
