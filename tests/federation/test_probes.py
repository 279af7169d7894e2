"""Probes of real sockets: killed, hung, 503, old, something else; none holds up another."""

import asyncio
import time

import pytest

from jupytercloud_hub.federation.probes import client, probe
from jupytercloud_hub.settings.federation import FederationSite, HealthSettings

QUICK = HealthSettings(interval="0.2 s", timeout="1.2 s", second_look="0.05 s", slow="0.15 s", longest="1 s")


@pytest.mark.parametrize(
    ("mode", "good", "says"),
    [
        ("ok", True, "answered within"),
        ("slow", True, "answered within"),
        ("503", False, "status 503"),
        ("hung", False, "did not answer within 1.2 s"),
        ("other", False, "no JupyterHub"),
        ("old", False, "4.1.6"),
        ("killed", False, "Nothing listens"),
    ],
)
async def test_a_probe_says_what_it_found(sites, mode, good, says):
    site = sites["reims"]
    site.mode = mode
    if mode == "killed":
        await site.kill()
    begun = time.monotonic()
    async with client(FederationSite(name="reims", url=site.url)) as connection:
        result = await probe(connection, QUICK)
    assert result.good is good
    assert says in str(result.reason)
    assert time.monotonic() - begun < 10  # a site that hangs would never answer


async def test_sites_are_unknown_until_they_were_looked_at(tmp_path, sites):
    from tests.federation.conftest import portal_of, write_portal

    for site in sites.values():
        site.mode = "hung"
    async with portal_of(write_portal(tmp_path, sites)) as portal:
        answer = await portal.get("go/hub/")
        assert answer.status_code == 503
        assert portal.service.board.known["grenoble"].shown.state == "unknown"


@pytest.mark.parametrize("mode", ["killed", "503", "hung"])
async def test_a_broken_site_is_found_and_found_again_when_it_is_back(portal, sites, mode):
    if mode == "killed":
        await sites["reims"].kill()
    else:
        sites["reims"].mode = mode
    await portal.until(reims="down", grenoble="up", paris_saclay="up")
    sites["reims"].mode = "ok"
    if mode == "killed":
        await sites["reims"].start()
    await portal.until(reims="up")
    steps = []
    async with asyncio.timeout(60):
        while len(steps) < 3:
            from jupytercloud_hub.federation import registry

            async with portal.service.database.session() as session:
                found = await registry.history(session, portal.service.now().replace(year=2020), ["reims"])
            steps = [step.state.value for step in found["reims"]]
    assert steps == ["up", "down", "up"]


async def test_one_hung_site_holds_up_no_other_and_is_probed_once_at_a_time(portal, sites):
    sites["reims"].mode = "hung"
    await portal.until(reims="down")
    before = sites["grenoble"].probes
    await asyncio.sleep(1.2)
    assert sites["grenoble"].probes - before >= 4
    assert sites["reims"].most_open <= 1 + 1  # the one that is being given up may still be open at the other end
