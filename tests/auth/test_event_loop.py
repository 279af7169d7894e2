"""The hub is one thread: nothing of a login or a refresh may hold it for long."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from jupytercloud_hub.auth import RenaterAuthenticator
from jupytercloud_hub.auth.oidc.errors import TokenRefused
from jupytercloud_hub.auth.state import LoginState

ISSUER = "https://proxy.example"
LONGEST = 0.005  # seconds of this thread's own time in one callback
KEY = rsa.generate_private_key(65537, 2048)
BROWSER = "browser-secret"


class Provider:
    """A provider's answers without its network, in place of `ProviderClient`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.nonce = ""

    async def json(self, endpoint: str, method: str, url: str, **options: Any) -> tuple[int, dict[str, Any]]:
        self.asked.append(endpoint)
        await asyncio.sleep(0)
        return 200, getattr(self, f"_{endpoint}")()

    def _discovery(self) -> dict[str, Any]:
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
        return {"issuer": ISSUER, **{name: f"{ISSUER}/{name}" for name in names}}

    def _jwks(self) -> dict[str, Any]:
        key = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": f"k{number}", "alg": "RS256"} for number in range(20)]}

    def _token(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "hub", "sub": "s1", "iat": now, "exp": now + 60, "nonce": self.nonce}
        token = jwt.encode(claims, KEY, algorithm="RS256", headers={"kid": "k7"})
        return {"access_token": "a", "token_type": "Bearer", "id_token": token, "expires_in": 60}

    def _userinfo(self) -> dict[str, Any]:
        entitlements = [f"urn:geant:x.example:group:g{number}:sub#a" for number in range(300)]
        return {
            "sub": "s1",
            "eduperson_principal_name": "anna@univ.fr",
            "schac_home_organization": "univ.fr",
            "eduperson_scoped_affiliation": ["staff@univ.fr", "member@univ.fr"],
            "eduperson_entitlement": entitlements,
        }


@pytest.fixture
def spent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Measure every callback of the loop in thread time, which other processes do not lengthen."""
    spent: list[float] = []
    run = asyncio.events.Handle._run

    def measured(handle: asyncio.Handle) -> None:
        before = time.thread_time()
        run(handle)
        spent.append(time.thread_time() - before)

    monkeypatch.setattr(asyncio.events.Handle, "_run", measured)
    gc.disable()  # a collection may fall into anybody's callback
    yield spent
    gc.enable()


@pytest.fixture
def authenticator(tmp_path: Path) -> RenaterAuthenticator:
    rules = [{"name": f"i{number}", "home_organizations": [f"*.univ{number}.fr"]} for number in range(300)]
    made = RenaterAuthenticator(
        issuer=ISSUER,
        client_id="hub",
        client_secret="s",
        oauth_callback_url="https://hub.example/hub/oauth_callback",
        institutions=[*rules, {"name": "univ", "home_organizations": ["univ.fr"], "affiliations": ["staff"]}],
        database_url=f"sqlite:///{tmp_path}/jupytercloud.sqlite",
    )
    made.provider = Provider()
    made.party.client = made.party.discovery._client = made.party.keys._client = made.provider
    return made


async def log_in(authenticator: RenaterAuthenticator) -> dict[str, Any]:
    state = LoginState.new("/hub/home", "fr")
    authenticator.provider.nonce = state.nonce(BROWSER)
    handler = SimpleNamespace(state=state, browser=BROWSER, get_query_argument=lambda name: "code", settings={})
    return await authenticator.authenticate(handler)


async def test_no_callback_of_a_login_holds_the_loop(authenticator: RenaterAuthenticator, spent: list[float]) -> None:
    await asyncio.create_task(log_in(authenticator))  # once: SQLAlchemy compiles its statements, patterns are read
    longest = []
    for _ in range(15):
        spent.clear()
        model = await asyncio.create_task(log_in(authenticator))
        longest.append(max(spent))
        assert model["name"] == "anna@univ.fr"
    assert statistics.median(longest) < LONGEST


async def test_a_thousand_unknown_kids_hold_nothing_and_ask_the_provider_once(
    authenticator: RenaterAuthenticator, spent: list[float]
) -> None:
    keys = authenticator.party.keys

    async def unknown(number: int) -> None:
        with pytest.raises(TokenRefused, match="key-unknown"):
            await keys.key(f"nobody-{number}", "RS256", unasked=True)

    await asyncio.create_task(unknown(-1))
    spent.clear()
    began = time.thread_time()
    for number in range(1000):
        await asyncio.create_task(unknown(number))
    assert max(spent) < LONGEST
    assert time.thread_time() - began < 2
    assert authenticator.provider.asked.count("jwks") <= 2
