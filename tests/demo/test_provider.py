"""The made-up OpenID provider: what the hubs and the browser meet."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
import secrets
import subprocess
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import jwt
import pytest

from jupytercloud_hub.demo import node, people
from tests.support import CACHE
from tests.support.provider import provider

CALLBACK = "http://127.0.0.1:9/callback"
SCOPES = "openid profile email eduperson voperson"


def client(name: str = "a", **more):
    return {"client_id": name, "client_secret": f"secret-of-{name}", "redirect_uris": [CALLBACK], **more}


class Browser:
    """Follows what a person's browser would, by hand, so that each step can be looked at."""

    def __init__(self, issuer: str):
        self.issuer = issuer
        self.http = httpx.AsyncClient(base_url=issuer, headers={"Accept-Language": "fr"})

    async def authorize(self, name: str = "a", **more) -> httpx.Response:
        self.verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "client_id": name, "response_type": "code", "redirect_uri": CALLBACK, "scope": SCOPES,
            "state": "s", "nonce": "n",
            "code_challenge": challenge, "code_challenge_method": "S256", **more,
        }  # fmt: skip
        return await self.follow(await self.http.get(f"/auth?{urlencode(query)}"))

    async def follow(self, response: httpx.Response) -> httpx.Response:
        while response.is_redirect and response.headers["location"].startswith((self.issuer, "/")):
            response = await self.http.get(response.headers["location"])
        return response

    async def log_in(self, page: httpx.Response, login: str, organization: str, password: str | None = None):
        url = page.url.copy_with(params={"organization": organization})
        return await self.follow(
            await self.http.post(url, data={"username": login, "password": password or f"{login}-demo"})
        )

    async def tokens(self, back: httpx.Response, name: str = "a") -> dict:
        answer = parse_qs(urlsplit(back.headers["location"]).query)
        assert answer["iss"] == [self.issuer]
        response = await self.http.post(
            "/token",
            auth=(name, f"secret-of-{name}"),
            data={"grant_type": "authorization_code", "code": answer["code"][0], "redirect_uri": CALLBACK,
                  "code_verifier": self.verifier},
        )  # fmt: skip
        assert response.status_code == 200, response.text
        return response.json()


async def test_a_person_chooses_her_organization_and_logs_in_with_name_and_password(tmp_path):
    async with provider(tmp_path, clients=[client()]) as issuer:
        browser = Browser(issuer)
        page = await browser.authorize()
        organizations, _ = people.load()
        assert len(organizations) == 5
        for organization in organizations:
            assert organization.title["fr"] in page.text
        page = await browser.http.get(page.url, params={"organization": "univ-grenoble.example"})
        assert 'id="password_input"' in page.text
        tokens = await browser.tokens(await browser.log_in(page, "alice", "univ-grenoble.example"))
        keys = jwt.PyJWKSet.from_dict((await browser.http.get("/jwks")).json())
        kid = jwt.get_unverified_header(tokens["id_token"])["kid"]
        claims = jwt.decode(tokens["id_token"], keys[kid], algorithms=["RS256"], audience="a", issuer=issuer)
        assert claims["nonce"] == "n"
        assert claims["acr"] == "https://refeds.org/profile/mfa"
        assert claims["amr"] == ["pwd", "otp", "mfa"]
        info = (await browser.http.get("/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})).json()
        assert info["sub"] == claims["sub"]
        assert info["name"] == "Alice Martin"
        assert info["schac_home_organization"] == "univ-grenoble.example"
        assert info["eduperson_principal_name"] == "alice@univ-grenoble.example"
        assert "faculty@univ-grenoble.example" in info["eduperson_scoped_affiliation"]
        assert info["voperson_id"].endswith("@federation.example")
        assert tokens["refresh_token"]


async def test_a_second_client_needs_neither_password_nor_consent(tmp_path):
    async with provider(tmp_path, clients=[client("a"), client("b")], subject_type="pairwise") as issuer:
        browser = Browser(issuer)
        first = await browser.tokens(
            await browser.log_in(await browser.authorize("a"), "hugo", "ens-plateau.example"), "a"
        )
        back = await browser.authorize("b")
        assert back.headers["location"].startswith(CALLBACK), back.text
        second = await browser.tokens(back, "b")
        subjects = {jwt.decode(t["id_token"], options={"verify_signature": False})["sub"] for t in (first, second)}
        assert len(subjects) == 2, "a pairwise subject differs from client to client"


async def test_a_wrong_password_and_another_organization_are_refused_in_words(tmp_path):
    async with provider(tmp_path, clients=[client()]) as issuer:
        browser = Browser(issuer)
        page = await browser.authorize()
        for organization, password in (
            ("univ-grenoble.example", "wrong"),
            ("ens-plateau.example", "alice-demo"),
        ):
            refused = await browser.log_in(page, "alice", organization, password)
            assert refused.status_code == 401
            assert "Identifiant ou mot de passe incorrect" in refused.text


async def test_a_hint_skips_the_choice_of_an_organization(tmp_path):
    async with provider(tmp_path, clients=[client()]) as issuer:
        page = await Browser(issuer).authorize(idphint="https://idp.ens-plateau.example/shibboleth")
        assert 'id="password_input"' in page.text
        assert "École normale du Plateau" in page.text


@pytest.mark.parametrize(
    ("header", "query", "language"),
    [("fr", "", "fr"), ("en-GB,fr;q=0.5", "", "en"), ("de", "", "fr"), ("de", "?lang=en", "en")],
)
async def test_pages_are_in_french_unless_english_is_preferred(tmp_path, header, query, language):
    async with provider(tmp_path, clients=[client()]) as issuer:
        browser = Browser(issuer)
        browser.http.headers["Accept-Language"] = header
        page = await browser.authorize()
        page = await browser.http.get(f"{page.url}{query}")
        assert f'<html lang="{language}">' in page.text


async def test_logout_with_a_hint_asks_nothing_and_tells_the_other_clients_over_the_back_channel(tmp_path):
    told: asyncio.Queue[dict] = asyncio.Queue()

    async def receive(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head, re.I)[1])
        body = parse_qs((await reader.readexactly(length)).decode())
        told.put_nowait(jwt.decode(body["logout_token"][0], options={"verify_signature": False}))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(receive, "127.0.0.1", 0)
    uri = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/hub/oidc/backchannel-logout"
    clients = [
        client("a", post_logout_redirect_uris=["http://127.0.0.1:9/out"]),
        client("b", backchannel_logout_uri=uri, backchannel_logout_session_required=True),
    ]
    async with listener, provider(tmp_path, clients=clients) as issuer:
        browser = Browser(issuer)
        tokens = await browser.tokens(await browser.log_in(await browser.authorize("a"), "hugo", "ens-plateau.example"))
        await browser.tokens(await browser.authorize("b"), "b")
        page = await browser.http.get(
            "/session/end",
            params={
                "id_token_hint": tokens["id_token"],
                "post_logout_redirect_uri": "http://127.0.0.1:9/out",
                "state": "x",
            },
        )
        assert "data-submit" in page.text, "the form goes by itself: nothing is asked"
        xsrf = re.search(r'name="xsrf" value="([^"]+)"', page.text)[1]
        back = await browser.http.post("/session/end/confirm", data={"xsrf": xsrf, "logout": "yes"})
        assert back.headers["location"] == "http://127.0.0.1:9/out?state=x"
        logout = await asyncio.wait_for(told.get(), 60)
        assert "http://schemas.openid.net/event/backchannel-logout" in logout["events"]
        assert logout["aud"] == "b"
        assert logout["sid"]
        again = await browser.authorize("a")
        assert not again.headers.get("location"), "after the logout a password is asked for again"
    with pytest.raises(httpx.ConnectError):
        await browser.http.get("/jwks")


async def test_a_logout_link_made_by_somebody_else_asks_first(tmp_path):
    async with provider(tmp_path, clients=[client()]) as issuer:
        browser = Browser(issuer)
        await browser.log_in(await browser.authorize(), "hugo", "ens-plateau.example")
        page = await browser.http.get("/session/end")
        assert "data-submit" not in page.text
        assert "Rester connecté" in page.text


async def test_keys_are_kept_from_one_run_to_the_next(tmp_path):
    seen = []
    for _ in range(2):
        async with provider(tmp_path, clients=[client()], keys=str(tmp_path / "keys.json")) as issuer:
            seen.append(httpx.get(f"{issuer}/jwks").json())
    assert seen[0] == seen[1]
    assert {k["alg"] for k in seen[0]["keys"]} == {"RS256", "ES256"}
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


async def test_another_host_name_that_leads_to_loopback_is_not_answered(tmp_path):
    async with provider(tmp_path) as issuer:
        assert httpx.get(f"{issuer}/jwks", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    ("flag", "secret", "config", "word"),
    [
        ([], "0123456789abcdef", {}, "jupytercloud demo"),
        (["--demo"], "another-secret-!", {}, "JUPYTERCLOUD_DEMO_SECRET"),
        (["--demo"], "0123456789abcdef", {"host": "0.0.0.0"}, "loopback"),
    ],
)
def test_the_provider_starts_for_nobody_but_the_demo(tmp_path, flag, secret, config, word):
    place = node.prepare(CACHE / "node", development=True)
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"demo_secret": "0123456789abcdef", **config}))
    ended = subprocess.run(
        ["node", place / "main.js", *flag, "--config", file],
        env={**os.environ, "JUPYTERCLOUD_DEMO_SECRET": secret},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert word in ended.stderr


def test_there_are_a_dozen_people_of_five_organizations():
    organizations, everybody = people.load()
    assert len(everybody) == 12
    assert {p.organization for p in everybody} == {o.name for o in organizations}
    assert all(o.name.endswith(".example") for o in organizations), "nobody real is shown"
