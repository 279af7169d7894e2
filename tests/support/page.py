"""A look at a page, as different people have it: screenshot, axe-core, dark, a narrow screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.async_api import Page

NARROW = 320
"""CSS pixels: WCAG 2.2, 1.4.10 Reflow."""
PHONE = {"width": 375, "height": 667}
"""CSS pixels of a small telephone."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """
  (tags) => axe.run(document, {resultTypes: ["violations"], runOnly: {type: "tag", values: tags}}).then(
    (result) => result.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 200)).join(" ¦ ")}`))
"""


class Look:
    """Takes the picture of a page and says what is wrong with it for somebody."""

    def __init__(self, images: Path, axe: str) -> None:
        self._images = images
        self._axe = axe

    async def __call__(self, page: Page, name: str, *, ours: bool = True, phone: bool = False) -> None:
        """Look at a page; `ours` False: a picture only (JupyterLab is another project's); `phone`: one more picture.

        Raises AssertionError with every rule that the page breaks.
        """
        await page.wait_for_load_state()
        await page.screenshot(path=self._images / f"{name}.png", full_page=ours)
        if phone:
            before = page.viewport_size
            await page.set_viewport_size(PHONE)
            await page.screenshot(path=self._images / f"{name}-phone.png", full_page=ours)
            if before:
                await page.set_viewport_size(before)
        if not ours:
            return
        wrong: list[str] = []
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            wrong += [f"{scheme}: {line}" for line in await self._violations(page)]
        await page.emulate_media(color_scheme="light")
        wrong += await self._too_wide(page)
        assert not wrong, f"{name} ({page.url}):\n" + "\n".join(wrong)

    async def _violations(self, page: Page) -> list[str]:
        await page.evaluate(f"{self._axe};0")
        found: Any = await page.evaluate(RUN, RULES)
        return list(found)

    async def _too_wide(self, page: Page) -> list[str]:
        before = page.viewport_size
        await page.set_viewport_size({"width": NARROW, "height": 640})
        width = await page.evaluate("document.documentElement.scrollWidth")
        if before:
            await page.set_viewport_size(before)
        return [f"{width} pixels wide on a screen of {NARROW}"] if width > NARROW else []
