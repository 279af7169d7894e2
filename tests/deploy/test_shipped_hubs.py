"""The hubs of config/: short files that load, and one machine's hub that starts as it is shipped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from jupyterhub.app import JupyterHub
from traitlets.config import PyFileConfigLoader

from jupytercloud_hub.settings import SettingsError, load
from tests.support import ROOT
from tests.support.hub_process import ADDRESSES, HubProcess
from tests.support.proxy import proxy_command

KINDS = ("portal", "single-machine", "event")


RENATER = "jupytercloud_hub.auth.RenaterAuthenticator"


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Copy a shipped folder; only where state and secrets are becomes the test's own."""
    monkeypatch.setenv("JUPYTERCLOUD_FEDERATION_API_TOKEN", "0" * 64)
    monkeypatch.delenv("JUPYTERHUB_CRYPT_KEY", raising=False)

    def copy(kind: str) -> Path:
        folder = Path(shutil.copytree(ROOT / "config" / kind, tmp_path / kind))
        for name in ("client_secret", "database_password", "federation_cookie_secret", "code.key"):
            (tmp_path / name).write_text("0" * 64)
        for file in folder.iterdir():
            text = file.read_text().replace("/var/lib/jupytercloud", str(tmp_path / "state"))
            file.write_text(
                text.replace("/etc/jupytercloud", str(tmp_path)).replace("/srv/homes", str(tmp_path / "homes"))
            )
        return folder

    return copy


@pytest.mark.parametrize("kind", KINDS)
def test_configuration_is_at_most_thirty_lines_and_sets_only_traits_that_jupyterhub_has(kind: str, copied) -> None:
    path = copied(kind) / "jupyterhub_config.py"
    assert len(path.read_text().splitlines()) <= 30
    config = PyFileConfigLoader(str(path)).load_config()
    unknown = set(config.JupyterHub) - set(JupyterHub.class_traits())
    assert not unknown
    assert config.JupyterHub.cookie_host_prefix_enabled
    assert "subdomain_host" not in config.JupyterHub, "only where a wildcard leads to the hub"
    authenticator = "jupytercloud_hub.events.authenticator.EventAuthenticator" if kind == "event" else RENATER
    assert config.JupyterHub.authenticator_class == authenticator
    assert ("spawner_class" in config.JupyterHub) == (kind != "portal")


def test_site_with_a_wildcard_has_a_host_for_each_person(copied) -> None:
    folder = copied("single-machine")
    file = folder / "jupytercloud.yaml"
    file.write_text(file.read_text().replace("wildcard: false", "wildcard: true"))
    hub = JupyterHub(config=PyFileConfigLoader(str(folder / "jupyterhub_config.py")).load_config())
    assert hub.subdomain_host == "https://hub.labo.example.fr"
    assert hub.cookie_host_prefix_enabled


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/", "https://labo.example.fr/hub/"])
def test_cookies_of_the_host_alone_are_refused_where_browsers_would_not_take_them(url: str, tmp_path: Path) -> None:
    file = tmp_path / "jupytercloud.yaml"
    file.write_text(f"site: {{name: labo, url: '{url}', cookie_host_prefix: true}}\n")
    with pytest.raises(SettingsError, match="cookie_host_prefix needs a url in https whose path is /"):
        load(file)


def goes_to_the_provider(page: httpx.Response) -> bool:
    return (page.status_code, page.headers.get("location")) == (302, "/hub/oauth_login")


def asks_for_a_code(page: httpx.Response) -> bool:
    return page.status_code == 200 and 'name="code"' in page.text


@pytest.mark.parametrize(
    ("kind", "services", "lets_in"),
    [
        ("single-machine", ("culler", "quotas"), goes_to_the_provider),
        ("event", ("culler", "events"), asks_for_a_code),
    ],
    ids=("single-machine", "event"),
)
def test_hub_starts_as_it_is_shipped_and_its_services_answer(
    copied, kind: str, services: tuple[str, ...], lets_in: Callable[[httpx.Response], bool]
) -> None:
    folder = copied(kind)
    if kind == "event":
        (folder / "codes.hashed").write_text("")  # `jupytercloud event create` writes it
    shipped = (folder / "jupyterhub_config.py").read_text()
    hub = HubProcess(folder, (folder / "jupytercloud.yaml").read_text(), path="/")
    addresses = ADDRESSES.format(
        port=hub.port, path="/", hub_port=hub.hub_port, proxy_port=hub.proxy_port, proxy=proxy_command()
    )
    (folder / "jupyterhub_config.py").write_text(f"{shipped}\n{addresses}")
    try:
        hub.start()
        hub.wait(240)
        assert lets_in(httpx.get(f"{hub.url}hub/login", follow_redirects=False, timeout=30))
        for service in services:
            assert httpx.get(f"{hub.url}services/{service}/health", timeout=30).status_code == 200
    finally:
        hub.end()
