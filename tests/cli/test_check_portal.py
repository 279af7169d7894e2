"""``jupytercloud check`` between a site and a portal that runs: known, at its address, by its key, at the same time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from tornado.httpserver import HTTPServer

from jupytercloud_hub.cli.checks import portal
from jupytercloud_hub.cli.checks.look import Look, looking
from jupytercloud_hub.contracts.finding import Finding
from jupytercloud_hub.federation import signing
from jupytercloud_hub.federation.service import FederationService
from jupytercloud_hub.settings import load
from jupytercloud_hub.web.context import ServiceContext
from tests.federation.conftest import Clock, FakeSite
from tests.support.ports import free_port

PORTAL = """
site: {name: portail, role: portal, url: "%s"}
federation:
  sites: [{name: grenoble, url: "%s", key: "%s"}]
  health: {interval: 0.2 s, timeout: 1 s, second_look: 0.05 s}
"""
SITE = """
site: {name: %s, url: "%s"}
federation: {portal: {url: "%s"}}
"""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SimpleNamespace]:
    """A portal, and a site that it knows; ``check`` looks from the site."""
    site, clock, port = FakeSite(), Clock(), free_port()
    await site.start()
    url, here = f"http://127.0.0.1:{port}/portal/", tmp_path / "site"
    key = signing.kept_key(here / "state" / signing.KEY_FILE)
    (tmp_path / "portal").mkdir()
    (tmp_path / "portal" / "jupytercloud.yaml").write_text(PORTAL % (url, site.url, signing.public_text(key)))
    context = ServiceContext(
        name="federation",
        prefix="/portal/services/federation/",
        bind=("127.0.0.1", port),
        api_url="http://127.0.0.1:1/hub/api",
        api_token="t",
        base_url="/portal/",
        cookie_secret=b"k" * 32,
    )
    service = FederationService(load(tmp_path / "portal" / "jupytercloud.yaml"), context, clock)
    server = HTTPServer(service.application(), xheaders=True)
    await service.start()
    server.listen(port, "127.0.0.1")

    async def check(name: str = "grenoble", address: str = site.url, portal_url: str = url) -> list[Finding]:
        (here / "jupytercloud.yaml").write_text(SITE % (name, address, portal_url))
        async with looking(load(here / "jupytercloud.yaml"), "", None, "en") as at:
            return await portal.look(Look(at.settings, at.client))

    yield SimpleNamespace(check=check, url=url, clock=clock, key=here / "state" / signing.KEY_FILE, service=service)
    server.stop()
    await server.close_all_connections()
    await service.stop()
    await site.kill()


def errors(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.status == "error"]


def only(found: list[Finding]) -> Finding:
    (one,) = errors(found)
    assert one.mend
    return one


async def test_a_site_that_the_portal_knows_by_its_key_has_no_error_and_nothing_was_changed(world):
    found = await world.check()
    assert errors(found) == []
    assert any("has this site's key" in str(finding.what) for finding in found)
    assert [str(finding.what) for finding in found if finding.status == "warning"][-1] == (
        "the portal has no heartbeat of this site"
    )
    async with world.service.database.session() as session:
        from jupytercloud_hub.federation import registry

        assert await registry.audit(session) == []


async def test_another_key_is_told_with_the_one_to_write_at_the_portal(world):
    world.key.unlink()
    new = signing.public_text(signing.kept_key(world.key))
    wrong = only(await world.check())
    assert new in str(wrong.what)
    assert "bad-signature" in str(wrong.what)


async def test_a_key_that_is_not_there_is_told_and_none_is_made(world):
    world.key.unlink()
    assert "no key yet" in str(only(await world.check()).what)
    assert not world.key.exists()


async def test_a_site_that_the_portal_does_not_know_is_told_with_the_command_for_its_operator(world):
    wrong = only(await world.check(name="reims"))
    assert "knows no site reims" in str(wrong.what)
    assert "sites add reims --url" in str(wrong.mend)


async def test_another_address_at_the_portal_is_told_with_both(world):
    wrong = only(await world.check(address="http://127.0.0.1:9/elsewhere/"))
    assert "elsewhere" in str(wrong.what)


async def test_clocks_that_differ_are_told_as_clocks_and_not_as_a_wrong_key(world):
    from datetime import timedelta

    world.clock.ahead = timedelta(minutes=5)
    wrong = only(await world.check())
    assert "clock" in str(wrong.what)


async def test_a_portal_under_another_name_is_told_as_such(world):
    found = await world.check(portal_url=world.url.replace("127.0.0.1", "localhost"))
    assert "another address" in str(only(found).what)


async def test_a_portal_that_is_away_or_none_is_told_once(world):
    assert "nothing listens" in str(only(await world.check(portal_url="http://127.0.0.1:1/portal/")).what)
    assert "no portal" in str(only(await world.check(portal_url=world.url.replace("/portal/", "/other/"))).what)
