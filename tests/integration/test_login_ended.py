"""Somebody whose tokens the provider takes no more presses "start": she is led to the login, not to an error."""

from __future__ import annotations

import html
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit

from tests.integration.test_login_profiles import BENOIT, IdleProfiles
from tests.integration.test_login_renater import TRAITS
from tests.support.login import Browser, hub_and_provider


async def test_who_presses_start_with_a_refresh_token_that_is_gone_logs_in_again_and_starts(tmp_path: Path) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS) as (hub, _), Browser(hub) as browser:
        hub.users.settings["spawner_class"] = IdleProfiles
        page = await browser.log_in("benoit", "univ-grenoble.example", address="spawn")
        assert page.status_code == 200, page.text
        user = hub.users[BENOIT]
        state = await user.get_auth_state()
        await user.save_auth_state({**state, "refresh_token": "gone", "expires_at": 1})

        form = {"profile": "open", "_xsrf": browser.http.cookies.get("_xsrf", path=hub.hub.base_url) or ""}
        posted = await browser.http.post(str(page.url), data=form)
        assert posted.status_code == 403, posted.text[:300]
        assert "Votre connexion a pris fin. Rien n'a été démarré." in html.unescape(posted.text)
        assert not user.active

        again = await browser.http.get(str(page.url))
        assert urlsplit(again.headers["location"]).path == f"{hub.hub.base_url}login", "her next page is the login"
        page = await browser.get("spawn")  # the provider still knows her: no second password
        form["_xsrf"] = browser.http.cookies.get("_xsrf", path=hub.hub.base_url) or ""
        started = await browser.http.post(str(page.url), data=form)
        assert started.status_code == 302, started.text[:300]
        assert user.active


async def test_who_presses_start_while_the_hubs_database_is_broken_reads_a_sentence_and_not_the_databases_words(
    tmp_path: Path,
) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS) as (hub, _), Browser(hub) as browser:
        hub.users.settings["spawner_class"] = IdleProfiles
        page = await browser.log_in("benoit", "univ-grenoble.example", address="spawn")
        with sqlite3.connect(tmp_path / "jupytercloud.sqlite") as database:
            database.execute("ALTER TABLE auth_binding RENAME TO away")
        form = {"profile": "open", "_xsrf": browser.http.cookies.get("_xsrf", path=hub.hub.base_url) or ""}
        posted = await browser.http.post(str(page.url), data=form)
        assert posted.status_code == 503, posted.text[:300]
        assert "Vos droits n'ont pas pu être consultés." in html.unescape(posted.text)
        assert "sqlite" not in posted.text
        assert not hub.users[BENOIT].active
