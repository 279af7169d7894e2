"""Two replicas over one real PostgreSQL: one probes, both know; killed, cut off, raced, they keep their promises."""

import asyncio
import contextlib
from datetime import timedelta

import pytest
from traitlets.config import Config

from jupytercloud_hub.contracts.heartbeat import Heartbeat, Notice
from jupytercloud_hub.federation import live, signing
from jupytercloud_hub.federation.health import Health, Order
from jupytercloud_hub.federation.login_state import LoginState
from jupytercloud_hub.federation.model import SiteState
from jupytercloud_hub.federation.replicas import Part
from jupytercloud_hub.settings.configure import configure
from tests.federation.conftest import portal_of, write_portal
from tests.federation.test_heartbeats import KEY, sign


async def until(condition, seconds: float = 40) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
async def pair(tmp_path, sites, postgresql_url, clock, monkeypatch):
    """Two portals of one database, that learn of each other by NOTIFY alone."""
    monkeypatch.setattr("jupytercloud_hub.federation.service.SYNC", 60)
    portals, ends = [], []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        file = write_portal(folder, sites, more=f'database: {{url: "{postgresql_url}"}}')
        file.write_text(
            file.read_text().replace(
                "name: grenoble, title", f'name: grenoble, key: "{signing.public_text(KEY)}", title'
            )
        )
        stack = contextlib.AsyncExitStack()
        portals.append(await stack.enter_async_context(portal_of(file, clock)))
        ends.append(stack)
    for portal in portals:
        await portal.until(grenoble="up", reims="up", paris_saclay="up")
    await until(lambda: sorted(p.service.replicas.part for p in portals) == [Part.FOLLOWS, Part.LEADS])
    yield portals
    for stack in ends:
        await stack.aclose()


def roles(pair):
    return sorted(pair, key=lambda portal: not portal.service.replicas.leads)


async def test_one_replica_probes_and_both_know(pair, sites):
    leader, follower = roles(pair)
    await asyncio.sleep(0.3)
    assert follower.service.prober._thread is None
    await sites["reims"].kill()
    await leader.until(reims="down")
    await follower.until(reims="down")
    await sites["reims"].start()
    await follower.until(reims="up")
    assert str(follower.service.board.known["reims"].shown.reason).startswith("It answered")


async def test_another_replica_takes_over_when_the_one_that_probes_is_cut_off(pair, sites):
    leader, follower = roles(pair)
    for task in leader.service.replicas._tasks:  # its connection breaks, as when it is killed
        task.cancel()
    await leader.service.prober.stop()
    await until(lambda: follower.service.replicas.leads, 4)
    await sites["reims"].kill()
    await follower.until(reims="down")


async def test_what_an_operator_orders_at_one_replica_holds_at_both_at_once(pair):
    one, two = pair
    answer = await one.client.put(
        "api/v1/sites/grenoble/drain", json={"lasts": "2 h"}, headers={"Authorization": "token admin"}
    )
    assert answer.status_code == 200
    await two.until(grenoble="draining")


async def test_a_heartbeat_to_one_replica_counts_at_both_and_can_not_be_sent_again_to_the_other(pair):
    leader, follower = roles(pair)
    body = Heartbeat(site="grenoble", sent=leader.service.now(), drain=Notice()).model_dump_json().encode()
    token = sign(follower, body)
    send = {"content": body, "headers": {"Authorization": f"Bearer {token}"}}
    assert (await follower.client.post("api/v1/heartbeats", **send)).status_code == 200
    await leader.until(grenoble="draining")
    again = await leader.client.post("api/v1/heartbeats", **send)
    assert (again.status_code, again.json()["error"]["code"]) == (401, "replayed")


async def test_two_first_visits_at_the_same_instant_on_two_replicas_give_one_home_site(pair):
    one, two = pair
    for number in range(15):
        name = f"student{number}"
        for portal in pair:
            portal.hub.people[name] = {
                **portal.hub.people["simone"],
                "name": name,
                "user_info": {"jupytercloud": {"home_organization": "www.universite-paris-saclay.fr", "person": name}},
            }
        # the two see different sites up, so that they would choose differently
        two.service.board.ordered({"paris-saclay": (Order(SiteState.DRAINING, Notice()),)} if number % 2 else {})
        answers = await asyncio.gather(*(p.get("go/hub/", person=name) for p in (one, two, one, two)))
        two.service.board.ordered({})
        listed = (await one.get(f"api/v1/home-sites/{name}", person="admin")).json()
        went = {answer.headers["Location"] for answer in answers if answer.status_code == 302}
        home = one.service.board.views[listed["site"]].url
        assert went <= {home + "hub/"}, (number, went, listed)


async def test_without_postgresql_people_with_a_home_site_are_routed_and_first_visits_are_told_the_truth(
    pair, sites, postgresql, clock
):
    one = pair[0]
    cookie = (await one.get("go/hub/")).headers["Set-Cookie"].partition(";")[0]
    if postgresql.folder is None:
        pytest.skip("the server of DATABASE_URL can't be stopped")
    postgresql.stop()
    try:
        clock.ahead = timedelta(hours=1)  # past the time in which the cookie routes without a look
        for portal in pair:
            answer = await portal.get("go/hub/x?y=%2F", cookie=cookie)
            assert answer.headers["Location"] == sites["grenoble"].url + "hub/x?y=%2F"
            first = await portal.get("go/hub/", person="simone")
            assert first.status_code == 503
            assert first.headers["Retry-After"]
        await until(lambda: all(p.service.replicas.part is Part.ALONE for p in pair))
        await sites["grenoble"].kill()
        for portal in pair:  # each probes for itself now: nobody is sent to a dead site
            await portal.until(grenoble="down")
            assert (await portal.get("go/hub/", cookie=cookie)).status_code == 503
        await sites["grenoble"].start()
    finally:
        postgresql.start()
    await until(lambda: sorted(p.service.replicas.part for p in pair) == [Part.FOLLOWS, Part.LEADS], 15)
    for portal in pair:
        await portal.until(grenoble="up")
        assert (await portal.get("go/hub/", person="simone")).status_code == 302


def test_a_login_that_began_at_one_replica_ends_at_another():
    one, two = LoginState(b"s" * 32, 600), LoginState(b"s" * 32, 600)
    state = {"next_url": "/services/federation/go/" + "aZ9%20-" * 280, "code_verifier": "v" * 43, "cookie_name": "x"}
    sealed = one.seal(state)
    assert two.open(sealed) == state
    assert len(sealed) < 2700
    assert "code_verifier" not in sealed
    assert LoginState(b"t" * 32, 600).open(sealed) == {}
    assert LoginState(b"s" * 32, -1).open(sealed) == {}
    assert two.open(sealed[:-3] + "AAA") == {}
    assert two.open("é") == {}
    assert two.open("") == {}


def test_health_is_told_as_it_is(clock):
    now = clock()
    health = Health(SiteState.DOWN, now, 0, 3, Health().reason, now, None, "6.1.1")
    assert live.load_health(live.dump_health(health)) == health


@pytest.mark.parametrize(("secret", "said"), [(None, "is not set"), ("short", "5 characters; 32 are needed")])
async def test_replicas_do_not_begin_without_the_secret_that_they_are_to_share(
    tmp_path, sites, monkeypatch, secret, said
):
    monkeypatch.delenv("SHARED_COOKIE_SECRET", raising=False)
    if secret:
        monkeypatch.setenv("SHARED_COOKIE_SECRET", secret)
    file = write_portal(tmp_path, sites, more="  cookie_secret: {env: SHARED_COOKIE_SECRET}\n")
    with pytest.raises(SystemExit, match=said):
        async with portal_of(file):
            pass


async def test_two_replicas_with_one_secret_read_each_others_cookies_whatever_their_state_folders(
    tmp_path, sites, monkeypatch
):
    monkeypatch.setenv("SHARED_COOKIE_SECRET", "s" * 32)
    file = write_portal(tmp_path, sites, more="  cookie_secret: {env: SHARED_COOKIE_SECRET}\n")
    async with portal_of(file) as one, portal_of(file) as two:
        header = "service-federation=marie"
        cookie = one.service.cookies.make("reims", header, one.service.now())
        assert two.service.cookies.read(f"{header}; jupytercloud-route={cookie}").site == "reims"
        assert one.service.context.cookie_secret == two.service.context.cookie_secret != b"k" * 32


def test_a_hub_whose_replicas_somebody_else_runs_must_know_their_token_and_address(
    tmp_path, sites, monkeypatch, capsys
):
    monkeypatch.delenv("JUPYTERCLOUD_FEDERATION_API_TOKEN", raising=False)
    file = write_portal(tmp_path, sites)
    file.write_text(file.read_text().replace("state: ./state}", "state: ./state, services: external}"))
    with pytest.raises(SystemExit):
        configure(Config(), file)
    told = capsys.readouterr().err
    assert "JUPYTERCLOUD_FEDERATION_API_TOKEN" in told
    assert "site.service_urls" in told
    monkeypatch.setenv("JUPYTERCLOUD_FEDERATION_API_TOKEN", "t" * 32)
    url = 'services: external, service_urls: {federation: "http://127.0.0.1:8010"}}'
    file.write_text(file.read_text().replace("services: external}", url))
    config = Config()
    configure(config, file)
    (service,) = [one for one in config.JupyterHub.services if one["name"] == "federation"]
    assert "command" not in service
    assert (service["api_token"], service["url"]) == ("t" * 32, "http://127.0.0.1:8010")
