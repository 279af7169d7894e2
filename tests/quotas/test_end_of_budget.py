"""A hard budget that ends while a server runs: warned, given its grace, stopped by the culler with the reason."""

from __future__ import annotations

from pathlib import Path

from jupytercloud_hub.quotas.tables import CLOSED

from .hub import ASKER_TOKEN, Person, QuotaHub, until

QUOTAS = {
    "heartbeat": "1 s",
    "least": "1 s",
    "tariff": [{"cpu": 3600, "memory": 0}],  # a unit for each second of one core
    "budgets": [
        {
            "name": "tp",
            "title": {"fr": "Séance de travaux pratiques", "en": "Practical class"},
            "limits": [{"units": 3, "hard": True, "grace": "4 s"}],
        }
    ],
}
CULLING = {"rules": [{"name": "never", "spare": True}], "every": "1 s", "warn": "1 s"}


async def test_a_server_is_stopped_after_the_grace_and_the_person_reads_why(tmp_path: Path) -> None:
    async with QuotaHub(tmp_path, QUOTAS, culling=CULLING) as hub:
        await hub.spawn("anna", profile="small", options={})

        async def asked() -> bool:
            found = await hub.ask("GET", "api/v1/stops", ASKER_TOKEN)
            return [stop["user"] for stop in found.json()["stops"]] == ["anna"]

        await until(asked, 40)
        assert await hub.running("anna") == [""]  # the grace runs
        person = Person(hub)
        await person.log_in("anna")
        assert "100\u00a0% de votre budget («\u00a0Séance de travaux pratiques\u00a0»)" in (await person.page()).text

        async def stopped() -> bool:
            return await hub.running("anna") == []

        await until(stopped, 60)
        [interval] = await hub.intervals()
        assert interval.state == CLOSED
        assert interval.ended_s - interval.begin_s >= 3 + 4 - 1
        shown = await person.client.get(f"{hub.base}services/culler/")
        assert "Séance de travaux pratiques" in shown.text
        assert "épuisé" in shown.text
        refused = await hub.post_server("anna", "small")
        assert refused.status_code == 403
        assert "il reste 0 unité sur 3 unités" in refused.json()["message"]
        await person.client.aclose()
