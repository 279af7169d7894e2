"""The Python in ``hub.extraConfig``, run as the chart runs it: after its own settings, on the merged file of a site."""

from __future__ import annotations

from pathlib import Path

import pytest
from jupyterhub.app import JupyterHub
from ruamel.yaml import YAML
from traitlets.config import Config

from jupytercloud_hub.deploy.embedded import DATA, secrets_of
from jupytercloud_hub.deploy.tree import Combination, Tree
from tests.support import ROOT

COMBINATIONS = Tree(ROOT / "helm-values").combinations()[0]
DB = "postgresql://jupyterhub@postgresql.jupytercloud.svc:5432/jupyterhub"


def as_the_chart_left_it(combination: Combination) -> Config:
    """Return what the chart's own configuration has set before it runs ``hub.extraConfig``."""
    config = Config()
    hub = config.JupyterHub
    hub.spawner_class = "kubespawner.KubeSpawner"
    hub.db_url = combination.values.get("hub", "db", "url")
    hub.concurrent_spawn_limit = combination.values.get("hub", "concurrentSpawnLimit")
    hub.active_server_limit = combination.values.get("hub", "activeServerLimit")
    hub.base_url = combination.values.get("hub", "baseUrl")
    hub.hub_bind_url = "http://:8081"
    hub.hub_connect_url = "http://hub:8081"
    hub.cookie_secret = bytes(32)
    hub.services = []
    hub.load_roles = []
    config.CryptKeeper.keys = ["0" * 64]
    config.ConfigurableHTTPProxy.should_start = False
    config.KubeSpawner.start_timeout = 300
    return config


@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda one: one.name)
def test_hub_of_a_site_is_configured_and_keeps_what_only_the_chart_knows(
    combination: Combination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = combination.values
    monkeypatch.delenv("JUPYTERHUB_CRYPT_KEY", raising=False)
    for name in values.get("hub", "extraEnv"):
        monkeypatch.setenv(name, f"token-of-{name}")
    for _, kind, name in secrets_of(values):
        if kind == "file":
            (tmp_path / Path(name).name).write_text("secret")
    file = tmp_path / "jupytercloud.yaml"
    with file.open("w") as stream:
        YAML(typ="safe").dump(values.get(*DATA), stream)
    text = file.read_text().replace("/etc/jupytercloud/secrets", str(tmp_path))
    file.write_text(text.replace("/var/lib/jupytercloud", str(tmp_path / "state")))

    config = as_the_chart_left_it(combination)
    for _, code in sorted(values.get("hub", "extraConfig").items()):
        exec(code.replace("/etc/jupytercloud/jupytercloud.yaml", str(file)), {"c": config})

    hub = config.JupyterHub
    assert hub.db_url == DB, "not the file that configure would take by itself"
    assert hub.concurrent_spawn_limit == 200
    assert hub.hub_connect_url == "http://hub:8081"
    assert config.CryptKeeper["keys"] == ["0" * 64]
    assert not set(hub) - set(JupyterHub.class_traits())
    assert hub.authenticator_class == "jupytercloud_hub.auth.RenaterAuthenticator"
    services = {service["name"]: service for service in hub.services}
    portal = combination.name == "portal"
    assert hub.spawner_class == ("kubespawner.KubeSpawner" if portal else "profile-kubernetes")
    wanted = {"federation"} if portal else {"culler", "agent"}
    assert wanted <= set(services)
    ports = {port["port"] for port in values.get("hub", "service", "extraPorts")}
    for name in wanted:
        assert services[name]["api_token"] == f"token-of-JUPYTERCLOUD_{name.upper()}_API_TOKEN"
        assert "command" not in services[name], "its container runs it, not the hub"
        if "url" in services[name]:
            host, _, port = services[name]["url"].rpartition("://")[2].partition(":")
            assert (int(port) in ports) if host == "hub" else (host == name)
