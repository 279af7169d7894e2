"""Invitations in the database and the identity that they give: once, in time, and never somebody's account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupytercloud_hub.auth import store as rows
from jupytercloud_hub.auth.guest_store import GuestStore
from jupytercloud_hub.auth.store import Store
from jupytercloud_hub.identity import Policy, Refused, Subject, decide, guests, usernames
from jupytercloud_hub.storage import Database

ISSUER = "https://proxy.example"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = Policy.model_validate(
    {"institutions": [{"name": "univ", "home_organizations": ["univ.fr"], "affiliations": ["staff"]}]}
)
VALUES = st.one_of(
    st.none(), st.integers(), st.text(max_size=30), st.lists(st.text(max_size=10), max_size=3),
    st.sampled_from(["univ.fr", "faculty@univ.fr", "student@other.fr", "x@univ.fr"]),
)  # fmt: skip
CLAIMS = st.dictionaries(
    st.sampled_from(
        ["name", "email", "idp", "schac_home_organization", "eduperson_scoped_affiliation", "eduperson_principal_name"]
    ),
    VALUES,
)


def subject(sub: str) -> Subject:
    return Subject(issuer=ISSUER, sub=sub)


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path}/jupytercloud.sqlite"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
    made = Database(url, "auth")
    await made.upgrade()
    yield made
    await made.close()


def at(database: Database, when: datetime) -> GuestStore:
    return GuestStore(database, lambda: when)


async def test_of_many_who_use_a_link_at_once_one_gets_in(database: Database) -> None:
    store = at(database, NOW)
    identifier, token = await store.invite("anna", NOW + 30 * DAY, 14 * DAY)
    answers = await asyncio.gather(*(store.accept(identifier, subject(f"s{n}"), f"guest-{n}") for n in range(6)))
    assert sorted(answers) == ["open", *["used"] * 5]
    assert (await store.look(token))[0] == "used"
    assert (await store.look(token + "x"))[0] == "unknown"


async def test_a_link_and_an_account_end_in_their_time(database: Database) -> None:
    identifier, token = await at(database, NOW).invite("anna", NOW + 30 * DAY, 14 * DAY)
    assert (await at(database, NOW + 15 * DAY).look(token))[0] == "ended"
    assert await at(database, NOW + 15 * DAY).accept(identifier, subject("s"), "g") == "ended"
    assert await at(database, NOW + DAY).accept(identifier, subject("s"), "g") == "open"
    assert await at(database, NOW + 29 * DAY).just_ended() == []
    assert await at(database, NOW + 31 * DAY).just_ended() == ["g"]
    assert await at(database, NOW + 31 * DAY).just_ended() == []


async def test_a_second_invitation_prolongs_the_account(database: Database) -> None:
    store = at(database, NOW)
    for days in (10, 40):
        identifier, _ = await store.invite("anna", NOW + days * DAY, 14 * DAY)
        assert await store.accept(identifier, subject("s"), "g") == "open"
    later = at(database, NOW + 11 * DAY)
    assert await later.just_ended() == [], "the first has ended, the account goes on"
    guest = await later.guest(subject("s"))
    assert guest is not None
    assert later.ends(guest) == NOW + 40 * DAY


async def test_a_person_s_export_and_erasure_know_invitations_and_leavers(database: Database) -> None:
    store = at(database, NOW)
    identifier, _ = await store.invite("anna", NOW + 30 * DAY, 14 * DAY, note="for Karim")
    await store.accept(identifier, subject("s"), "g")
    await store.left("anna", 5 * DAY)
    async with database.session() as session:
        shown = await rows.export(session, "anna")
        assert [row["note"] for row in shown["auth_guest"]] == ["for Karim"], "whom she invited"
        assert "digest" not in shown["auth_guest"][0]
        assert len(shown["auth_leaver"]) == 1
        assert len((await rows.export(session, "g"))["auth_guest"]) == 1
    for _ in range(2):
        async with database.session() as session:
            await rows.erase(session, "anna", "erased-1")
    (row,) = await store.guests()
    assert row.sponsor == "erased-1"
    async with database.session() as session:
        await rows.erase(session, "g", "erased-2")
    assert await store.guests() == []


async def test_what_ended_long_ago_is_forgotten(database: Database) -> None:
    store = at(database, NOW)
    await store.invite("anna", NOW + 2 * DAY, DAY)
    kept, _ = await store.invite("anna", NOW + 50 * DAY, 20 * DAY)
    await store.left("berta", DAY)
    await store.emergency("admin", "192.0.2.7", "away", "accepted")
    await at(database, NOW + 10 * DAY).forget_old(NOW + 9 * DAY)
    assert [row.id for row in await store.guests()] == [kept]
    assert await store.emergencies() == []
    assert (await at(database, NOW + 10 * DAY).left("berta", DAY))[1], "as if she had never left"


async def test_who_has_not_left_costs_no_write(database: Database) -> None:
    store = at(database, NOW)
    await store.is_back("anna")
    assert await store.left("anna", DAY) == (NOW + DAY, True)
    assert await at(database, NOW + DAY / 2).left("anna", DAY) == (NOW + DAY, False)
    await store.is_back("anna")
    assert (await store.left("anna", 2 * DAY))[1]
    assert await Store(database).bindings() == []


@given(CLAIMS, st.text("abc", min_size=1, max_size=3))
def test_no_claims_make_a_guest_of_more_than_an_invitation_says(claims: dict[str, Any], sub: str) -> None:
    raw = {**claims, "sub": sub}
    try:
        made = guests.guest(raw, ISSUER, POLICY, groups=["guests"], ends_at=NOW)
    except Refused:
        return
    assert (made.groups, made.roles, made.affiliations, made.home_organization) == (("guests",), (), (), None)
    assert made.username == guests.username_of(subject(sub))
    assert usernames.safe(made.username) == made.username


@given(st.text(), st.text())
def test_no_two_subjects_are_one_guest(one: str, other: str) -> None:
    same = guests.username_of(subject(one)) == guests.username_of(subject(other))
    assert same is (one == other)


@given(CLAIMS, st.text("abc", min_size=1, max_size=3))
def test_a_leaver_keeps_her_name_and_nothing_else(claims: dict[str, Any], sub: str) -> None:
    raw = {**claims, "sub": sub, "eduperson_principal_name": "anna@univ.fr", "schac_home_organization": "univ.fr"}
    refused = decide(raw, ISSUER, POLICY).refused
    if refused is None or not guests.has_left(refused, POLICY, raw):
        return
    try:
        made = guests.leaver(raw, ISSUER, POLICY, ends_at=NOW)
    except Refused:
        return
    assert made.username == "anna@univ.fr"
    assert (made.groups, made.roles, made.affiliations, made.entitlements) == ((), (), (), ())
