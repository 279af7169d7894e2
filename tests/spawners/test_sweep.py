from datetime import UTC, datetime, timedelta

from jupytercloud_hub.contracts.text import Text
from jupytercloud_hub.spawners.sweep import Held, orphans

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def held(user: str, server: str = "", minutes: int = 60) -> Held:
    return Held(
        f"jc-{user}-{server}", user, server, "lab", NOW - timedelta(minutes=minutes), Text("The server is running.")
    )


def test_what_no_server_accounts_for_is_an_orphan_after_the_grace() -> None:
    things = [held("anna"), held("anna", "second"), held("ben"), held("cleo", minutes=5)]
    lost = orphans(things, {("anna", ""), ("ben", "second")}, NOW, timedelta(minutes=10))
    assert [thing.owner for thing in lost] == [("anna", "second"), ("ben", "")]


def test_nothing_is_lost_where_the_hub_knows_everything() -> None:
    assert orphans([held("anna")], {("anna", "")}, NOW, timedelta(0)) == []


def test_of_two_processes_for_one_server_the_newest_is_the_hubs() -> None:
    left, own = held("anna", minutes=60), held("anna", minutes=20)
    assert orphans([left, own], {("anna", "")}, NOW, timedelta(minutes=10)) == [left]
    assert orphans([own, left], {("anna", "")}, NOW, timedelta(minutes=90)) == []
