"""The log of requests, and what a service process does without."""

from __future__ import annotations

import logging
import subprocess
import sys
from types import SimpleNamespace

import pytest
from tornado.httputil import HTTPHeaders

from jupytercloud_hub.web.access_log import log_request, without_secrets
from tests.support import ROOT


@pytest.mark.parametrize(
    ("uri", "written"),
    [
        ("/services/culler/", "/services/culler/"),
        ("/a?token=abc", "/a?token=[secret]"),
        ("/a?x=1&code=abc&state=d%20e&y=&z", "/a?x=1&code=[secret]&state=[secret]&y=&z"),
        ("/a?access_token=abc&Api-Key=b", "/a?access_token=[secret]&Api-Key=[secret]"),
        ("/a?_xsrf=2%7Cabc", "/a?_xsrf=[secret]"),
        ("/a?next=/b?c=d", "/a?next=/b?c=d"),
    ],
)
def test_secrets_of_an_address_are_not_written_down_and_the_rest_is_as_it_was(uri, written):
    assert without_secrets(uri) == written


@pytest.mark.parametrize(
    ("status", "path", "took_ms", "level"),
    [
        (200, "/services/culler/", 5, logging.INFO),
        (200, "/services/culler/health", 5, logging.DEBUG),
        (200, "/services/culler/health", 2000, logging.INFO),
        (304, "/services/culler/static/a.css", 5, logging.DEBUG),
        (503, "/services/culler/health", 5, logging.ERROR),
        (404, "/services/culler/no", 5, logging.WARNING),
    ],
)
def test_what_went_wrong_or_took_long_is_said_louder(caplog, status, path, took_ms, level):
    with caplog.at_level(logging.DEBUG, "tornado.access"):
        log_request(_handler(status, path, took_ms))
    assert [record.levelno for record in caplog.records] == [level]
    assert f"{status} GET {path} (anna@10.0.0.1)" in caplog.text


def test_a_redirect_says_where_to_without_its_secrets(caplog):
    with caplog.at_level(logging.DEBUG, "tornado.access"):
        log_request(_handler(302, "/a", 1, Location="/hub/login?state=abc&next=/a"))
    assert "302 GET /a -> /hub/login?state=[secret]&next=/a (" in caplog.text


def _handler(status, path, took_ms, **headers):
    request = SimpleNamespace(
        method="GET", uri=path, path=path, remote_ip="10.0.0.1", request_time=lambda: took_ms / 1000
    )
    return SimpleNamespace(
        request=request, get_status=lambda: status, _headers=HTTPHeaders(headers), user={"name": "anna"}
    )


LOADED = """
import sys
from jupytercloud_hub.web.unneeded import HUB_ONLY, import_when_used
import_when_used(*HUB_ONLY)
import jupytercloud_hub.culling.service, jupytercloud_hub.quotas.service, jupytercloud_hub.federation.service
heavy = {"alembic", "mako", "jupyterhub.spawner", "jupyterhub.user", "jupyterhub.handlers", "docker", "psycopg"}
print(sorted(heavy & set(sys.modules)))
from jupyterhub import scopes
print(scopes.orm.User.__tablename__, sorted(heavy & set(sys.modules)))
print(sys.modules["jupyterhub.orm"].User is scopes.orm.User)
"""


def test_a_service_process_does_without_what_only_a_hub_needs_until_something_asks_for_it():
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "users ['alembic', 'mako']", "True"]


CULLER = """
import sys
from jupytercloud_hub.web.unneeded import HUB_ONLY, do_without_sqlalchemy, import_when_used
import_when_used(*HUB_ONLY)
do_without_sqlalchemy()
import jupytercloud_hub.culling.service
print([name for name in sys.modules if name.startswith("sqlalchemy.")])
from jupyterhub import scopes, utils
print(sorted(scopes.expand_scopes(["read:servers"])))
print(issubclass(utils.SQLAlchemyError, Exception), scopes.orm.User.__tablename__, scopes.sa.inspect.__name__)
from sqlalchemy.exc import OperationalError, SQLAlchemyError
print(issubclass(OperationalError, SQLAlchemyError))
"""


def test_the_cullers_process_does_without_sqlalchemy_until_something_asks_for_it():
    done = subprocess.run([sys.executable, "-c", CULLER], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "['sqlalchemy.exc']",
        "['read:servers', 'read:users:name']",
        "True users inspect",
        "True",
    ]
