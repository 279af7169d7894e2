"""JupyterLab in a browser, as a person uses it."""

from __future__ import annotations

from playwright.async_api import Page, expect

TRIES = 6


async def run_all_cells(page: Page) -> None:
    """Run all cells by the menu; again, as she would, where nothing began: JupyterLab may not have its kernel yet."""
    await page.get_by_text("Python 3 (ipykernel)").first.wait_for()
    prompt = page.locator(".jp-NotebookPanel-notebook .jp-CodeCell .jp-InputPrompt").first
    for left in reversed(range(TRIES)):
        await page.get_by_role("menuitem", name="Run", exact=True).click()
        await page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        try:
            await expect(prompt).not_to_have_text("[ ]:", timeout=10_000)
            return
        except AssertionError:
            if not left:
                raise
