"""The whole of it on a real hub as a process: seats ready ahead, an end with notice, a purge that can be killed."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.events.purge import OUTPUT
from tests.support import ROOT
from tests.support.event_hub import PATIENCE, EventHub, event, until


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventHub]:
    with EventHub.running(tmp_path_factory.mktemp("fair"), seats=3, warm=2) as hub:
        yield hub


def test_seats_stand_ready_are_topped_up_and_lead_to_the_notebook_at_once(hub: EventHub) -> None:
    until(lambda: hub.status()["ready"] == 2, hub.words)
    with hub.browser() as visitor:
        began = time.monotonic()
        page = hub.come_in(visitor, hub.codes()[0])
        seconds = time.monotonic() - began
        assert page.status_code == 200, page.text
        assert "/salon/user/seat-0001/" in str(page.url)
        print(f"from code to the server's first answered page: {seconds:.2f} s")
        assert seconds < 30
    assert until(lambda: (found := hub.status())["ready"] == 2 and found, hub.words)["held"] == 1
    assert hub.status()["queued"] == 0

    assert "2 sur 2 prêtes" in event("warm", "--seats", "2", "--wait", "60", "--config", str(hub.settings))


def test_who_is_stuck_calls_and_the_board_shows_it(hub: EventHub) -> None:
    with hub.browser() as visitor, hub.browser() as organizer:
        hub.come_in(visitor, hub.codes()[0])
        page = visitor.get("services/events/")
        assert "To my notebook" in page.text or "Vers mon carnet" in page.text
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        assert xsrf
        refused = visitor.post("services/events/close", data={"_xsrf": xsrf[1]})
        assert refused.status_code == 403, "visitors close nothing"
        visitor.post("services/events/help", data={"_xsrf": xsrf[1]})
        assert hub.status()["stuck"] == ["seat-0001"]

        board = hub.come_in(organizer, hub.codes("organizer")[0])
        assert "Tableau de bord" in board.text
        assert "Quelqu'un est bloqué" in board.text.replace("&#39;", "'")
        assert 'value="seat-0001"' in board.text
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', board.text)
        assert xsrf
        assert "refresh" in board.headers
        orders = organizer.get("services/events/orders")
        assert "refresh" not in orders.headers, "it stays still while somebody types"
        assert "Message à tous" in orders.text
        assert "30 minutes de plus" in orders.text
        organizer.post("services/events/helped", data={"_xsrf": xsrf[1], "seat": "seat-0001"})
        organizer.post("services/events/message", data={"_xsrf": xsrf[1], "text": "Goûter à 16 h <b>"})
        assert hub.status()["stuck"] == []
        assert "Goûter à 16 h &lt;b&gt;" in visitor.get("services/events/").text
        report = organizer.get("services/events/report.csv?lang=en").content.decode("utf-8-sig")
        assert sum(int(row["Visitors"]) for row in csv.DictReader(report.splitlines())) == 1
        assert "Visiteurs par quart" in organizer.get("services/events/report").text
        assert visitor.get("services/events/report.csv").status_code == 403


def test_organizers_fetch_the_work_of_all_before_seats_are_made_new_and_nobody_else_does(hub: EventHub) -> None:
    (hub.home("seat-0001") / "carnet.ipynb").write_text("hers")
    with hub.browser() as organizer, hub.browser() as visitor:
        hub.come_in(organizer, hub.codes("organizer")[0])
        fetched = organizer.get("services/events/work.zip")
        assert fetched.headers["content-type"] == "application/zip", fetched.text
        with zipfile.ZipFile(io.BytesIO(fetched.content)) as works:
            (name,) = works.namelist()
            with zipfile.ZipFile(io.BytesIO(works.read(name))) as work:
                assert work.read("carnet.ipynb") == b"hers"
        assert name.endswith(" (seat-0001).zip"), "under the visitor's pseudonym"
        hub.come_in(visitor, hub.codes()[0])
        assert visitor.get("services/events/work.zip").status_code == 403


def test_a_seat_that_is_reset_is_new_for_the_next_visitor(hub: EventHub) -> None:
    home = hub.home("seat-0001")
    (home / "secret.txt").write_text("the first visitor's")
    with hub.browser() as organizer:
        hub.come_in(organizer, hub.codes("organizer")[0])
        orders = organizer.get("services/events/orders")
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', orders.text)
        assert xsrf
        organizer.post("services/events/reset", data={"_xsrf": xsrf[1], "seat": "seat-0001"})
    until(lambda: not (home / "secret.txt").exists() and hub.status()["held"] == 0, hub.words)
    assert not list((hub.folder / "state" / "work").iterdir()), "what was packed of the first visitor is gone too"
    with hub.browser() as visitor:
        assert "/user/seat-000" in str(until(lambda: (page := hub.come_in(visitor, hub.codes()[1])).url.path != "/salon/hub/event/enter" and page, hub.words).url)  # fmt: skip # noqa: E501
    assert not (home / "secret.txt").exists()


def test_after_the_end_servers_stop_and_work_is_fetched_by_code(hub: EventHub) -> None:
    assert hub.status()["held"] == 1
    accounts = [path.name for path in (hub.folder / "homes").iterdir()]
    for account in accounts:
        (hub.folder / "homes" / account / "carnet.ipynb").write_text(json.dumps({"mine": account}))
    before = datetime.now(UTC)
    closed = CliRunner().invoke(main, ["event", "close", "--config", str(hub.settings)], env={"LC_ALL": "en"})
    assert closed.exit_code == 0, closed.output
    at = datetime.fromisoformat(closed.output.split()[-1].rstrip("."))
    assert at >= before + timedelta(seconds=2), "visitors have their notice"
    until(lambda: hub.status()["door"] == "over", "it does not end")
    work = hub.folder / "state" / "work"
    until(lambda: list(work.glob("*.zip")), hub.words)
    with hub.browser() as visitor:
        page = hub.come_in(visitor, hub.codes()[1])
        assert "event/work" in page.text, page.text
        fetched = visitor.get("hub/event/work")
        (packed,) = list(work.glob("*.zip"))
        assert fetched.content == packed.read_bytes()
        with zipfile.ZipFile(packed) as archive:
            assert archive.namelist() == ["carnet.ipynb"]
    log = hub.folder / "state" / "logs"
    assert list(log.glob("seat-*.log"))


def test_a_purge_that_is_killed_between_two_steps_ends_at_the_next_run_with_the_right_counts(hub: EventHub) -> None:
    early = CliRunner().invoke(main, ["event", "purge", "--config", str(hub.settings)])
    assert early.exit_code == 1, "visitors may still fetch their work"
    backup = hub.folder.parent / "backup"
    shutil.copytree(hub.folder, backup, ignore=shutil.ignore_patterns("*.sock"))
    accounts = [path.name for path in (hub.folder / "homes").iterdir()]
    files = sum(
        1
        for place in (hub.folder / "homes", hub.folder / "state" / "logs", hub.folder / "state" / "work")
        for path in place.rglob("*")
        if path.is_file() and "seat-" in str(path.relative_to(hub.folder))
    )
    codes = len((hub.folder / "codes.hashed").read_text().splitlines())

    # Killed the hard way between "server" and "files" of a seat, after its files are gone and before that is noted.
    script = """
import os, signal, sys
from jupytercloud_hub.events.files import SeatFiles
real = SeatFiles.remove
def remove(self, account):
    real(self, account)
    os.kill(os.getpid(), signal.SIGKILL)
SeatFiles.remove = remove
from jupytercloud_hub.cli.main import main
main(["event", "purge", "--yes", "--config", sys.argv[1]])
"""
    killed = subprocess.run(
        [sys.executable, "-c", script, str(hub.folder / "jupytercloud.yaml")], cwd=ROOT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert not (hub.folder / "attestation.json").exists()

    purge = ("purge", "--yes", "--json", "--config", str(hub.settings))
    said = json.loads(event(*purge))
    assert said == json.loads((hub.folder / "attestation.json").read_text())
    assert said["found_afterwards"] == {}
    assert said["not_covered"] == [OUTPUT]
    assert said["removed"]["files"] == files
    assert said["removed"]["codes"] == codes
    assert said["removed"]["accounts"] >= len(accounts)
    assert json.loads(event(*purge))["removed"] == said["removed"], "a second run removes nothing and counts nothing"

    # No trace: names of seats, hashes and pseudonyms in no table and no file of the event.
    assert not list((hub.folder / "homes").iterdir())
    assert not list((hub.folder / "state" / "logs").glob("seat-*"))
    assert not list((hub.folder / "state" / "work").iterdir())
    digests = [line.split()[1] for line in (backup / "codes.hashed").read_text().splitlines()]
    for name in ("jupytercloud.sqlite", "jupyterhub.sqlite"):
        dump = _dump(hub.folder / "state" / name)
        for trace in (*digests, *accounts):
            assert trace not in dump, (name, trace)

    # A backup of the tables and of the codes is restored: it is purged again, and the file brings nothing back.
    shutil.copy(backup / "codes.hashed", hub.folder)
    shutil.copytree(backup / "homes", hub.folder / "homes", dirs_exist_ok=True)
    assert json.loads(event(*purge))["removed"]["files"] > 0
    assert not list((hub.folder / "homes").iterdir())
    assert not (hub.folder / "codes.hashed").exists()
    assert len(list(hub.folder.glob("attestation-*.json"))) == 1, "the first attestation is kept"


def test_nothing_of_the_hub_is_left_running(hub: EventHub) -> None:
    hub.end()

    async def gone() -> None:
        async with asyncio.timeout(PATIENCE):
            while any(str(hub.folder) in _command(pid) for pid in _pids()):
                await asyncio.sleep(0.2)

    asyncio.run(gone())


def test_a_restored_database_is_purged_again_by_the_service_itself(hub: EventHub) -> None:
    """The list of what was purged stands outside of the database: the attestation."""
    backup, first = hub.folder.parent / "backup", (hub.folder / "attestation.json").read_text()
    for path in (backup / "state").glob("*.sqlite*"):
        shutil.copy(path, hub.folder / "state")
    shutil.copy(backup / "codes.hashed", hub.folder)
    digest = (backup / "codes.hashed").read_text().split()[1]
    assert digest in _dump(hub.folder / "state" / "jupytercloud.sqlite")
    hub.start()
    try:
        hub.wait()
        said = until(lambda: (text := (hub.folder / "attestation.json").read_text()) != first and text, hub.words)
    finally:
        hub.end()
    assert json.loads(said)["removed"]["codes"] > 0
    assert json.loads(said)["found_afterwards"] == {}
    assert digest not in _dump(hub.folder / "state" / "jupytercloud.sqlite")


def test_a_hub_that_everybody_forgot_purges_itself(hub: EventHub) -> None:
    """The whole directory comes back from before the purge, a year later, and nobody looks."""
    backup = hub.folder.parent / "backup"
    written = (backup / "jupytercloud.yaml").read_text()
    for key in ("opens", "closes"):
        written = re.sub(rf'{key}: "20\d\d', f'{key}: "2021', written)
    forgotten = EventHub(backup, written.replace(f"url: {hub.url}", "url: {url}"), path="/salon/")
    forgotten.start()
    try:
        forgotten.wait()
        until((backup / "attestation.json").exists, forgotten.words)
    finally:
        forgotten.end()
    said = json.loads((backup / "attestation.json").read_text())
    assert said["found_afterwards"] == {}
    assert not list((backup / "homes").iterdir())
    assert not (backup / "codes.csv").exists()


def _dump(path: Path) -> str:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        return "\n".join(line for line in database.iterdump() if "events_purged" not in line)


def _pids() -> list[str]:
    return [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""
