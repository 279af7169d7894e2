"""What the demo's table promises of each person is what happens to her (by hand, without a browser, on one demo)."""

from __future__ import annotations

import contextlib

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
