"""Heartbeats: believed only from the site itself, about the portal, now, once, whole."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest

from jupytercloud_hub.contracts.heartbeat import Heartbeat, Notice
from jupytercloud_hub.federation import signing
from tests.federation.conftest import portal_of, write_portal

KEY = signing.private_key(signing.new_key_pem())
OTHER = signing.private_key(signing.new_key_pem())


@pytest.fixture
async def portal(tmp_path, sites, clock):
    file = write_portal(tmp_path, sites)
    text = file.read_text()
    for name, key in (("grenoble", KEY), ("reims", OTHER)):
        text = text.replace(f"name: {name}, title", f'name: {name}, key: "{signing.public_text(key)}", title')
    file.write_text(text)
    async with portal_of(file, clock) as running:
        await running.until(grenoble="up", reims="up", paris_saclay="up")
        yield running


def body_of(site="grenoble", **more) -> bytes:
    return Heartbeat(site=site, sent=datetime.now(UTC), **more).model_dump_json().encode()


def sign(portal, body, key=KEY, site="grenoble", audience=None, now=None) -> str:
    return signing.sign(
        key, site=site, audience=audience or portal.service.audience, body=body, now=now or datetime.now(UTC)
    )


async def send(portal, body: bytes, token: str | None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return await portal.client.post("api/v1/heartbeats", content=body, headers=headers)


async def test_a_full_site_gets_nobody_new_at_once_and_its_state_says_so(portal):
    body = body_of(free={"*": 0}, profiles=("lab",))
    answer = await send(portal, body, sign(portal, body))
    assert (answer.status_code, answer.json()["state"]) == (200, "full")
    assert (await portal.get("api/v1/explain")).json()["site"] == "reims"
    body = body_of(free={"*": 3})
    assert (await send(portal, body, sign(portal, body))).json()["state"] == "up"


async def test_a_heartbeat_is_forgotten_when_it_expires(portal, clock):
    body = body_of(drain=Notice(message={"fr": "Panne de clim", "en": "Cooling broke"}))
    assert (await send(portal, body, sign(portal, body))).json()["state"] == "draining"
    clock.ahead = timedelta(seconds=61)
    await portal.until(grenoble="up")


async def test_a_good_heartbeat_of_a_dead_site_brings_a_probe_at_once(portal, sites):
    await sites["grenoble"].kill()
    await portal.until(grenoble="down")
    await asyncio.sleep(1)
    await sites["grenoble"].start()
    body = body_of()
    await send(portal, body, sign(portal, body))
    async with asyncio.timeout(0.5):
        await portal.until(grenoble="up")


BAD = {
    "no-token": lambda portal, body: None,
    "not-a-token": lambda portal, body: "abc.def",
    "bad-signature": lambda portal, body: sign(portal, body, key=OTHER),
    "unknown-site": lambda portal, body: sign(portal, body, site="atlantis"),
    "another-audience": lambda portal, body: sign(portal, body, audience="https://elsewhere.example/"),
    "not-now": lambda portal, body: sign(portal, body, now=datetime.now(UTC) - timedelta(minutes=5)),
    "another-body": lambda portal, body: sign(portal, body + b" "),
    "another-site": lambda portal, body: sign(portal, body, key=OTHER, site="reims"),
    "bad-token": lambda portal, body: jwt.encode(
        {"iss": "grenoble", "aud": portal.service.audience}, "x" * 32, algorithm="HS256"
    ),
    "lives-too-long": lambda portal, body: long_lived(portal, body),
    "token-too-long": lambda portal, body: "a" * 5000,
}


def long_lived(portal, body) -> str:
    now = datetime.now(UTC).timestamp()
    claims = {
        "iss": "grenoble",
        "aud": portal.service.audience,
        "iat": now,
        "exp": now + 86400,
        "jti": "j" * 16,
        "body": signing.body_hash(body),
    }
    return jwt.encode(claims, KEY, algorithm="EdDSA")


@pytest.mark.parametrize("code", BAD)
async def test_a_heartbeat_that_proves_nothing_is_refused(portal, code):
    body = body_of(drain=Notice())
    answer = await send(portal, body, BAD[code](portal, body))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    assert portal.service.board.known["grenoble"].shown.state == "up"


async def test_the_same_token_counts_once(portal):
    body = body_of()
    token = sign(portal, body)
    assert (await send(portal, body, token)).status_code == 200
    again = await send(portal, body, token)
    assert (again.status_code, again.json()["error"]["code"]) == (401, "replayed")


async def test_a_body_that_is_no_heartbeat_is_refused_although_it_is_signed(portal):
    body = json.dumps({"site": "grenoble", "sent": "yesterday", "evil": 1}).encode()
    assert (await send(portal, body, sign(portal, body))).status_code == 400


async def test_a_body_without_end_is_cut_off(portal):
    body = b"x" * (256 * 1024 + 1)
    answer = await send(portal, body, sign(portal, body))
    assert answer.status_code == 413


async def test_an_older_heartbeat_that_was_late_changes_nothing(portal):
    now = datetime.now(UTC)
    late = Heartbeat(site="grenoble", sent=now - timedelta(seconds=5), drain=Notice()).model_dump_json().encode()
    good = body_of()
    await send(portal, good, sign(portal, good))
    assert (await send(portal, late, sign(portal, late))).json()["state"] == "up"


def test_keys_are_read_as_they_are_written():
    text = signing.public_text(KEY)
    assert signing.public_text(signing.public_key(text)) == text
    for wrong in ("", "ed25519:", text[:-1], text + "A", "rsa:" + text[8:], "ed25519:" + "*" * 43):
        with pytest.raises(signing.KeyUnreadableError):
            signing.public_key(wrong)


def test_a_site_makes_its_key_once_and_only_its_owner_reads_it(tmp_path):
    first = signing.kept_key(tmp_path / "deep" / "site-key.pem")
    assert signing.public_text(signing.kept_key(tmp_path / "deep" / "site-key.pem")) == signing.public_text(first)
    assert (tmp_path / "deep" / "site-key.pem").stat().st_mode & 0o077 == 0


async def test_a_site_that_the_portal_can_not_reach_stays_down_however_good_its_heartbeats(portal, sites):
    await sites["grenoble"].kill()
    await portal.until(grenoble="down")
    for _ in range(5):
        body = body_of(free={"*": 50})
        assert (await send(portal, body, sign(portal, body))).json()["state"] == "down"
        await asyncio.sleep(0.2)
    assert (await portal.get("go/~site=grenoble/hub/")).status_code == 503


async def test_a_site_whose_heartbeats_no_longer_arrive_is_still_used(portal, sites, clock):
    body = body_of(free={"*": 3}, profiles=("lab",))
    await send(portal, body, sign(portal, body))
    assert portal.service.board.views["grenoble"].room() == 3
    clock.ahead = timedelta(minutes=2)
    portal.service.board.refresh()
    view = portal.service.board.views["grenoble"]
    assert (view.state, view.room(), view.profiles) == ("up", None, None)
    assert (await portal.get("go/~site=grenoble/hub/")).status_code == 302
