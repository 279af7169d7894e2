"""Limits over all sites: what counts, what routing and pages say, what sites are told and apply."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from jupytercloud_hub.contracts.heartbeat import Heartbeat, RunningServer
from jupytercloud_hub.contracts.limits import LimitsTold, SharedLimit, mark, reached
from jupytercloud_hub.contracts.text import Localized
from jupytercloud_hub.federation import limits, signing
from jupytercloud_hub.federation.model import Held
from jupytercloud_hub.settings import load
from jupytercloud_hub.settings.federation import FederationSettings, PortalLink
from jupytercloud_hub.storage.limits_file import LimitsFile, forget_limits, write_limits
from tests.federation.conftest import portal_of, write_portal
from tests.federation.test_agent import SITE, agent_of, hub_api
from tests.federation.test_heartbeats import KEY, OTHER, send, sign

__all__ = ["hub_api"]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ONE_GPU = SharedLimit(
    name="one-gpu", title=Localized({"fr": "Un serveur avec GPU", "en": "One GPU server"}), most=1, gpu=True
)
MARIE = "marie@univ-grenoble-alpes.fr"


def beat(site: str, *servers: RunningServer, sent: datetime = NOW) -> Heartbeat:
    return Heartbeat(site=site, sent=sent, servers=servers)


def server(person: str = MARIE, profile: str = "gpu", gpu: int = 1) -> RunningServer:
    return RunningServer(person=person, profile=profile, gpu=gpu)


HELD = Held("reims", server(), NOW)
CASES = {
    "1 nothing runs": ((), "gpu", True, "grenoble", False),
    "2 one runs at another site": ((HELD,), "gpu", True, "grenoble", True),
    "3 it runs at the very site: she is on her way to it": ((HELD,), "gpu", True, "reims", False),
    "4 what she wants has no GPU": ((HELD,), "lab", False, "grenoble", False),
    "5 what runs has no GPU": ((Held("reims", server(gpu=0), NOW),), "gpu", True, "grenoble", False),
    "6 what is stale does not count": ((Held("reims", server(), NOW, stale=True),), "gpu", True, "grenoble", False),
}


@pytest.mark.parametrize("case", CASES)
def test_what_routing_counts(case):
    held, profile, gpu, site, expected = CASES[case]
    assert (limits.exceeded((ONE_GPU,), profile, gpu, held, site) is not None) is expected


def test_a_limit_of_profiles_counts_those_only():
    some = SharedLimit(name="x", most=2, profiles=("big-*",))
    assert some.counts("big-memory", False)
    assert not some.counts("lab", True)
    assert limits.exceeded((some,), "big-1", False, [Held("reims", server(profile="big-2"), NOW)], "lille") is None


def told(*beats: Heartbeat, site: str = "grenoble", now: datetime = NOW) -> LimitsTold:
    return limits.told_to(site, (ONE_GPU,), beats, {"reims": Localized("Reims")}, now, MINUTE)


def test_a_site_is_told_counts_of_other_sites_without_a_name():
    answer = told(beat("reims", server(), server("zoe@x")), beat("grenoble", server()), beat("lille", server(gpu=0)))
    assert sorted(each.who for each in answer.elsewhere) == sorted([mark("grenoble", MARIE), mark("grenoble", "zoe@x")])
    assert {each.site.in_("fr") for each in answer.elsewhere} == {"Reims"}
    assert MARIE not in answer.model_dump_json()
    assert mark("grenoble", MARIE) != mark("lille", MARIE)  # two sites can't compare what they were told


def test_a_site_that_is_silent_is_not_counted():
    assert told(beat("reims", server(), sent=NOW - MINUTE)).elsewhere == ()


@pytest.mark.parametrize(
    ("here", "elsewhere", "profile", "expected"),
    [
        ([], 0, "gpu", None),
        ([], 1, "gpu", 1),
        ([], 1, "lab", None),
        ([("gpu", True)], 0, "gpu", 1),
        ([("lab", False)], 0, "gpu", None),
        ([("gpu", True)], 1, "gpu", 2),
    ],
)
def test_what_a_sites_admission_counts(here, elsewhere, profile, expected):
    answer = told(*[beat("reims", server())] * elsewhere)
    found = reached(answer, "grenoble", MARIE, profile, profile == "gpu", here)
    assert (found.count if found else None) == expected


def test_what_was_told_is_read_again_when_it_changed_and_forgotten_when_told(tmp_path):
    file = LimitsFile(tmp_path)
    assert file.told() is None
    write_limits(tmp_path, told())
    assert file.told() == told()
    assert (tmp_path / "limits-over-all-sites.json").stat().st_mode & 0o077 == 0
    more = told(beat("reims", server()))
    write_limits(tmp_path, more)
    assert file.told() == more
    forget_limits(tmp_path)
    assert file.told() is None
    (tmp_path / "limits-over-all-sites.json").write_text("{")
    assert file.told() is None


def test_settings_say_what_does_not_fit():
    with pytest.raises(ValueError, match="two limits are named"):
        FederationSettings.model_validate({"limits": [{"name": "a", "most": 1}, {"name": "a", "most": 2}]})
    with pytest.raises(ValueError, match="share_servers"):
        PortalLink.model_validate({"url": "https://p.example/", "ask_limits": True})


# over HTTP

LIMITS = """  limits:
    - {name: one-gpu, title: {fr: Un serveur avec GPU, en: One GPU server}, most: 1, gpu: true}
  tell_limits: true
"""


@pytest.fixture
async def portal(tmp_path, sites, clock):
    file = write_portal(tmp_path, sites, more=LIMITS)
    text = file.read_text()
    for name, key in (("grenoble", KEY), ("reims", OTHER)):
        text = text.replace(f"name: {name}, title", f'name: {name}, key: "{signing.public_text(key)}", title')
    file.write_text(text)
    async with portal_of(file, clock) as running:
        await running.until(grenoble="up", reims="up", paris_saclay="up")
        yield running


async def tells(portal, site, *servers, asks=True, key=KEY):
    body = Heartbeat(
        site=site,
        sent=portal.service.now(),
        profiles=("lab", "gpu"),
        gpu_profiles=("gpu",),
        titles={"gpu": Localized({"fr": "Carte graphique", "en": "Graphics card"})},
        servers=servers,
        asks_limits=asks,
    )
    raw = body.model_dump_json().encode()
    return (await send(portal, raw, sign(portal, raw, key=key, site=site, now=portal.service.now()))).json()


async def test_a_second_gpu_server_is_not_routed_and_the_page_says_which_one_counts_where_and_since_when(portal, clock):
    await tells(portal, "grenoble")
    await portal.get("go/hub/")  # marie is at home at Grenoble
    await tells(portal, "reims", server(), key=OTHER)
    clock.ahead = timedelta(seconds=7)
    answer = await portal.get("go/~profile=gpu/hub/", **{"accept-language": "en"})
    assert answer.status_code == 409
    assert "“One GPU server” allows 1 at once over all sites, and you have 1." in answer.text
    assert "Graphics card" in answer.text
    assert 'href="' + portal.service.board.views["reims"].url + 'hub/home"' in answer.text
    assert re.search(r"<td>\d+ s ago", answer.text)
    french = await portal.get("go/~profile=gpu/hub/", **{"accept-language": "fr"})
    assert "Vous avez déjà ce qui est permis" in french.text
    why = (await portal.get("api/v1/explain?profile=gpu", **{"accept-language": "en"})).json()
    assert (why["outcome"], why["reason"].split("”")[0]) == ("limited", "“One GPU server")
    # to the server that runs, to another profile, and without one, nothing is in the way
    assert (await portal.get("go/~site=reims/~profile=gpu/hub/")).status_code == 302
    assert (await portal.get("go/~profile=lab/hub/")).status_code == 302
    assert (await portal.get("go/hub/")).status_code == 302


async def test_what_is_stale_refuses_nobody_and_is_shown_as_stale(portal, clock):
    await tells(portal, "reims", server(), key=OTHER)
    await tells(portal, "grenoble")
    page = await portal.get("", **{"accept-language": "en"})
    assert "One GPU server: at most 1 at once, you have 1." in page.text
    assert "ut of date" not in page.text
    clock.ahead = timedelta(minutes=3)
    await tells(portal, "grenoble")
    page = await portal.get("", **{"accept-language": "en"})
    assert "Out of date: the site is silent" in page.text
    assert "you have 0. Not counted, because its site is silent: 1." in page.text
    assert (await portal.get("go/~profile=gpu/hub/")).status_code == 302
    clock.ahead = timedelta(days=2)
    assert "My running servers" not in (await portal.get("", **{"accept-language": "en"})).text


async def test_a_site_is_told_only_where_both_sides_switched_it_on(portal):
    await tells(portal, "reims", server(), key=OTHER)
    answer = await tells(portal, "grenoble")
    assert [each["who"] for each in answer["limits"]["elsewhere"]] == [mark("grenoble", MARIE)]
    assert (await tells(portal, "grenoble", asks=False))["limits"] is None
    object.__setattr__(portal.service.federation, "tell_limits", False)
    assert (await tells(portal, "grenoble"))["limits"] is None


async def test_somebody_without_an_identifier_is_not_counted_and_her_page_says_so(portal):
    portal.hub.people["nameless"] = {**portal.hub.people["marie"], "name": "nameless", "user_info": {
        "jupytercloud": {"home_organization": "univ-grenoble-alpes.fr"}}}  # fmt: skip
    await tells(portal, "reims", server(), key=OTHER)
    page = await portal.get("", person="nameless", **{"accept-language": "en"})
    assert "gives no identifier that is the same at every site" in page.text
    assert "you have 0" in page.text


# the site's agent


@pytest.fixture
async def agent(tmp_path, hub_api):
    """An agent whose portal answers with what stands in ``answers``."""
    file = tmp_path / "site.yaml"
    file.write_text(SITE.format(share="true, ask_limits: true"))
    answers = []
    agent = agent_of(load(file), httpx.MockTransport(lambda request: httpx.Response(200, json=answers[-1])))
    answers.append({"state": "up", "reason": "", "limits": None})
    await agent.start()
    yield agent, answers, LimitsFile(agent.settings.state_folder)
    await agent.stop()


async def test_the_agent_keeps_what_it_is_told_and_forgets_it_when_the_portal_tells_no_more(agent, caplog):
    sender, answers, file = agent
    known = told(beat("reims", server()))
    answers.append({"state": "up", "reason": "", "limits": known.model_dump(mode="json")})
    await sender.send()
    assert file.told() == known
    assert (await sender.health())[1]["limits_over_all_sites"] == "1 in force"
    answers.append({"state": "up", "reason": "", "limits": {"told": "yesterday"}})
    await sender.send()
    assert file.told() == known  # what it does not understand changes nothing; it goes stale by itself
    assert "not understood" in (await sender.health())[1]["limits_over_all_sites"]
    answers.append({"state": "up", "reason": "", "limits": None})
    await sender.send()
    assert file.told() is None
    said = [record.message for record in caplog.get_records("setup")]
    assert [line for line in said if "ask_limits has no effect" in line]  # this hub has no quotas
