"""The portal's pages in both languages, in each state of a site; the status for everybody; the API beside them."""

from datetime import timedelta

import pytest

from jupytercloud_hub.contracts.heartbeat import Heartbeat, Notice, RunningServer
from jupytercloud_hub.federation import homes, store
from jupytercloud_hub.federation.homes import HomeSite
from tests.federation.conftest import portal_of, write_portal

FRENCH = {"accept-language": "fr"}
ENGLISH = {"accept-language": "en"}


def tell(portal, **more):
    portal.service.board.heard(Heartbeat(site="grenoble", sent=portal.service.now(), **more))


async def test_the_portal_page_shows_my_site_and_all_others_with_their_state_in_words(portal):
    page = await portal.get("", **FRENCH)
    assert page.status_code == 200
    assert "En service" in page.text
    assert "Paris-Saclay" in page.text
    assert "Aucune règle ne vous l&#39;ouvre" in page.text or "Aucune règle ne vous l'ouvre" in page.text
    assert "Up" in (await portal.get("", **ENGLISH)).text


async def test_the_portal_page_lists_my_running_servers_where_sites_share_them_and_nobody_elses(portal):
    started = portal.service.now()
    mine = RunningServer(person="marie@univ-grenoble-alpes.fr", profile="lab", started=started)
    other = RunningServer(person="simone@univ-reims.fr", profile="secret-profile", started=started)
    assert "Mes serveurs en marche" not in (await portal.get("", **FRENCH)).text
    tell(portal, servers=(mine, other))
    page = (await portal.get("", **FRENCH)).text
    assert "Mes serveurs en marche" in page
    assert "<td>lab</td>" in page
    assert "secret-profile" not in page


async def test_looking_at_the_page_sets_no_home_site(portal):
    await portal.get("")
    assert (await portal.get("api/v1/home-sites/marie")).status_code == 404
    await portal.get("go/hub/")
    assert (await portal.get("api/v1/home-sites/marie")).json()["site"] == "grenoble"
    assert "Votre site" in (await portal.get("", **FRENCH)).text


@pytest.mark.parametrize(
    ("told", "french", "english"),
    [
        ({"drain": Notice(message={"fr": "Panne de clim", "en": "Cooling broke"})}, "Panne de clim", "Cooling broke"),
        ({"maintenance": Notice()}, "En maintenance", "Under maintenance"),
        ({"free": {"*": 0}}, "Plein", "Full"),
    ],
)
@pytest.mark.parametrize("page", ["", "status", "go/hub/"])
async def test_each_state_is_told_on_each_page(portal, told, french, english, page):
    await portal.get("go/hub/")
    tell(portal, **told)
    in_french, in_english = await portal.get(page, **FRENCH), await portal.get(page, **ENGLISH)
    assert french.lower() in in_french.text.lower()
    assert english.lower() in in_english.text.lower()
    if page.startswith("go"):
        assert in_french.status_code == 503


async def test_an_announced_end_is_told_and_is_when_to_come_back(portal):
    await portal.get("go/hub/")
    tell(portal, maintenance=Notice(until=portal.service.now() + timedelta(minutes=30)))
    answer = await portal.get("go/hub/", **ENGLISH)
    assert answer.status_code == 503
    assert 1700 < int(answer.headers["Retry-After"]) <= 1800
    assert "Announced until" in answer.text


async def test_the_home_site_lacks_the_profile_and_she_chooses(portal, sites):
    await portal.get("go/hub/")
    tell(portal, profiles=("lab",))
    page = await portal.get("go/~profile=gpu/hub/x?y=1%2F2", **ENGLISH)
    assert page.status_code == 200
    assert 'href="/portal/services/federation/go/hub/x?y=1%2F2"' in page.text
    assert 'href="/portal/services/federation/go/~site=reims/~profile=gpu/hub/x?y=1%2F2"' in page.text
    went = await portal.get("go/~site=reims/~profile=gpu/hub/x?y=1%2F2")
    assert went.headers["Location"] == sites["reims"].url + "hub/x?y=1%2F2"


async def test_the_status_is_for_everybody_and_names_nobody(portal):
    await portal.get("go/hub/")
    page, api = await portal.get("status", person=None), await portal.get("api/v1/status", person=None)
    assert page.status_code == api.status_code == 200
    assert [site["state"] for site in api.json()["sites"]] == ["up", "up", "up"]
    assert "marie" not in page.text + api.text


async def test_explain_tells_oneself_everything_and_others_nothing(portal):
    own = (await portal.get("api/v1/explain", **ENGLISH)).json()
    assert (own["site"], own["outcome"], own["sets_home"]) == ("grenoble", "go", True)
    assert own["others"]["paris-saclay"] == "No rule allows it to you."
    assert (await portal.get("api/v1/explain?user=simone")).status_code == 403
    assert (await portal.get("api/v1/explain", person=None)).status_code == 401
    assert (await portal.get("api/v1/explain?site=..%2Fx")).status_code == 400
    assert (await portal.get("api/v1/home-sites")).status_code == 403
    assert (await portal.get("api/v1/home-sites/simone")).status_code == 403


async def test_a_person_can_be_exported_and_erased_twice(portal):
    await portal.get("go/hub/")
    database = portal.service.database
    async with database.session() as session:
        assert (await store.export(session, "marie"))["home_site"]["site"] == "grenoble"
    for _ in range(2):
        async with database.session() as session:
            await store.erase(session, "marie", "erased-1")
    async with database.session() as session:
        assert (await store.export(session, "marie"))["home_site"] is None


async def test_an_operator_moves_a_home_site_and_people_follow(portal, sites):
    await portal.get("go/hub/")
    moved = HomeSite(
        "marie@univ-grenoble-alpes.fr", "marie", "reims", portal.service.now(), "admin", "homes were copied"
    )
    async with portal.service.database.session() as session:
        before = await homes.move(session, moved, portal.service.now())
    assert before.site == "grenoble"
    assert (await portal.get("go/hub/")).headers["Location"] == sites["reims"].url + "hub/"


async def test_who_gets_an_identifier_later_keeps_her_home_site(portal, sites):
    people = portal.hub.people
    anonymous = {**people["marie"], "user_info": {"jupytercloud": {"home_organization": "univ-grenoble-alpes.fr"}}}
    try:
        named, people["marie"] = people["marie"], anonymous
        assert "no identifier that is the same" in (await portal.get("", **ENGLISH)).text
        await portal.get("go/~site=reims/hub/")
        await portal.get("go/hub/")
        async with portal.service.database.session() as session:
            await homes.move(
                session, HomeSite(None, "marie", "reims", portal.service.now(), "admin", ""), portal.service.now()
            )
    finally:
        people["marie"] = named
    assert (await portal.get("go/hub/")).headers["Location"] == sites["reims"].url + "hub/"


async def test_people_who_do_not_come_back_are_forgotten(portal, clock):
    await portal.get("go/hub/")
    clock.ahead = timedelta(days=366)
    await portal.service._clean()
    assert (await portal.get("api/v1/home-sites/marie")).status_code == 404


async def test_the_status_page_shows_ninety_days_as_a_picture_with_words(portal):
    page = await portal.get("status", person=None, **ENGLISH)
    assert page.text.count("<rect") >= 3 * 90
    assert "Usable for" in page.text
    assert 'role="img"' in page.text


async def test_the_status_page_lives_without_a_database(portal, monkeypatch):
    monkeypatch.setattr(portal.service, "database", None)
    page = await portal.get("status", person=None, **ENGLISH)
    assert page.status_code == 200
    assert "database is away" in page.text
    assert (await portal.get("api/v1/status", person=None)).json()["transitions"] is None


async def test_a_teacher_makes_a_link_that_works(portal, sites):
    page = await portal.get("links?make=1&kind=file&path=tp%2F1+a.ipynb&profile=&site=", **FRENCH)
    assert page.status_code == 200
    assert "/portal/services/federation/go/hub/user-redirect/lab/tree/tp/1%20a.ipynb" in page.text
    answer = await portal.get("go/hub/user-redirect/lab/tree/tp/1%20a.ipynb")
    assert answer.headers["Location"] == sites["grenoble"].url + "hub/user-redirect/lab/tree/tp/1%20a.ipynb"
    wrong = await portal.get("links?make=1&kind=git&repository=%22%3E%3Cscript%3E", **FRENCH)
    assert "<script>" not in wrong.text
    assert 'role="alert"' in wrong.text


async def test_an_error_page_has_words_whatever_the_query_holds(portal):
    answer = await portal.get("go/~site=atlantis/hub/?lang=%ff", **ENGLISH)
    assert answer.status_code == 404
    assert "no such site" in answer.text


async def test_an_operator_drains_a_site_on_a_page_and_lets_people_in_again(portal):
    assert (await portal.get("operate", person="marie")).status_code == 403
    page = await portal.get("operate", person="admin", **ENGLISH)
    assert page.status_code == 200
    form = {"message_fr": "Panne <b>", "message_en": "Broken", "lasts": "2 h", "reason": "cooling"}
    cookies = {"Cookie": "service-federation=admin"}
    done = await portal.client.post("operate/reims/drain", data=form, headers=cookies)
    assert done.status_code == 302
    assert portal.service.board.known["reims"].shown.state == "draining"
    page = await portal.get("operate", person="admin", **FRENCH)
    assert "Panne &lt;b&gt;" in page.text
    assert "drain begin" in page.text
    assert "cooling" in page.text
    refused = await portal.client.post("operate/reims/resume", headers={"Cookie": "service-federation=marie"})
    assert refused.status_code == 403
    wrong = await portal.client.post("operate/reims/drain", data={"lasts": "soon"}, headers=cookies)
    assert wrong.status_code == 400
    await portal.client.post("operate/reims/resume", headers=cookies)
    assert portal.service.board.known["reims"].shown.state == "up"


@pytest.mark.parametrize(("person", "told"), [("subject", True), ("voperson_id", False)])
async def test_a_portal_that_knows_people_by_their_subject_says_what_that_means(tmp_path, sites, person, told):
    auth = f'\nauth: {{issuer: "https://idp.example/", client_id: x, client_secret: {{env: X}}, person: {person}}}\n'
    async with portal_of(write_portal(tmp_path, sites, more=auth)) as portal:
        page = await portal.get("", **ENGLISH)
        assert ("by their login at its own identity provider" in page.text) is told
