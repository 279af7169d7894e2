"""The hubs of config/: short files that load, and one machine's hub that starts as it is shipped."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest
from jupyterhub.app import JupyterHub
from traitlets.config import PyFileConfigLoader

from tests.support import ROOT
from tests.support.hub_process import ADDRESSES, HubProcess
from tests.support.proxy import proxy_command

KINDS = ("portal", "single-machine")


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Copy a shipped folder; only where state and secrets are becomes the test's own."""
    monkeypatch.setenv("JUPYTERCLOUD_FEDERATION_API_TOKEN", "0" * 64)
    monkeypatch.delenv("JUPYTERHUB_CRYPT_KEY", raising=False)

    def copy(kind: str) -> Path:
        folder = Path(shutil.copytree(ROOT / "config" / kind, tmp_path / kind))
        for name in ("client_secret", "database_password", "federation_cookie_secret"):
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
    assert config.JupyterHub.authenticator_class == "jupytercloud_hub.auth.RenaterAuthenticator"
    assert ("spawner_class" in config.JupyterHub) == (kind != "portal")


def test_one_machines_hub_starts_as_it_is_shipped_and_its_services_answer(tmp_path: Path, copied) -> None:
    folder = copied("single-machine")
    shipped = (folder / "jupyterhub_config.py").read_text()
    hub = HubProcess(folder, (folder / "jupytercloud.yaml").read_text(), path="/")
    addresses = ADDRESSES.format(
        port=hub.port, path="/", hub_port=hub.hub_port, proxy_port=hub.proxy_port, proxy=proxy_command()
    )
    (folder / "jupyterhub_config.py").write_text(f"{shipped}\n{addresses}")
    try:
        hub.start()
        hub.wait()
        page = httpx.get(f"{hub.url}hub/login", follow_redirects=False, timeout=30)
        assert (page.status_code, page.headers["location"]) == (302, "/hub/oauth_login"), "people go to the provider"
        for service in ("culler", "quotas"):
            assert httpx.get(f"{hub.url}services/{service}/health", timeout=30).status_code == 200
    finally:
        hub.end()
