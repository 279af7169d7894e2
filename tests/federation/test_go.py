"""``/go/…`` over HTTP: byte for byte, honest pages, home sites that are set once, life without hub and database."""

import asyncio
from datetime import timedelta

import pytest

LINK = "hub/user-redirect/lab/tree/premiers-pas.ipynb?reset&x=1%2F2&p=a%20b"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_link_goes_to_the_home_site_byte_for_byte(portal, sites, method):
    answer = await portal.get("go/" + LINK, method=method)
    assert answer.status_code == 302
    assert answer.headers["Location"] == sites["grenoble"].url + LINK
    assert answer.content == b""


async def test_the_second_time_neither_hub_nor_database_is_asked(portal, sites, monkeypatch):
    first = await portal.get("go/" + LINK)
    asked = portal.hub.asked
    cookie = first.headers["Set-Cookie"].partition(";")[0]
    monkeypatch.setattr(portal.service, "database", None)  # whoever asks it breaks
    again = await portal.get("go/" + LINK, cookie=cookie)
    assert again.headers["Location"] == sites["grenoble"].url + LINK
    assert portal.hub.asked == asked


async def test_the_cookie_says_nothing_of_the_person_and_is_kept_from_scripts(portal):
    cookie = (await portal.get("go/" + LINK)).headers["Set-Cookie"]
    assert "marie" not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/portal/services/federation/go/" in cookie


@pytest.mark.parametrize("trick", ["another session", "changed site", "changed signature", "too old", "other rules"])
async def test_a_cookie_that_is_not_quite_right_is_worth_nothing(portal, clock, sites, trick):
    name, _, value = (await portal.get("go/hub/")).headers["Set-Cookie"].partition(";")[0].partition("=")
    site, issued, mac = value.split(".")
    person = "marie"
    if trick == "another session":
        person = "simone"
    elif trick == "changed site":
        site = "reims"
    elif trick == "changed signature":
        mac = mac[:-1] + ("A" if mac[-1] != "A" else "B")
    elif trick == "too old":
        clock.ahead = timedelta(minutes=11)
    else:
        portal.service.cookies._key = b"other"
    asked = portal.hub.asked
    answer = await portal.get("go/hub/", person=person, cookie=f"{name}={site}.{issued}.{mac}")
    assert portal.hub.asked == asked + 1
    expected = "paris-saclay" if person == "simone" else "grenoble"
    assert answer.headers["Location"] == sites[expected].url + "hub/"


async def test_a_person_of_no_known_organization_gets_a_403_page_in_her_language(portal):
    answer = await portal.get("go/hub/", person="paul", **{"accept-language": "fr"})
    assert answer.status_code == 403
    assert 'lang="fr"' in answer.text
    assert "aide@portail.example" in answer.text
    english = await portal.get("go/hub/", person="paul", **{"accept-language": "en"})
    assert "not open to you" in english.text


async def test_a_home_site_that_is_killed_gives_an_honest_503_within_seconds_and_nobody_is_sent_elsewhere(
    portal, sites
):
    await portal.get("go/hub/")
    await sites["grenoble"].kill()
    await portal.until(grenoble="down")
    answer = await portal.get("go/hub/")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "Location" not in answer.headers
    assert "Grenoble" in answer.text


async def test_a_cookie_does_not_send_anybody_to_a_dead_site(portal, sites):
    cookie = (await portal.get("go/hub/")).headers["Set-Cookie"].partition(";")[0]
    await sites["grenoble"].kill()
    await portal.until(grenoble="down")
    assert (await portal.get("go/hub/", cookie=cookie)).status_code == 503


async def test_a_site_is_named_in_the_link(portal, sites):
    answer = await portal.get("go/~site=reims/hub/x?y")
    assert answer.headers["Location"] == sites["reims"].url + "hub/x?y"
    assert (await portal.get("go/~site=paris-saclay/hub/")).status_code == 403
    assert (await portal.get("go/~site=atlantis/hub/")).status_code == 404
    listed = await portal.get("api/v1/home-sites", person="admin")
    assert listed.json()["items"] == []


async def test_a_cookie_does_not_take_a_named_site_away(portal, sites):
    cookie = (await portal.get("go/hub/")).headers["Set-Cookie"].partition(";")[0]
    answer = await portal.get("go/~site=reims/hub/", cookie=cookie)
    assert answer.headers["Location"] == sites["reims"].url + "hub/"


async def test_two_first_visits_at_the_same_instant_give_one_home_site(portal):
    answers = await asyncio.gather(*(portal.get("go/hub/", person="simone") for _ in range(12)))
    assert len({answer.headers["Location"] for answer in answers}) == 1
    listed = (await portal.get("api/v1/home-sites", person="admin")).json()["items"]
    assert [(row["user"], row["site"]) for row in listed] == [("simone", "paris-saclay")]


async def test_who_is_not_logged_in_is_sent_to_the_hub_first(portal):
    answer = await portal.get("go/" + LINK, person=None)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/portal/hub/api/oauth2/authorize")


@pytest.mark.parametrize(
    "rest", ["/elsewhere.example", "hub/..%2f..", "\\\\x", "hub%0d%0aX:y", "https://elsewhere.example/"]
)
async def test_a_link_that_leads_elsewhere_gets_a_400_page_before_any_login(portal, rest):
    asked = portal.hub.asked
    answer = await portal.get("go/" + rest, person=None)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "X" not in answer.headers
    assert portal.hub.asked == asked


async def test_with_hub_and_database_away_people_with_a_home_site_are_still_routed(portal, clock, sites, monkeypatch):
    cookie = (await portal.get("go/hub/")).headers["Set-Cookie"].partition(";")[0]
    clock.ahead = timedelta(hours=1)  # the cookie no longer routes by itself
    portal.hub.away = True
    answer = await portal.get("go/" + LINK, cookie=cookie)
    assert answer.headers["Location"] == sites["grenoble"].url + LINK
    first_visit = await portal.get("go/hub/")
    assert first_visit.status_code == 503
    assert first_visit.headers["Retry-After"]
    portal.hub.away = False
    monkeypatch.setattr(portal.service, "database", None)
    answer = await portal.get("go/" + LINK, cookie=cookie)
    assert answer.headers["Location"] == sites["grenoble"].url + LINK
    assert (await portal.get("go/hub/", person="simone")).status_code == 503
