"""``configure(c, path)``: ordinary traits, lists that grow, least scopes, and a hub that ends with plain words."""

from __future__ import annotations

import sys

import httpx
import pytest
from traitlets.config import Config

from jupytercloud_hub import configure
from jupytercloud_hub.settings import load
from jupytercloud_hub.settings.configure.least import least_scopes
from tests.support.hub_process import HubProcess, hub_process
from tests.support.settings_files import PORTAL, SINGLE, SITE

TOKENS = {"api_token", "command", "environment", "url"}


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Configure a hub from a text and return its configuration."""
    monkeypatch.setenv("GRENOBLE_SECRET", "s3cret")
    monkeypatch.delenv("JUPYTERHUB_CRYPT_KEY", raising=False)

    def run(text: str, config: Config | None = None) -> Config:
        path = tmp_path / "jupytercloud.yaml"
        path.write_text(text)
        config = Config() if config is None else config
        configure(config, path)
        return config

    return run


def scopes(config: Config) -> dict[str, list[str]]:
    return {role["name"]: sorted(role["scopes"]) for role in config.JupyterHub.load_roles}


def test_a_single_hub_gets_its_address_and_nothing_that_speaks_of_sites(configured):
    config = configured(SINGLE)
    assert config.JupyterHub.bind_url.endswith(":8000/labo/")
    assert config.JupyterHub.public_url == "http://127.0.0.1:8000/labo/"
    for absent in ("authenticator_class", "spawner_class", "default_url", "extra_user_scopes"):
        assert absent not in config.JupyterHub
    assert scopes(config) == {"client-jupytercloud-check": ["proxy", "read:services"]}


CULLING = [
    "access:services!service=quotas",
    "admin:server_state",
    "custom:jupytercloud:stops",
    "delete:servers",
    "list:users",
    "read:servers",
    "read:users:groups",
]
LEAST = {
    "service-quotas": ["admin:server_state", "list:users", "read:servers", "read:users:groups"],
    "client-jupytercloud-hub": ["access:services!service=quotas", "custom:jupytercloud:admission"],
    "service-culler": CULLING,
    "client-jupytercloud-cull": CULLING,  # the same work, by hand
    "client-jupytercloud-check": [
        "access:services!service=culler",
        "access:services!service=quotas",
        "list:users",
        "proxy",
        "read:servers",
        "read:services",
    ],
    "service-agent": ["admin:server_state", "list:users", "read:servers"],
}
"""Whoever widens one of these has to say so here."""


def test_each_service_of_a_site_holds_exactly_the_scopes_that_it_needs(configured):
    assert scopes(configured(SITE)) == LEAST


def test_the_portals_service_holds_exactly_the_scopes_that_it_needs_and_its_people_start_no_servers(configured):
    found = scopes(configured(PORTAL))
    assert found["service-federation"] == ["read:users:groups", "read:users:name"]
    assert not [scope for scope in found["user"] if "server" in scope]
    assert set(found) == {"service-federation", "user", "client-jupytercloud-check"}


def test_no_service_may_read_logins_or_enter_peoples_servers(configured):
    for text in (SITE, PORTAL):
        for role, held in scopes(configured(text)).items():
            forbidden = {"admin:auth_state", "access:servers", "admin:users", "admin:servers", "tokens", "admin-ui"}
            assert not forbidden & set(held), role


def test_people_reach_the_pages_of_the_services_and_no_other_service(configured):
    assert configured(SITE).JupyterHub.extra_user_scopes == [
        "access:services!service=quotas",
        "access:services!service=culler",
    ]


def test_what_the_administrator_put_into_lists_before_stays(configured):
    config = Config()
    own_service, own_role = {"name": "own", "api_token": "x" * 32}, {"name": "own", "scopes": ["list:users"]}
    config.JupyterHub.services = [own_service]
    config.JupyterHub.load_roles = [own_role]
    config.JupyterHub.template_paths = ["/srv/templates"]
    config.JupyterHub.template_vars = {"announcement": "Bonjour"}
    config.JupyterHub.custom_scopes = {"custom:own": {"description": "own"}}
    config.Spawner.environment = {"OWN": "1"}
    configured(SITE, config)
    assert own_service in config.JupyterHub.services
    assert len(config.JupyterHub.services) == 7
    assert own_role in config.JupyterHub.load_roles
    assert config.JupyterHub.template_paths[0] == "/srv/templates"
    assert config.JupyterHub.template_vars["announcement"] == "Bonjour"
    assert "custom:own" in config.JupyterHub.custom_scopes
    assert config.Spawner.environment["OWN"] == "1"


def test_what_the_administrator_appended_without_a_list_before_stays_too(configured):
    """``c.JupyterHub.services.append(…)`` is how JupyterHub's documentation writes it."""
    config = Config()
    own_service, own_role = {"name": "own", "api_token": "x" * 32}, {"name": "own", "scopes": ["list:users"]}
    config.JupyterHub.services.append(own_service)
    config.JupyterHub.load_roles.append(own_role)
    config.JupyterHub.template_paths.append("/srv/templates")
    config.JupyterHub.template_vars.update({"announcement": "Bonjour"})
    config.JupyterHub.custom_scopes.update({"custom:own": {"description": "own"}})
    config.Spawner.environment.update({"OWN": "1"})
    configured(SITE, config)
    config.JupyterHub.services.append({"name": "later", "api_token": "y" * 32})
    names = [service["name"] for service in config.JupyterHub.services]
    assert sorted(names) == [
        "agent",
        "culler",
        "jupytercloud-check",
        "jupytercloud-cull",
        "jupytercloud-hub",
        "later",
        "own",
        "quotas",
    ]
    assert own_role in config.JupyterHub.load_roles
    assert config.JupyterHub.template_paths[0] == "/srv/templates"
    assert config.JupyterHub.template_vars["announcement"] == "Bonjour"
    assert "custom:own" in config.JupyterHub.custom_scopes
    assert config.Spawner.environment["OWN"] == "1"


def test_together_one_process_runs_all_services_and_each_keeps_a_token_of_its_own(configured):
    config = configured(SITE.replace("  state: ./state\n", "  state: ./state\n  services: together\n"))
    services = {service["name"]: service for service in config.JupyterHub.services}
    commands = [name for name, service in services.items() if "command" in service]
    tokens = [service["api_token"] for service in services.values() if "api_token" in service]
    assert commands == ["jupytercloud-services"]
    assert services["jupytercloud-services"]["command"][2:5] == ["jupytercloud_hub", "serve", "all"]
    assert len(set(tokens)) == len(tokens) == 6
    assert scopes(config) == LEAST


def test_external_services_have_tokens_and_no_commands(configured, monkeypatch):
    monkeypatch.setenv("JUPYTERCLOUD_QUOTAS_API_TOKEN", "t" * 32)
    text = SITE.replace(
        "  state: ./state\n", "  state: ./state\n  services: external\n  service_urls: {quotas: http://quotas:8000/}\n"
    )
    services = {service["name"]: service for service in configured(text).JupyterHub.services}
    assert not [name for name, service in services.items() if "command" in service]
    assert services["quotas"]["api_token"] == "t" * 32
    assert services["quotas"]["url"] == "http://quotas:8000"


def test_a_service_gets_the_secrets_that_the_file_names_and_nothing_else_of_the_hubs_environment(
    configured, monkeypatch
):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not yours")
    config = configured(SITE)
    for service in config.JupyterHub.services:
        if "environment" in service:
            assert service["environment"]["GRENOBLE_SECRET"] == "s3cret"
            assert service["environment"]["HTTPS_PROXY"] == "http://proxy:3128"
            assert "AWS_SECRET_ACCESS_KEY" not in service["environment"]


def test_a_missing_secret_ends_with_one_line_that_names_the_place(configured, monkeypatch, capsys):
    monkeypatch.delenv("GRENOBLE_SECRET")
    with pytest.raises(SystemExit) as ended:
        configured(SITE)
    assert ended.value.code == 1
    assert capsys.readouterr().err.splitlines()[0].endswith("the environment variable GRENOBLE_SECRET is not set")


def test_a_file_with_mistakes_ends_a_real_hub_with_a_line_for_each_and_no_stack_trace(tmp_path):
    hub = HubProcess(tmp_path, "site: {name: labo, timzone: Europe/Paris, url: '{url}'}\nculling: {every: 30}\n")
    hub.start()
    try:
        assert hub.process.wait(60) == 1
    finally:
        hub.end()
    lines = hub.words().splitlines()
    assert [line.split(": ")[0] for line in lines if "jupytercloud.yaml:" in line] == [
        "jupytercloud.yaml:1:20",
        "jupytercloud.yaml:2:11",
    ]
    assert "Traceback" not in hub.words()


OWN = """
c.JupyterHub.services.append({"name": "own", "api_token": "o" * 32})
"""
LATER = """
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.concurrent_spawn_limit = 7
c.JupyterHub.load_roles.append(
    {"name": "own", "services": ["own"], "scopes": ["read:hub", "list:services", "read:roles:services"]}
)
c.Authenticator.allow_all = True
"""
SMALL = """
site: {name: labo, title: {fr: Laboratoire, en: Laboratory}, url: "{url}"}
culling: {rules: [{name: partout, idle: 1 h}]}
quotas: {}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A small hub of its own process; ``own`` and the lines after ``configure`` are the administrator's."""
    with hub_process(tmp_path_factory.mktemp("hub"), SMALL, before=OWN, after=LATER) as running:
        yield running


def test_a_real_hub_runs_on_it_with_its_services_and_their_roles(hub):
    own = httpx.Client(headers={"Authorization": f"Bearer {'o' * 32}"}, trust_env=False)
    services = own.get(f"{hub.api}/services").json()
    assert set(services) == {"own", "culler", "quotas", "jupytercloud-check", "jupytercloud-cull"}
    assert services["culler"]["roles"] == ["service-culler"]
    for name in ("culler", "quotas"):
        assert httpx.get(f"{hub.url}services/{name}/health", trust_env=False).json()["status"] == "ok"


def test_lines_after_configure_win(hub):
    own = httpx.Client(headers={"Authorization": f"Bearer {'o' * 32}"}, trust_env=False)
    assert "Dummy" in own.get(f"{hub.api}/info").json()["authenticator"]["class"]


def test_the_hubs_own_pages_speak_the_readers_language(hub):
    for language, title in (("fr", "Laboratoire"), ("en", "Laboratory")):
        answer = httpx.get(f"{hub.url}hub/login", headers={"Accept-Language": language}, trust_env=False)
        assert f'<html lang="{language}"' in answer.text.replace("\n", " ")
        assert title in answer.text


def test_files_of_the_state_folder_that_hold_secrets_are_their_owners_only(hub):
    for name in ("jupyterhub_cookie_secret", "services_cookie_secret", "check_token"):
        assert (hub.folder / "state" / name).stat().st_mode & 0o077 == 0, name


def test_what_configure_gives_a_service_is_what_the_check_expects_of_it(configured, tmp_path):
    for words in (SITE, PORTAL):
        given = scopes(configured(words))
        wanted = least_scopes(load(tmp_path / "jupytercloud.yaml"))
        assert wanted
        for name, held in wanted.items():
            assert sorted(held) == given[f"service-{name}"]


def test_the_interpreter_that_runs_the_hub_runs_its_services(configured):
    for service in configured(SITE).JupyterHub.services:
        if "command" in service:
            assert service["command"][0] == sys.executable
