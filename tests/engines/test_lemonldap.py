"""RenaterAuthenticator at LemonLDAP::NG, the OpenID provider that many French universities run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.lemonldap import ORGANIZATION, lemonldap, log_in
from tests.support.login import BASE_PATH, Browser, renater_hub
from tests.support.ports import free_port

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(not shutil.which("plackup"), reason="tests/engines/install.sh installs LemonLDAP::NG"),
]
GALLIFREY = {
    "name": "gallifrey",
    "title": {"fr": "Université de Gallifrey", "en": "University of Gallifrey"},
    "home_organizations": [ORGANIZATION],
    "affiliations": ["staff"],
    "groups": ["gallifrey"],
}


async def test_people_log_in_are_rechecked_refused_and_logged_out(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}{BASE_PATH}hub/"
    async with lemonldap(tmp_path / "lemonldap", url) as issuer:
        traits = {"institutions": [GALLIFREY]}
        async with renater_hub(tmp_path, issuer, port=port, traits=traits) as hub:
            async with Browser(hub) as browser:
                page = await browser.get("login")
                sent = parse_qs(urlsplit(next(one for one in browser.visited if "/oauth2/authorize" in one)).query)
                assert sent["scope"] == ["openid profile email"], "only what the provider says that it has is asked for"
                end = await log_in(browser, page, "dwho", stop="/spawn")
                assert end.is_redirect, end.text
                name = f"dwho@{ORGANIZATION}"
                user = hub.users[name]
                assert {group.name for group in user.groups} == {"gallifrey"}
                assert user.user_info["name"] == "Doctor Who"
                assert user.user_info["jupytercloud"]["affiliations"] == ["staff"]
                assert isinstance(await hub.authenticator.refresh_user(user), dict)
                kept = await user.get_auth_state()
                await user.save_auth_state({**kept, "expires_at": 1.0})
                assert isinstance(await hub.authenticator.refresh_user(user), dict), "by its refresh token"
                assert (await user.get_auth_state())["access_token"] != kept["access_token"]

                page = await browser.get("logout")
                assert "/oauth2/logout" in " ".join(browser.visited)
                if not str(page.url).startswith(f"{url}oidc/logged-out"):
                    hidden = dict(re.findall(r'type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text))
                    page = await browser._follow(await browser.http.post(page.url, data={**hidden, "confirm": "1"}))
                assert await browser.user() is None
            async with Browser(hub) as browser:
                page = await log_in(browser, await browser.get("login"), "msmith")
                assert page.status_code == 403
                assert "affiliation-not-accepted" in page.text
                assert "Université de Gallifrey" in page.text
