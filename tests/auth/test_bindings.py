"""One username, one person: from her first login on, over reassigned names, old hubs and erasures."""

from __future__ import annotations

import asyncio
import json
import string
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupytercloud_hub.auth import store as module
from jupytercloud_hub.auth.renater import claim_keys
from jupytercloud_hub.auth.store import Store
from jupytercloud_hub.cli.identity import command
from jupytercloud_hub.identity import Identity, Refused, Subject, usernames
from jupytercloud_hub.storage import Database

ISSUER = "https://proxy.example"


def person(sub: str, username: str, **identifiers: str) -> Identity:
    return Identity(subject=Subject(issuer=ISSUER, sub=sub), username=username, identifiers=identifiers)


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path}/jupytercloud.sqlite"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
    database = Database(url, "auth")
    await database.upgrade()
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


async def bind(
    store: Store, identity: Identity, known: Callable[[str], bool] = lambda name: False, sid: str | None = None
) -> str:
    return await store.bind(identity, claim_keys(identity), hub_knows=known, sid=sid)


async def refused(store: Store, identity: Identity, known: Callable[[str], bool] = lambda name: False) -> None:
    with pytest.raises(Refused) as caught:
        await bind(store, identity, known)
    assert caught.value.reason == "username-taken"


async def test_a_person_keeps_her_username_when_her_organization_renames_her(store: Store) -> None:
    assert await bind(store, person("s1", "anna.dupont@univ.fr")) == "anna.dupont@univ.fr"
    assert await bind(store, person("s1", "anna.martin@univ.fr")) == "anna.dupont@univ.fr"


async def test_a_reassigned_name_is_refused_to_the_next_person(store: Store) -> None:
    await bind(store, person("s1", "anna@univ.fr"))
    await refused(store, person("s2", "anna@univ.fr"))


async def test_subjects_that_differ_by_capitals_only_are_two_people(store: Store) -> None:
    names = [usernames.safe(sub) for sub in ("Ab", "ab", "AB")]
    assert len({await bind(store, person(sub, name)) for sub, name in zip(("Ab", "ab", "AB"), names, strict=True)}) == 3


async def test_the_same_local_name_of_two_organizations_is_refused_to_the_second(store: Store) -> None:
    await bind(store, person("s1", "anna", eppn="anna@one.fr"))
    await refused(store, person("s2", "anna", eppn="anna@two.fr"))


async def test_an_account_that_the_hub_knows_is_nobody_s_for_the_taking(store: Store) -> None:
    await refused(store, person("s1", "anna"), lambda name: name == "anna")


async def test_an_imported_account_is_claimed_by_its_owner_once_and_by_nobody_else(store: Store) -> None:
    await store.keep("adupont", "eppn", "anna@univ.fr")
    await refused(store, person("evil", "adupont"))
    owner = person("s1", "anna@univ.fr", eppn="anna@univ.fr")
    assert await bind(store, owner, lambda name: name == "adupont") == "adupont"
    await refused(store, person("s2", "anna@univ.fr", eppn="anna@univ.fr"), lambda name: name == "anna@univ.fr")
    assert await store.claimables() == []
    assert await bind(store, owner) == "adupont"


async def test_a_binding_is_moved_by_an_operator_only(store: Store) -> None:
    await bind(store, person("s1", "anna@univ.fr"))
    assert await store.rebind("anna@univ.fr", Subject(issuer=ISSUER, sub="s2"))
    assert await bind(store, person("s2", "anna@univ.fr")) == "anna@univ.fr"
    await refused(store, person("s1", "anna@univ.fr"))
    assert await store.rebind("anna@univ.fr", None)
    assert await bind(store, person("s3", "anna@univ.fr"), lambda name: True) == "anna@univ.fr"
    assert not await store.rebind("nobody", None)


async def test_a_subject_that_moves_to_another_account_leaves_its_first(store: Store) -> None:
    await bind(store, person("s1", "old"))
    await bind(store, person("s2", "new"))
    assert await store.rebind("old", Subject(issuer=ISSUER, sub="s2"))
    assert await bind(store, person("s2", "new")) == "old"


async def test_an_erased_person_s_username_is_given_to_nobody(store: Store, database: Database) -> None:
    await bind(store, person("s1", "anna@univ.fr"), sid="sid-1")
    async with database.session() as session:
        found = await module.export(session, "anna@univ.fr")
        assert found["auth_binding"][0]["sub"] == "s1"
        assert found["auth_session"][0]["sid"] == "sid-1"
    for _ in range(2):
        async with database.session() as session:
            await module.erase(session, "anna@univ.fr", "pseudonym")
    async with database.session() as session:
        assert not any((await module.export(session, "anna@univ.fr")).values())
    for sub in ("s1", "s2"):
        await refused(store, person(sub, "anna@univ.fr"))


async def test_two_first_logins_at_once_end_with_one_owner(store: Store) -> None:
    async def one(sub: str) -> str | None:
        try:
            return await bind(store, person(sub, "anna@univ.fr"))
        except Refused:
            return None

    results = await asyncio.gather(*(one(f"s{number}") for number in range(6)))
    assert (results.count(None), results.count("anna@univ.fr")) == (5, 1)
    again = await asyncio.gather(*(bind(store, person("same", "berta@univ.fr")) for _ in range(4)))
    assert set(again) == {"berta@univ.fr"}


async def test_used_logout_tokens_and_old_sessions_are_forgotten_in_time(database: Database) -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    await bind(Store(database, lambda: early), person("s1", "anna"), sid="sid-1")
    await Store(database, lambda: early).end_session(ISSUER, "s1", None, "jti-1", early)
    store = Store(database, lambda: late)
    await store.forget_old(datetime(2026, 2, 1, tzinfo=UTC))
    assert await store.end_session(ISSUER, None, "sid-1", "jti-1", late) == set()


NAMES = st.sampled_from(["anna", "anna@one.fr", "Anna", "b"])
LOGINS = st.lists(st.tuples(st.text(string.ascii_letters, min_size=1, max_size=2), NAMES), max_size=12)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LOGINS)
def test_no_two_subjects_ever_get_one_username(tmp_path: Path, logins: list[tuple[str, str]]) -> None:
    async def run() -> None:
        database = Database(f"sqlite:///{tmp_path}/{uuid.uuid4().hex}.sqlite", "auth")
        await database.upgrade()
        store, owners = Store(database), dict[str, str]()
        for sub, name in logins:
            try:
                username = await bind(store, person(sub, usernames.safe(name)))
            except Refused:
                continue
            assert owners.setdefault(username, sub) == sub
        await database.close()

    asyncio.run(run())


CONFIG = """
site: {name: hub, url: "http://127.0.0.1:8000/"}
auth: {issuer: "http://127.0.0.1:9", client_id: hub, client_secret: {env: NAME}}
"""


def test_an_operator_imports_looks_and_moves_by_the_command(tmp_path: Path) -> None:
    (tmp_path / "jupytercloud.yaml").write_text(CONFIG)
    (tmp_path / "accounts.csv").write_text(
        "username,kind,identifier\nadupont,eppn,Anne.Dupont@univ.fr\nbob,,bob@univ.fr\n"
    )
    (tmp_path / "bad.csv").write_text(
        "username,kind,identifier\na,mail,x@y\n,eppn,x@y\nb,eppn,xy\nc,eppn,x@y\nc,eppn,z@y\n"
    )

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner(env={"LANG": "en"}).invoke(
            command, [*arguments, "--config", str(tmp_path / "jupytercloud.yaml")]
        )
        return result.exit_code, result.output

    code, output = run("import", str(tmp_path / "bad.csv"))
    assert code == 1
    assert [f"line {number}" in output for number in (2, 3, 4, 5, 6)] == [True, True, True, False, True]
    assert run("import", str(tmp_path / "accounts.csv"), "--dry-run")[1] == "2 accounts would wait for their owners\n"
    assert json.loads(run("bindings", "--json")[1]) == {"bound": [], "waiting": []}
    assert run("import", str(tmp_path / "accounts.csv"))[0] == 0
    waiting = json.loads(run("bindings", "--json")[1])["waiting"]
    assert waiting[0] == {"username": "adupont", "kind": "eppn", "value": "anne.dupont@univ.fr"}
    assert run("rebind", "adupont", "--release")[0] == 1, "it is bound to nobody yet"
    assert run("rebind", "adupont")[0] == 2
    assert run("bindings", "nobody")[0] == 1
