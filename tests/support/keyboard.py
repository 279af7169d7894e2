"""A person who has no mouse: she comes to things with Tab, and sees where she is."""

from __future__ import annotations

from playwright.async_api import Locator, Page

MOST = 80
"""Presses of Tab after which somebody gives up."""
SEEN = """
  () => {
    let element = document.activeElement;
    for (; element && element !== document.body; element = element.parentElement) {
      const style = getComputedStyle(element);
      if (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) return true;
    }
    return false;
  }
"""


async def reach(page: Page, target: Locator, key: str = "Tab") -> None:
    """Press a key until the target has the focus. Raises AssertionError: never reached, or the focus can't be seen."""
    await target.wait_for()
    for _ in range(MOST):
        if await target.evaluate("element => element === document.activeElement"):
            assert await page.evaluate(SEEN), f"{page.url}: the focus on {target} can't be seen"
            return
        await page.keyboard.press(key)
    raise AssertionError(f"{page.url}: {target} is not reached by {MOST} presses of {key}")


async def press(page: Page, target: Locator) -> None:
    """Come to a link or a button, and use it."""
    await reach(page, target)
    await page.keyboard.press("Enter")
