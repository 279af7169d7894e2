"""Choosing the organization: our page, the federation's discovery service, and links that name it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from jupytercloud_hub.auth.organizations import choices, search
from jupytercloud_hub.identity import Institution
from tests.integration.test_login_renater import GRENOBLE, TRAITS
from tests.support.login import Browser, hub_and_provider

SACLAY = {
    "name": "saclay",
    "title": {"fr": "Université Paris-Saclay", "en": "Paris-Saclay University"},
    "home_organizations": ["univ-paris-saclay.example"],
}
BOTH = {**TRAITS, "institutions": [GRENOBLE, SACLAY], "organization_choice": "page"}


async def test_the_page_lists_searches_remembers_and_keeps_the_link(tmp_path: Path) -> None:
    async with hub_and_provider(tmp_path, traits=BOTH) as (hub, _), Browser(hub) as browser:
        link = f"{hub.hub.base_url}user-redirect/lab?reset&x=1%2F2&p=a%20b"
        page = await browser.get(f"login?next={quote(link, safe='')}")
        assert "De quel établissement êtes-vous" in page.text
        assert "Université de Grenoble" in page.text
        found = await browser.http.get(page.url.copy_merge_params({"q": "UNIVERSITE saclay"}))
        assert "Université de Grenoble" not in found.text
        assert "Université Paris-Saclay" in found.text
        form = {"organization": "grenoble", "next": link, "remember": "1"}
        page = await browser._follow(await browser.http.post(page.url, data=form))
        assert "password_input" in page.text, "the provider does not ask again"
        end = await browser.authenticate(page, "alice", "univ-grenoble.example", stop="user-redirect")
        assert end.headers["location"] == link
        for cookie in list(browser.http.cookies.jar):
            if cookie.name.startswith("jupyterhub-"):
                browser.http.cookies.jar.clear(cookie.domain, cookie.path, cookie.name)
        assert (await browser.get("login", stop="/spawn")).is_redirect, "neither choice nor password a second time"
        page = await browser.get("oauth_login?again=1")
        assert "Comme la dernière fois" in page.text


async def test_a_link_names_an_organization_only_if_it_is_an_allowed_one(tmp_path: Path) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS) as (hub, issuer), Browser(hub) as browser:
        for name in ("idphint", "aarc_idp_hint", "kc_idp_hint", "selected_idp", "entityID"):
            await browser.get(f"oauth_login?{name}=univ-grenoble.example", stop=issuer)
            assert parse_qs(urlsplit(browser.visited[-1]).query)["idphint"] == ["univ-grenoble.example"]
        for value in ("evil.example", "univ-grenoble.example.evil", "https://evil.example/univ-grenoble.example"):
            await browser.get(f"oauth_login?idphint={quote(value)}", stop=issuer)
            assert "idphint" not in parse_qs(urlsplit(browser.visited[-1]).query)


async def test_the_federation_s_discovery_service_sends_people_back_with_their_organization(tmp_path: Path) -> None:
    traits = {
        **TRAITS,
        "organization_choice": "discovery-service",
        "discovery_entity_id": "https://proxy.example/sp",
        "discovery_service": "http://127.0.0.1:9/WAYF",
    }
    async with hub_and_provider(tmp_path, traits=traits) as (hub, issuer), Browser(hub) as browser:
        page = await browser.get("login?next=" + quote(f"{hub.hub.base_url}home"), stop="/WAYF")
        sent = parse_qs(urlsplit(page.headers["location"]).query)
        assert sent["entityID"] == ["https://proxy.example/sp"]
        assert sent["returnIDParam"] == ["entityID"]
        back = f"{sent['return'][0]}&entityID=univ-grenoble.example"
        page = await browser.get(back)
        assert "password_input" in page.text
        end = await browser.authenticate(page, "alice", "univ-grenoble.example", stop="/hub/home")
        assert end.headers["location"] == f"{hub.hub.base_url}home"
        page = await browser.get("oauth_login?entityID=evil.example", stop=issuer)
        assert "idphint" not in parse_qs(urlsplit(browser.visited[-1]).query)


def test_a_search_knows_neither_accents_nor_capitals_nor_an_order_of_words() -> None:
    rules = [
        Institution(name="ens", title={"fr": "École normale supérieure", "en": "ENS"}, home_organizations=("ens.fr",)),
        Institution(name="uga", title="Université Grenoble Alpes", home_organizations=("*.uga.fr",)),
        Institution(name="x", title="Denied", home_organizations=("x.fr",), deny=True),
        Institution(name="y", title="Abc", idps=("https://y.example/idp",), home_organizations=("y.fr",)),
    ]
    known = choices(rules)
    assert [one.name for one in known] == ["ens", "y"], "whom only a pattern recognises can't be chosen"
    assert known[1].hint == "https://y.example/idp"
    assert [one.name for one in search(known, "superieure ECOLE", "fr")] == ["ens"]
    assert [one.name for one in search(known, "", "fr")] == ["y", "ens"]
    assert search(known, "nowhere", "fr") == []
