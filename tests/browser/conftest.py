"""What browser tests share: one running demo, a browser, and a look at each page."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright, expect

from jupytercloud_hub.demo import node
from tests.support import CACHE, ROOT
from tests.support.chromium import prepare
from tests.support.demo import Demo, running
from tests.support.page import Look

PATIENCE = 90_000  # milliseconds: machines of continuous integration are busy

expect.set_options(timeout=PATIENCE)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Where screenshots go: JUPYTERCLOUD_SCREENSHOTS (`make screenshots`: docs/images), else the test's folder."""
    folder = ROOT / os.environ.get("JUPYTERCLOUD_SCREENSHOTS", str(tmp_path / "images"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The whole federation, as `make demo` starts it."""
    with running(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(prepare(CACHE / "chromium")))
        browser.on("context", lambda context: context.set_default_timeout(PATIENCE))
        yield browser
        with contextlib.suppress(Exception):
            await browser.close()


@pytest.fixture
def look(images: Path) -> Callable[..., Any]:
    """`await look(page, "name")`: screenshot, axe-core in light and dark, and no sideways scrolling on a telephone."""
    axe = node.prepare(CACHE / "node", development=True) / "node_modules/axe-core/axe.min.js"
    return Look(images, axe.read_text())
