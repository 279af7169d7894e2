"""Logging in at a real, certified OpenID provider, through the hub's own addresses."""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from jupytercloud_hub.auth.oidc import discovery
from tests.support.login import BASE_PATH, Browser, client_metadata, hub_and_provider, renater_hub
from tests.support.ports import free_port
from tests.support.provider import provider

GRENOBLE = {
    "name": "grenoble",
    "title": {"fr": "Université de Grenoble", "en": "University of Grenoble"},
    "home_organizations": ["univ-grenoble.example"],
    "affiliations": ["faculty", "student", "staff"],
    "groups": ["grenoble", {"name": "research", "affiliations": ["faculty"]}],
    "contact": "identites@univ-grenoble.example",
}
TRAITS = {
    "institutions": [GRENOBLE],
    "site_settings": {"name": "hub", "url": "http://127.0.0.1/", "contact": "aide@hub.example"},
}


async def test_a_person_logs_in_and_the_hub_knows_her_name_groups_and_organization(tmp_path: Path) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS) as (hub, issuer), Browser(hub) as browser:
        page = await browser.log_in(
            "alice", "univ-grenoble.example", address="login?next=" + quote(f"{hub.hub.base_url}home")
        )
        assert page.status_code == 200, page.text
        user = hub.users["alice@univ-grenoble.example"]
        assert sorted(group.name for group in user.groups) == ["grenoble", "research"]
        mfa_until = user.user_info["jupytercloud"].pop("mfa_until")
        assert 0 < mfa_until - time.time() <= hub.authenticator.mfa_max_age, (
            "the provider says that she had two factors"
        )
        assert user.user_info == {
            "name": "Alice Martin",
            "display_name": "Alice Martin",
            "initials": "AM",
            "jupytercloud": {
                "person": "alice@univ-grenoble.example",
                "home_organization": "univ-grenoble.example",
                "affiliations": ["faculty", "member"],
                "language": "fr",
            },
        }
        kept = await user.get_auth_state()
        assert kept["identity"]["subject"]["issuer"] == issuer
        assert kept["access_token"] not in str(user.encrypted_auth_state)


async def test_a_deep_link_arrives_byte_for_byte(tmp_path: Path) -> None:
    link = "user-redirect/lab/tree/premiers-pas.ipynb?reset&x=1%2F2&p=a%20b"
    async with hub_and_provider(tmp_path, traits=TRAITS) as (hub, _), Browser(hub) as browser:
        page = await browser.log_in("alice", "univ-grenoble.example", address=link, stop="user-redirect")
        assert page.headers["location"] == f"{hub.hub.base_url}{link}"


async def test_two_logins_at_once_in_one_browser_both_end_well(tmp_path: Path) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS) as (hub, _), Browser(hub) as browser:
        first = await browser.get("login?next=" + quote(f"{hub.hub.base_url}home?tab=1"))
        second = await browser.get("login?next=" + quote(f"{hub.hub.base_url}home?tab=2"))
        for page, tab in ((second, 2), (first, 1)):
            end = await browser.authenticate(page, "alice", "univ-grenoble.example", stop="home?tab")
            assert end.headers["location"].endswith(f"home?tab={tab}")


async def test_the_request_has_what_the_standards_ask_for(tmp_path: Path) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS) as (hub, issuer), Browser(hub, "en") as browser:
        await browser.get("login", stop=issuer)
        sent = parse_qs(urlsplit(browser.visited[-1]).query)
        assert sent["response_type"] == ["code"]
        assert sent["code_challenge_method"] == ["S256"]
        assert len(sent["code_challenge"][0]) == 43
        assert len(sent["nonce"][0]) >= 43
        assert sent["redirect_uri"] == [f"{browser.base}oauth_callback"]
        assert sent["ui_locales"] == ["en fr"]
        assert "openid" in sent["scope"][0].split()
        assert "prompt" not in sent
        await browser.get("oauth_login?again=1", stop=issuer)
        again = parse_qs(urlsplit(browser.visited[-1]).query)
        assert again["prompt"] == ["login"]
        assert again["nonce"] != sent["nonce"]
        assert again["code_challenge"] != sent["code_challenge"]


async def test_somebody_of_an_organization_that_no_rule_knows_gets_its_own_page_in_her_language(tmp_path: Path) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS) as (hub, _):
        async with Browser(hub, "fr") as browser:
            page = await browser.log_in("karim", "institut-inconnu.example")
            assert page.status_code == 403
            assert "Votre établissement ne participe pas ici" in page.text
            assert "institut-inconnu.example" in page.text
            assert "aide@hub.example" in page.text
            assert page.headers["content-language"] == "fr"
            assert await browser.user() is None
        async with Browser(hub, "en") as browser:
            page = await browser.log_in("karim", "institut-inconnu.example")
            assert page.status_code == 403
            assert "Your organization does not take part here" in page.text
        assert "karim@institut-inconnu.example" not in hub.users


async def test_an_affiliation_that_is_not_accepted_is_named_with_whom_to_write_to(tmp_path: Path) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS) as (hub, _), Browser(hub) as browser:
        page = await browser.log_in("lea", "univ-grenoble.example")
        assert page.status_code == 403
        assert "library-walk-in" in page.text
        assert "eduperson_scoped_affiliation" in page.text
        assert "Université de Grenoble" in page.text
        assert "identites@univ-grenoble.example" in page.text


async def test_a_missing_attribute_is_named(tmp_path: Path) -> None:
    traits = {**TRAITS, "username_from": "eduperson_orcid"}
    async with hub_and_provider(tmp_path, traits=traits) as (hub, _), Browser(hub) as browser:
        page = await browser.log_in("alice", "univ-grenoble.example")
        assert page.status_code == 403
        assert "<code>eduperson_orcid</code>" in page.text


async def test_without_institutions_the_lists_of_oauthenticator_count(tmp_path: Path) -> None:
    traits = {"allowed_users": {"alice@univ-grenoble.example"}}
    async with hub_and_provider(tmp_path, traits=traits) as (hub, _):
        async with Browser(hub) as browser:
            await browser.log_in("alice", "univ-grenoble.example", stop="/spawn")
            assert "alice@univ-grenoble.example" in hub.users
        async with Browser(hub) as browser:
            page = await browser.log_in("benoit", "univ-grenoble.example")
            assert page.status_code == 403
            assert "compte" in page.text


async def test_a_login_that_is_given_up_ends_on_a_page_of_ours(tmp_path: Path) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS) as (hub, _), Browser(hub) as browser:
        page = await browser.get("login")
        page = await browser._follow(await browser.http.get(page.url.copy_with(params={"cancel": ""})))
        assert page.status_code == 403
        assert "the person gave up" not in page.text
        assert "provider-access-denied" in page.text


async def test_an_error_is_shown_only_to_the_browser_that_began_the_login(tmp_path: Path) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS) as (hub, issuer), Browser(hub) as browser:
        page = await browser.get(f"oauth_callback?error=x&error_description=call+0800&iss={issuer}")
        assert page.status_code == 400
        assert "0800" not in page.text
        assert "state-missing" in page.text


async def test_the_hub_starts_and_says_so_while_the_provider_is_down_and_logs_in_when_it_is_back(
    tmp_path: Path,
) -> None:
    hub_port, provider_port = free_port(), free_port()
    issuer = f"http://127.0.0.1:{provider_port}"
    async with renater_hub(tmp_path, issuer, port=hub_port, traits=TRAITS) as hub, Browser(hub) as browser:
        page = await browser.get("login")
        assert page.status_code == 503
        assert page.headers["retry-after"] == "30"
        assert "Le service de connexion ne répond pas" in page.text
        clock = hub.authenticator.party.discovery
        clock._now = lambda: discovery.time.monotonic() + discovery.COOLDOWN + 1
        async with provider(tmp_path, port=provider_port, clients=[client_metadata(browser.base)]):
            await browser.log_in("alice", "univ-grenoble.example", stop="/spawn")
            assert "alice@univ-grenoble.example" in hub.users


async def test_logging_out_ends_the_session_here_and_at_the_provider(tmp_path: Path) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS) as (hub, issuer), Browser(hub) as browser:
        await browser.log_in("alice", "univ-grenoble.example", stop="/spawn")
        page = await browser.get("logout")
        ended = next(address for address in browser.visited if "session/end" in address)
        sent = parse_qs(urlsplit(ended).query)
        assert sent["post_logout_redirect_uri"] == [f"{browser.base}oidc/logged-out"]
        assert sent["state"]
        assert sent["id_token_hint"]
        assert await browser.user() is None
        # The provider's page asks with a form that a script sends at once; without a script it is a button.
        form = dict(re.findall(r'name="(xsrf)" value="([^"]*)"', page.text))
        assert form, page.text
        page = await browser._follow(
            await browser.http.post(f"{issuer}/session/end/confirm", data={**form, "logout": "yes"})
        )
        assert str(page.url).startswith(f"{browser.base}oidc/logged-out")
        assert "Vous êtes déconnecté" in page.text
        assert "/interaction/" in str((await browser.get("login")).url), "the provider asks for the password again"


async def test_a_second_hub_needs_no_second_password(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    urls = [f"http://127.0.0.1:{port}{BASE_PATH}hub/" for port in ports]
    metadata = client_metadata(urls[0])
    metadata["redirect_uris"] = [f"{url}oauth_callback" for url in urls]
    async with provider(tmp_path, clients=[metadata]) as issuer:
        async with renater_hub(tmp_path, issuer, port=ports[0], traits=TRAITS) as hub, Browser(hub) as browser:
            await browser.log_in("alice", "univ-grenoble.example", stop="/spawn")
            jar = browser.http.cookies
        (tmp_path / "two").mkdir()
        async with renater_hub(tmp_path / "two", issuer, port=ports[1], traits=TRAITS) as hub, Browser(hub) as browser:
            browser.http.cookies = jar
            page = await browser.get("login", stop="/spawn")
            assert page.is_redirect
            assert "alice@univ-grenoble.example" in hub.users
