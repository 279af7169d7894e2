"""What the demo's table promises of each person is what happens to her (by hand, without a browser, on one demo)."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from typing import Any

import pytest

from jupytercloud_hub.demo import people
from tests.support.demo import Demo
from tests.support.person import log_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
LOGINS = [person.login for person in people.load()[1]]


@pytest.mark.parametrize("login", LOGINS)
def test_each_person_arrives_where_the_table_says(demo: Demo, login: str) -> None:
    person = demo.person(login)
    client, page = log_in(person, f"{demo.portal}services/federation/go/hub/spawn")
    with contextlib.closing(client):
        if person["expected_site"] is None:
            assert page.status_code == 403
            assert str(page.url).startswith(demo.portal)
        else:
            assert page.status_code == 200
            assert str(page.url).startswith(demo.site(person["expected_site"])), page.url
            if "/hub/spawn" in page.url.path:  # else a server of hers runs already
                reserved = "réservé au groupe calcul" in page.text
                assert reserved == (login not in {"alice", "david"})


def check(demo: Demo, hub: str) -> tuple[int, dict[str, Any]]:
    settings = demo.state / hub / "jupytercloud.yaml"
    command = [sys.executable, "-m", "jupytercloud_hub", "check", "--config", str(settings), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("hub", ["portal", "grenoble", "paris-saclay"])
def test_check_finds_everything_of_a_healthy_demo_in_order_and_leaves_nothing_out(demo: Demo, hub: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        code, told = check(demo, hub)
        # a demo that has just come up: the portal waits for its sites' first heartbeats
        # What another hub of this name left on this machine is not this demo's: other tests run beside this one.
        others = [found for found in told["findings"] if found["status"] != "ok" and found["area"] != "orphans"]
        if (code == 0 and not others) or time.monotonic() > deadline:
            break
        time.sleep(1)
    assert (code, others) == (0, [])
    areas = {found["area"] for found in told["findings"]}
    wanted = {"settings", "hub", "proxy", "services", "database", "disk", "provider", "portal"}
    assert areas >= wanted | ({"spawner", "orphans"} if hub != "portal" else set())
