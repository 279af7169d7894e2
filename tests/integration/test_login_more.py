"""Another provider that demands a nonce, a hub that moves to ours and back, and logs that name nobody."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from traitlets.config import Config

from jupytercloud_hub.auth.oidc.errors import ProviderUnavailable
from jupytercloud_hub.auth.oidc.http import ProviderClient
from jupytercloud_hub.auth.store import Store
from jupytercloud_hub.storage import Database
from tests.integration.test_login_renater import GRENOBLE, TRAITS
from tests.support.hub import Visitor, start_hub, stop_hub
from tests.support.login import BASE_PATH, Browser, client_metadata, hub_and_provider, renater_hub
from tests.support.ports import free_port
from tests.support.provider import provider


@contextlib.asynccontextmanager
async def mock_provider() -> AsyncIterator[str]:
    """Run PyPI's oidc-provider-mock, which refuses a login without a nonce."""
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            issuer = f"http://localhost:{port}"
            async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(90):
                while True:
                    with contextlib.suppress(httpx.TransportError):
                        if (await client.get(f"{issuer}/.well-known/openid-configuration")).status_code == 200:
                            break
                    await asyncio.sleep(0.1)
            yield issuer
        finally:
            process.terminate()


async def test_a_provider_that_demands_a_nonce_gets_one(tmp_path: Path) -> None:
    async with mock_provider() as issuer:
        traits = {"preset": "plm", "allow_all": True, "username_from": "sub"}
        async with renater_hub(tmp_path, issuer, traits=traits) as hub, Browser(hub) as browser:
            page = await browser.get("login")
            end = await browser._follow(await browser.http.post(page.url, data={"sub": "anna"}), "/spawn")
            assert end.is_redirect, end.text
            assert "anna" in hub.users


async def test_ten_people_of_a_stock_hub_keep_everything_when_it_moves_to_ours_and_back(tmp_path: Path) -> None:
    people = ["alice", "benoit", "chloe", "david", "emily", "farid", "gaelle", "hugo", "ines", "jules"]
    places = {
        **dict.fromkeys(["alice", "benoit", "chloe"], "univ-grenoble.example"),
        **dict.fromkeys(["david", "emily", "farid"], "univ-paris-saclay.example"),
        **dict.fromkeys(["gaelle", "hugo"], "ens-plateau.example"),
        **dict.fromkeys(["ines", "jules"], "lycee-belledonne.example"),
    }
    old_names = {person: f"{person[0]}.{person}" for person in people}
    homes = {name: tmp_path / "homes" / name for name in old_names.values()}
    for name, home in homes.items():
        home.mkdir(parents=True)
        (home / "thesis.ipynb").write_text(name)

    async def stock() -> dict[str, int]:
        """Let everybody log in at a stock hub; return the hub's id of each."""
        hub = await start_hub(Config(), {name: {"groups": ["lab"]} for name in old_names.values()}, tmp_path)
        try:
            for name in old_names.values():
                async with Visitor(hub) as visitor:
                    await visitor.log_in(name)
            return {user.name: user.id for user in hub.users.values()}
        finally:
            await stop_hub(hub)

    before = await stock()
    assert len(before) == 10
    database = Database(f"sqlite:///{tmp_path}/jupytercloud.sqlite", "auth")
    await database.upgrade()
    for person in people:
        await Store(database).keep(old_names[person], "eppn", f"{person}@{places[person]}")
    await database.close()

    port = free_port()
    url = f"http://127.0.0.1:{port}{BASE_PATH}hub/"
    everybody = {"name": "all", "home_organizations": sorted(set(places.values()))}
    async with provider(tmp_path, clients=[client_metadata(url)]) as issuer:
        traits = {**TRAITS, "institutions": [everybody]}
        async with renater_hub(tmp_path, issuer, port=port, traits=traits) as hub:
            for person in people:
                async with Browser(hub) as browser:
                    await browser.log_in(person, places[person], stop="/spawn")
                    assert (await browser.user() or {})["name"] == old_names[person]
            assert {user.name: user.id for user in hub.users.values()} == before
    assert await stock() == before
    assert all((home / "thesis.ipynb").read_text() == name for name, home in homes.items())


async def test_an_old_account_is_not_taken_by_whoever_is_led_to_its_name(tmp_path: Path) -> None:
    hub = await start_hub(Config(), {"alice": {}}, tmp_path)
    async with Visitor(hub) as visitor:
        await visitor.log_in("alice")
    await stop_hub(hub)
    traits = {**TRAITS, "institutions": [{**GRENOBLE, "username": "eppn-local"}]}
    async with hub_and_provider(tmp_path, traits=traits) as (hub, _), Browser(hub) as browser:
        page = await browser.log_in("alice", "univ-grenoble.example")
        assert page.status_code == 403
        assert "username-taken" in page.text
        async with Browser(hub) as other:
            end = await other.log_in("benoit", "univ-grenoble.example", stop="/spawn")
            assert end.is_redirect, "a name that nobody had is free"


async def test_our_log_lines_hold_no_token_subject_name_or_address(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with hub_and_provider(tmp_path, traits=TRAITS, ttl={"AccessToken": 1}) as (hub, _), Browser(hub) as browser:
        await browser.log_in("alice", "univ-grenoble.example", stop="/spawn")
        user = hub.users["alice@univ-grenoble.example"]
        kept = await user.get_auth_state()
        await asyncio.sleep(1)
        await hub.authenticator.refresh_user(user)
        for query in ("code=c-o-d-e&state=s-t-a-t-e", "error=e&error_description=w-o-r-d-s"):
            await browser.get(f"oauth_callback?{query}")
        async with Browser(hub) as other:
            await other.log_in("karim", "institut-inconnu.example")
        await hub.authenticator.reauthoriser.revoke(user)
    secrets = [kept["access_token"], kept["refresh_token"], kept["id_token"], kept["id_claims"]["sub"]]
    secrets += ["Alice Martin", "alice@", "Karim", "karim@", "c-o-d-e", "s-t-a-t-e", "w-o-r-d-s", "eyJ"]
    rooms = re.compile("jupytercloud_hub/(auth|identity|storage)")
    ours = [record for record in caplog.records if rooms.search(record.pathname)]
    assert any("organization-unknown" in record.getMessage() for record in ours), "the reasons are there"
    for record in ours:
        for secret in secrets:
            assert secret not in record.getMessage(), f"{record.pathname}:{record.lineno}"


SIGNER = ec.generate_private_key(ec.SECP256R1())
PEM = SIGNER.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
PUBLIC = {**jwt.algorithms.ECAlgorithm.to_jwk(SIGNER.public_key(), as_dict=True), "kid": "hub-1", "use": "sig"}

CLIENTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "secret in the form": ({"token_endpoint_auth_method": "client_secret_post"}, {"basic_auth": False}),
    "secret in the header": ({"token_endpoint_auth_method": "client_secret_basic"}, {"basic_auth": True}),
    "a key of the hub's own": (
        {
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "ES256",
            "jwks": {"keys": [PUBLIC]},
        },
        {"private_key": PEM, "private_key_id": "hub-1", "client_secret": ""},
    ),
    "ID tokens signed with ES256": ({"id_token_signed_response_alg": "ES256"}, {"allowed_algorithms": ["ES256"]}),
}


@pytest.mark.parametrize("name", CLIENTS)
async def test_the_hub_proves_who_it_is_in_each_of_the_usual_ways(tmp_path: Path, name: str) -> None:
    client, traits = CLIENTS[name]
    hub_with = hub_and_provider(tmp_path, traits={**TRAITS, **traits}, client=client)
    async with hub_with as (hub, _), Browser(hub) as browser:
        end = await browser.log_in("alice", "univ-grenoble.example", stop="/spawn")
        assert end.is_redirect, end.text
        user = hub.users["alice@univ-grenoble.example"]
        kept = await user.get_auth_state()
        await user.save_auth_state({**kept, "expires_at": 1.0})
        assert isinstance(await hub.authenticator.refresh_user(user), dict), "the refresh proves it too"


async def test_a_signature_that_the_operator_does_not_allow_is_refused(tmp_path: Path) -> None:
    traits = {**TRAITS, "allowed_algorithms": ["ES256"]}
    async with hub_and_provider(tmp_path, traits=traits) as (hub, _), Browser(hub) as browser:
        page = await browser.log_in("alice", "univ-grenoble.example")
        assert page.status_code == 403
        assert "raison\u00a0: algorithm" in page.text


async def test_offline_access_is_asked_for_with_consent(tmp_path: Path) -> None:
    traits = {**TRAITS, "offline_access": True}
    hub_with = hub_and_provider(tmp_path, traits=traits, refresh_token="offline_access")
    async with hub_with as (hub, issuer), Browser(hub) as browser:
        await browser.log_in("alice", "univ-grenoble.example", stop="/spawn")
        asked = parse_qs(urlsplit(next(one for one in browser.visited if one.startswith(f"{issuer}/auth?"))).query)
        assert asked["prompt"] == ["consent"]
        assert "offline_access" in asked["scope"][0].split()
        assert (await hub.users["alice@univ-grenoble.example"].get_auth_state())["refresh_token"]


async def test_the_environment_s_proxy_is_used_and_no_proxy_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ProviderClient()
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", ".internal.example")
    assert client._proxy("https://idp.example/token") == "http://proxy.example:3128"
    assert client._proxy("https://idp.internal.example/token") is None
    assert client._proxy("http://127.0.0.1:9/token") is None, "a proxy could not reach this machine's own addresses"
    configured = ProviderClient({"proxy_host": "other.example", "proxy_port": 8080})
    assert configured._proxy("https://idp.internal.example/token") == "http://other.example:8080"


async def test_a_private_certificate_authority_is_trusted_where_it_is_configured_and_nowhere_else(
    tmp_path: Path,
) -> None:
    authority = trustme_like(tmp_path)
    server = await asyncio.start_server(answer_json, "127.0.0.1", 0, ssl=authority.server)
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}/"
    async with server:
        trusting = ProviderClient({"ca_certs": str(authority.certificate)})
        assert await trusting.json("discovery", "GET", url) == (200, {"ok": True})
        with pytest.raises(ProviderUnavailable):
            await ProviderClient().json("discovery", "GET", url)
        await trusting.close()


@dataclass
class Authority:
    certificate: Path
    server: ssl.SSLContext


def trustme_like(folder: Path) -> Authority:
    """Make a certificate authority and a certificate of it for localhost."""
    now = datetime.now(UTC)

    def certificate(name: str, key: Any, issuer: str, signer: Any, *, authority: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        )
        return builder.sign(signer, hashes.SHA256())

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(certificate("ca", ca_key, "ca", ca_key, authority=True).public_bytes(pem))
    own = certificate("localhost", key, "ca", ca_key, authority=False).public_bytes(pem)
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(own + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return Authority(folder / "ca.pem", context)


async def answer_json(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    body = b'{"ok": true}'
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    await writer.drain()
    writer.close()
