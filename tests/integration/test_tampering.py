"""Ways to forge, replay, mix up and downgrade a login, in front of a real provider: each refused, with its reason."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from jupytercloud_hub.auth.oidc.errors import TokenRefused
from jupytercloud_hub.auth.oidc.tokens import LOGOUT_EVENT, half_hash
from tests.integration.test_login_renater import TRAITS
from tests.support.hub import TestHub
from tests.support.login import BASE_PATH, CLIENT_ID, CLIENT_SECRET, Browser, client_metadata, renater_hub
from tests.support.ports import free_port
from tests.support.provider import provider
from tests.support.tampering import TamperingProxy, encoded, raw_token

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROGUE = rsa.generate_private_key(65537, 2048)
WEAK = rsa.generate_private_key(65537, 1024)
ROGUE_EC = ec.generate_private_key(ec.SECP256R1())
ALICE = ("alice", "univ-grenoble.example")


@dataclass
class Scene:
    hub: TestHub
    issuer: str
    proxy: TamperingProxy
    alice: Browser
    """Her provider's session is open: a login needs no password."""
    benoit: Browser
    records: list[str]

    async def callback(self, browser: Browser | None = None) -> str:
        """Begin a login and return the address that the provider sends the browser back to."""
        browser = browser or self.alice
        self.leave(browser)
        page = await browser.get("login", stop="oauth_callback?")
        return page.headers["location"]

    @staticmethod
    def leave(browser: Browser) -> None:
        """Let the browser forget that it was logged in at the hub."""
        for cookie in list(browser.http.cookies.jar):
            if cookie.name.startswith("jupyterhub-"):
                browser.http.cookies.jar.clear(cookie.domain, cookie.path, cookie.name)

    async def refused(self, address: str | None = None, browser: Browser | None = None) -> str:
        """End a login; return the reason in the log, after looking that nobody came in."""
        browser = browser or self.alice
        address = address or await self.callback(browser)
        self.records.clear()
        page = await browser.get(address)
        assert page.status_code >= 400, f"let in at {page.url}"
        assert await browser.user() is None
        reasons = [match[1] for line in self.records if (match := re.match(r"Login (?:refused|failed): (\S+)", line))]
        assert len(reasons) == 1, self.records
        assert f"{reasons[0]}" in page.text
        return reasons[0]

    async def accepted(self) -> None:
        page = await self.alice.get(await self.callback(), stop="/spawn")
        assert page.is_redirect, page.text
        assert (await self.alice.user() or {}).get("name") == "alice@univ-grenoble.example"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    folder = tmp_path_factory.mktemp("tampering")
    port = free_port()
    keys = folder / "keys.json"
    url = f"http://127.0.0.1:{port}{BASE_PATH}hub/"
    records: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage())

    async with (
        provider(folder, clients=[client_metadata(url)], keys=str(keys)) as issuer,
        TamperingProxy(keys).running() as proxy,
        renater_hub(
            folder,
            issuer,
            port=port,
            traits={**TRAITS, "http_request_kwargs": {"proxy_host": "127.0.0.1", "proxy_port": proxy.port}},
        ) as hub,
        Browser(hub) as alice,
        Browser(hub) as benoit,
    ):
        hub.log.addHandler(Collector())
        await alice.log_in(*ALICE, stop="/spawn")
        await benoit.log_in("benoit", "univ-grenoble.example", stop="/spawn")
        yield Scene(hub, issuer, proxy, alice, benoit, records)


Make = Callable[[TamperingProxy, dict[str, Any], dict[str, Any]], Any]


def claims_with(**changes: Any) -> Make:
    """Return a token whose claims were changed by whoever holds the provider's key."""

    def make(proxy: TamperingProxy, header: dict[str, Any], claims: dict[str, Any]) -> str:
        changed = {**claims, **{name: value(claims) if callable(value) else value for name, value in changes.items()}}
        return proxy.sign({name: value for name, value in changed.items() if value is not None})

    return make


def signed_by(key: Any, algorithm: str, **header: Any) -> Make:
    return lambda proxy, head, claims: jwt.encode(
        claims, key, algorithm=algorithm, headers={"kid": head["kid"], **header}
    )


def public_pem(proxy: TamperingProxy) -> bytes:
    public = jwt.PyJWK({**proxy.private_keys["RSA"], "alg": "RS256"}).key.public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def hmac_signed(proxy: TamperingProxy, header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    head, body, _ = raw_token({"alg": "HS256", "kid": header["kid"], "typ": "JWT"}, claims).split(".")
    return f"{head}.{body}.{encoded(hmac.new(secret, f'{head}.{body}'.encode(), hashlib.sha256).digest())}"


def flipped(proxy: TamperingProxy, header: dict[str, Any], claims: dict[str, Any]) -> str:
    head, body, signature = proxy.sign(claims).split(".")
    return f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def rewritten(proxy: TamperingProxy, header: dict[str, Any], claims: dict[str, Any]) -> str:
    head, _, signature = proxy.sign(claims).split(".")
    _, body, _ = raw_token(header, {**claims, "sub": "somebody-else"}).split(".")
    return f"{head}.{body}.{signature}"


def rogue_jwk() -> dict[str, Any]:
    return dict(jwt.algorithms.RSAAlgorithm.to_jwk(ROGUE.public_key(), as_dict=True))


TOKENS: dict[str, tuple[Make, str]] = {
    "alg none": (lambda p, h, c: raw_token({"alg": "none", "kid": h["kid"]}, c), "algorithm"),
    "alg NoNe": (lambda p, h, c: raw_token({"alg": "NoNe", "kid": h["kid"]}, c), "algorithm"),
    "HS256 with the client secret": (lambda p, h, c: hmac_signed(p, h, c, CLIENT_SECRET.encode()), "algorithm"),
    "HS256 with the public key": (lambda p, h, c: hmac_signed(p, h, c, public_pem(p)), "algorithm"),
    "an algorithm that is not allowed": (lambda p, h, c: p.sign(c, alg="RS512"), "algorithm"),
    "another key under the provider's kid": (signed_by(ROGUE, "RS256"), "signature"),
    "another key under its own kid": (signed_by(ROGUE, "RS256", kid="rogue"), "key-unknown"),
    "a key in the token's header": (signed_by(ROGUE, "RS256", jwk=rogue_jwk()), "signature"),
    "a key address in the token's header": (signed_by(ROGUE, "RS256", jku="http://127.0.0.1:9/jwks"), "signature"),
    "a certificate in the token's header": (signed_by(ROGUE, "RS256", x5c=["AAAA"]), "signature"),
    "an EC signature under an RSA key's kid": (signed_by(ROGUE_EC, "ES256"), "key-unknown"),
    "no signature": (lambda p, h, c: ".".join([*p.sign(c).split(".")[:2], ""]), "signature"),
    "a changed signature": (flipped, "signature"),
    "rewritten claims": (rewritten, "signature"),
    "a critical header": (lambda p, h, c: p.sign(c, {"crit": ["x"]}), "token-unreadable"),
    "another issuer": (claims_with(iss="http://127.0.0.1:9"), "iss"),
    "the issuer with a slash": (claims_with(iss=lambda c: c["iss"] + "/"), "iss"),
    "no issuer": (claims_with(iss=None), "iss"),
    "another audience": (claims_with(aud="another-service"), "aud"),
    "no audience": (claims_with(aud=None), "aud"),
    "the audience as part of a name": (claims_with(aud=CLIENT_ID + "-2"), "aud"),
    "two audiences and nobody it was given to": (claims_with(aud=[CLIENT_ID, "b"]), "azp"),
    "two audiences, given to the other": (claims_with(aud=[CLIENT_ID, "b"], azp="b"), "azp"),
    "an audience that is not trusted": (claims_with(aud=[CLIENT_ID, "b"], azp=CLIENT_ID), "aud"),
    "given to another service": (claims_with(azp="b"), "azp"),
    "no end": (claims_with(exp=None), "exp"),
    "ended": (claims_with(exp=lambda c: int(time.time()) - 61), "exp"),
    "an end that is a text": (claims_with(exp=lambda c: str(c["exp"])), "exp"),
    "an end without an end": (claims_with(exp=float("inf")), "exp"),
    "made tomorrow": (claims_with(iat=lambda c: int(time.time()) + 3600), "iat"),
    "made yesterday": (claims_with(iat=lambda c: int(time.time()) - 86400), "iat"),
    "no time of making": (claims_with(iat=None), "iat"),
    "not valid yet": (claims_with(nbf=lambda c: int(time.time()) + 3600), "nbf"),
    "a start that is a text": (claims_with(nbf="0"), "nbf"),
    "another nonce": (claims_with(nonce="other"), "nonce"),
    "no nonce": (claims_with(nonce=None), "nonce"),
    "a hash of another access token": (claims_with(at_hash=half_hash("other", "RS256")), "at_hash"),
    "no subject": (claims_with(sub=None), "sub"),
    "a subject that is no text": (claims_with(sub=7), "sub"),
    "a subject that is too long": (claims_with(sub="s" * 256), "sub"),
    "a logout token": (claims_with(events={LOGOUT_EVENT: {}}), "token-kind"),
    "no ID token": (lambda p, h, c: None, "token-missing"),
    "something else than a token": (lambda p, h, c: "not.a.token", "token-unreadable"),
    "an encrypted token": (
        lambda p, h, c: raw_token({"alg": "RSA-OAEP", "enc": "A256GCM"}, c) + ".x.y",
        "token-unreadable",
    ),
    "a token that is too long": (lambda p, h, c: p.sign({**c, "x": "x" * 70_000}), "token-missing"),
}


@pytest.mark.parametrize("name", TOKENS)
async def test_a_forged_id_token_is_refused(scene: Scene, name: str) -> None:
    make, reason = TOKENS[name]
    with scene.proxy.id_token(lambda header, claims: make(scene.proxy, header, claims)):
        assert await scene.refused() == reason
    await scene.accepted()


ELSEWHERE = {"Location": "http://127.0.0.1:9/"}
ANSWERS: dict[str, tuple[dict[str, Callable[[dict[str, Any]], Any]], str]] = {
    "userinfo of somebody else": ({"userinfo": lambda a: {**a, "sub": "somebody-else"}}, "userinfo-sub"),
    "userinfo of nobody": ({"userinfo": lambda a: {**a, "sub": None}}, "userinfo-sub"),
    "userinfo that is refused": ({"userinfo": lambda a: (401, {}, b"{}")}, "userinfo-refused"),
    "userinfo that is a list": ({"userinfo": lambda a: [a]}, "provider-answer-unreadable"),
    "userinfo that is not JSON": ({"userinfo": lambda a: (200, {}, b"<html>")}, "provider-answer-unreadable"),
    "userinfo without end": ({"userinfo": lambda a: {**a, "x": "x" * 1_100_000}}, "provider-answer-too-long"),
    "userinfo elsewhere": (
        {"userinfo": lambda a: (302, ELSEWHERE, b"")},
        "provider-answer-unreadable",
    ),
    "a token type that is not understood": ({"token": lambda a: {**a, "token_type": "mac"}}, "token-type"),
    "no access token": ({"token": lambda a: {**a, "access_token": None}}, "token-missing"),
    "another access token": ({"token": lambda a: {**a, "access_token": "x" * 43}}, "userinfo-refused"),
    "a token endpoint elsewhere": (
        {"token": lambda a: (307, ELSEWHERE, b"{}")},
        "grant-status",
    ),
    "an error in a good answer": ({"token": lambda a: {**a, "error": "invalid_grant"}}, "grant-invalid_grant"),
    "a token endpoint that fails": ({"token": lambda a: (500, {}, b"{}")}, "provider-unavailable"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_changed_answer_is_refused(scene: Scene, name: str) -> None:
    changes, reason = ANSWERS[name]
    with scene.proxy.changing(**changes):
        assert await scene.refused() == reason
    await scene.accepted()


@contextlib.contextmanager
def fresh(scene: Scene) -> Iterator[None]:
    """Forget what the hub keeps of the provider, before and after."""
    party = scene.hub.authenticator.party

    def forget() -> None:
        party.discovery._kept = party.discovery._error = None
        party.keys._keys, party.keys._fetched, party.keys._tried = (), None, None

    forget()
    try:
        yield
    finally:
        forget()


def without_private(key: Any, **more: Any) -> dict[str, Any]:
    return {**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), **more}


async def test_a_document_of_another_issuer_is_refused(scene: Scene) -> None:
    scene.leave(scene.alice)
    with fresh(scene), scene.proxy.changing(discovery=lambda a: {**a, "issuer": a["issuer"] + "/"}):
        page = await scene.alice.get("login")
        assert page.status_code == 502
        assert "issuer-mismatch" in page.text
    await scene.accepted()


@pytest.mark.parametrize("endpoint", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"])
async def test_an_endpoint_without_encryption_is_refused(scene: Scene, endpoint: str) -> None:
    scene.leave(scene.alice)
    with fresh(scene), scene.proxy.changing(discovery=lambda a: {**a, endpoint: "http://evil.example/x"}):
        page = await scene.alice.get("login")
        assert page.status_code == 502
        assert "discovery-invalid" in page.text


async def test_keys_that_must_not_be_used_are_not(scene: Scene) -> None:
    def weak(document: dict[str, Any]) -> dict[str, Any]:
        return {"keys": [without_private(WEAK, kid="weak"), {"kty": "oct", "k": encoded(b"x" * 32), "kid": "shared"}]}

    by_weak = signed_by(WEAK, "RS256", kid="weak")
    by_shared = signed_by(b"x" * 32, "HS256", kid="shared")
    for make, reason in ((by_weak, "key-unknown"), (by_shared, "algorithm")):
        with fresh(scene), scene.proxy.changing(jwks=weak), scene.proxy.id_token(partial(make, scene.proxy)):
            assert await scene.refused() == reason


async def test_two_keys_under_one_kid_are_not_chosen_from(scene: Scene) -> None:
    def doubled(document: dict[str, Any]) -> dict[str, Any]:
        return {"keys": [*document["keys"], *(without_private(ROGUE, kid=key["kid"]) for key in document["keys"])]}

    with fresh(scene), scene.proxy.changing(jwks=doubled):
        assert await scene.refused() == "key-ambiguous"


async def test_a_key_for_encryption_signs_nothing(scene: Scene) -> None:
    with fresh(scene), scene.proxy.changing(jwks=lambda a: {"keys": [{**key, "use": "enc"} for key in a["keys"]]}):
        assert await scene.refused() == "key-unknown"


def changed(address: str, **values: str | None) -> str:
    parts = urlsplit(address)
    query = {name: found[0] for name, found in parse_qs(parts.query).items()}
    query.update({name: value for name, value in values.items() if value is not None})
    kept = {name: value for name, value in query.items() if values.get(name, "") is not None}
    return parts._replace(query=urlencode(kept)).geturl()


def state_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["state"][0]


RESPONSES: dict[str, tuple[Callable[[str], str], str]] = {
    "no iss, though the provider always sends it": (lambda a: changed(a, iss=None), "response-iss-missing"),
    "another provider's iss": (lambda a: changed(a, iss="https://evil.example"), "response-iss"),
    "no state": (lambda a: changed(a, state=None), "state-missing"),
    "an invented state": (lambda a: changed(a, state="e30="), "state-invalid"),
    "a changed state": (
        lambda a: changed(a, state=state_of(a)[:-2] + "zz"),
        "state-invalid",
    ),
    "no code": (lambda a: changed(a, code=None), "provider-error"),
    "an invented code": (lambda a: changed(a, code="x" * 43), "grant-invalid_grant"),
    "two codes": (lambda a: a + "&code=other", "response-repeated"),
    "an error with words": (lambda a: changed(a, error="x", error_description="call+0800"), "provider-error"),
}


@pytest.mark.parametrize("name", RESPONSES)
async def test_a_changed_response_is_refused(scene: Scene, name: str) -> None:
    change, reason = RESPONSES[name]
    assert await scene.refused(change(await scene.callback())) == reason
    await scene.accepted()


async def test_a_response_in_another_browser_is_refused(scene: Scene) -> None:
    address = await scene.callback()
    async with Browser(scene.hub) as stranger:
        assert await scene.refused(address, stranger) == "browser-unknown"


async def test_a_response_made_for_another_person_s_browser_is_refused(scene: Scene) -> None:
    """Login CSRF: benoit's answer in alice's browser, which has a cookie of its own."""
    address = await scene.callback(scene.benoit)
    await scene.callback()
    assert await scene.refused(address) == "grant-invalid_grant", "PKCE: the verifier is the other browser's"


async def test_a_code_of_another_login_is_refused(scene: Scene) -> None:
    """Code injection: benoit's code in alice's answer."""
    stolen = parse_qs(urlsplit(await scene.callback(scene.benoit)).query)["code"][0]
    assert await scene.refused(changed(await scene.callback(), code=stolen)) == "grant-invalid_grant"


async def test_a_response_is_good_once(scene: Scene) -> None:
    address = await scene.callback()
    await scene.alice.get(address, stop="/spawn")
    scene.leave(scene.alice)
    assert await scene.refused(address) == "state-used"


async def test_an_id_token_of_an_earlier_login_is_refused(scene: Scene) -> None:
    kept: list[str] = []
    with scene.proxy.changing(token=lambda a: kept.append(a["id_token"]) or a):
        await scene.accepted()
    with scene.proxy.changing(token=lambda a: {**a, "id_token": kept[0]}):
        assert await scene.refused() == "nonce"


async def test_keys_that_change_between_two_logins_and_in_the_middle_of_one_are_followed(scene: Scene) -> None:
    new = {"kid": "new", "use": "sig", "alg": "RS256"}
    party = scene.hub.authenticator.party
    address = await scene.callback()
    clock = party.keys._now
    party.keys._now = lambda: clock() + 60  # the cooldown of earlier tests is over
    try:
        with (
            scene.proxy.changing(jwks=lambda a: {"keys": [without_private(ROGUE, **new), *a["keys"]]}),
            scene.proxy.id_token(lambda h, c: jwt.encode(c, ROGUE, algorithm="RS256", headers={"kid": "new"})),
        ):
            page = await scene.alice.get(address, stop="/spawn")
            assert page.is_redirect, page.text
        await scene.accepted()
    finally:
        party.keys._now = clock


async def test_a_flood_of_unknown_kids_does_not_reach_the_provider(scene: Scene) -> None:
    scene.proxy.seen.clear()
    for number in range(1000):
        with pytest.raises(TokenRefused):
            await scene.hub.authenticator.party.keys.key(f"kid-{number}", "RS256")
    assert scene.proxy.seen.count("jwks") <= 2
