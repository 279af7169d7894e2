"""The quota service asks, the culler stops: both beside one real hub."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from .hub import Hub, until
from .test_on_a_hub import log_in

CULLING = {"rules": [{"name": "long", "idle": "1 h"}], "every": "1 s", "warn": "4 s"}
QUOTAS = {
    "heartbeat": "1 s",
    "budgets": [
        {
            "name": "salon",
            "title": {"fr": "Budget du salon", "en": "The fair's budget"},
            "limits": [{"window": "month", "cpu_hours": 0.001, "hard": True, "grace": "5 s"}],
        }
    ],
}
RECORD = {"profile": "pycoa", "options": {}, "resources": {"cpu": 2, "memory": "2 GiB"}}


async def test_who_has_used_up_a_hard_budget_is_warned_and_stopped_with_the_budgets_reason(tmp_path: Path) -> None:
    async with Hub(tmp_path, CULLING, sections={"quotas": QUOTAS}) as hub:
        await hub.spawn("anna", record=RECORD)

        async def asked() -> bool:
            view = await hub.view("anna")
            return bool(view.get("cause") == "quota" and view["warned"])

        await until(asked, 40)
        view = await hub.view("anna")
        assert (view["rule"], view["keep"]["code"]) == ("salon", "not-yours")
        refused = await hub.ask("POST", "api/v1/servers/anna/~/keep", hub.own_token("anna"))
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not-yours")

        async def stopped() -> bool:
            return await hub.running("anna") == []

        await until(stopped, 30)
        async with httpx.AsyncClient(timeout=30, follow_redirects=True) as browser:
            page = await log_in(browser, hub, "anna")
        (row,) = re.findall(r"<td>([^<]*)</td></tr>", page.text)
        assert "Budget du salon" in row
