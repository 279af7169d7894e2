"""The connection log holds what it says, goes at its own end and not with the purge."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from jupytercloud_hub.events.connections import ConnectionLog
from tests.support.hub import stop_hub

from .conftest import CODES, Fair, make_event, start

NOON = datetime(2027, 3, 6, 11, tzinfo=UTC)


def test_a_day_is_kept_as_long_as_it_says_and_no_longer(tmp_path: Path) -> None:
    log = ConnectionLog(tmp_path, timedelta(days=365))
    log.note(NOON, "192.0.2.7", "seat-0001", "ab" * 32)
    log.note(NOON + timedelta(days=1), "192.0.2.8", "seat-0002", "cd" * 32)
    (line,) = (tmp_path / "connections" / "2027-03-06.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "at": "2027-03-06T11:00:00+00:00", "address": "192.0.2.7", "account": "seat-0001", "code": "abababababab",
    }  # fmt: skip
    assert (tmp_path / "connections" / "2027-03-06.jsonl").stat().st_mode & 0o777 == 0o600
    assert log.ends() == date(2028, 3, 6)
    assert log.prune(NOON + timedelta(days=364)) == 0
    assert log.prune(NOON + timedelta(days=365)) == 1
    assert log.days() == [date(2027, 3, 7)]


@pytest.mark.parametrize("wanted", [False, True])
async def test_a_fair_keeps_one_only_where_its_settings_want_it(tmp_path: Path, wanted: bool) -> None:
    folder = make_event(tmp_path, "--codes", str(CODES))
    settings = folder / "jupytercloud.yaml"
    if wanted:
        settings.write_text(re.sub(r"\nevent:\n", "\nevent:\n  connection_log: {keep: 30 d}\n", settings.read_text()))
    fair: Fair = await start(folder)
    try:
        async with fair.visitor("192.0.2.9") as visitor:
            await visitor.give(fair.codes["visitor"][0])
            seat = await visitor.seat()
    finally:
        await stop_hub(fair.app)
    found = list((folder / "state" / "connections").glob("*"))
    assert bool(found) is wanted
    if wanted:
        (line,) = found[0].read_text().splitlines()
        assert (json.loads(line)["address"], json.loads(line)["account"]) == ("192.0.2.9", seat)
