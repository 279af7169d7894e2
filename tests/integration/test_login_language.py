"""The language switch takes posts from anywhere: what another site can do with it, and what not."""

from __future__ import annotations

from http.cookies import SimpleCookie
from pathlib import Path

from tests.integration.test_login_renater import TRAITS
from tests.support.login import Browser, renater_hub


async def test_all_that_a_foreign_post_can_change_is_the_language_of_the_pages(tmp_path: Path) -> None:
    foreign = {"Origin": "https://evil.example", "Referer": "https://evil.example/", "Sec-Fetch-Site": "cross-site"}
    async with renater_hub(tmp_path, "http://127.0.0.1:9", traits=TRAITS) as hub, Browser(hub) as browser:
        address, home = f"{browser.base}jupytercloud/language", hub.hub.base_url

        async def post(language: str, target: str) -> tuple[dict[str, str], str]:
            form = {"language": language, "next": target}
            answer = await browser.http.post(address, data=form, headers=foreign)
            assert answer.status_code == 302, answer.text
            cookies = SimpleCookie()
            for line in answer.headers.get_list("set-cookie"):
                cookies.load(line)
            return {name: one.value for name, one in cookies.items()}, answer.headers["location"]

        assert await post("en", f"{home}home?x=1") == ({"jupytercloud-language": "en"}, f"{home}home?x=1")
        for language in ("xx", "", "en; Path=/x", "fr\r\nSet-Cookie: a=b", "<script>"):
            assert await post(language, home) == ({}, home), language
        elsewhere = (
            "https://evil.example/",
            "//evil.example",
            f"/{home}",
            "\\\\evil.example",
            f"{home}\\..",
            "javascript:0",
        )
        for target in (*elsewhere, f"{home}\r\nLocation: https://evil.example", f"https://evil.example{home}"):
            assert (await post("en", target))[1] == home, target
        got = await browser.http.get(address, params={"language": "fr", "next": home})
        assert got.status_code == 405, "a link alone changes nothing"
        other = await browser.http.post(f"{browser.base}api/users/x", headers=foreign)
        assert other.status_code == 403, "no other address takes posts from elsewhere"
