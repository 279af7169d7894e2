"""``jupytercloud stack init``: what it writes fits together, is private where it must be, and is never overwritten."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML
from traitlets.config import Config

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.deploy.stack import CONFIGS, GIVEN, OPTIONAL, RULES, TEXTS, Stack, render
from jupytercloud_hub.settings import load
from tests.support import ROOT

SHIPPED = ROOT / "config" / "swarm"
EXAMPLE = Stack(site="labo", url="https://hub.labo.example.fr/", issuer="https://login.example.fr")
SITE = ("--site", "grenoble", "--url", "https://grenoble.example.fr/", "--issuer", "https://login.example.fr")
OF_A_FEDERATION = ("--portal", "https://jupytercloud.example.fr/")
MORE = ("grafana.yaml", "portainer.yaml")
A_PORTAL = ("--role", "portal")


def init(folder: Path, *options: str, language: str = "en") -> Result:
    return CliRunner().invoke(main, ["stack", "init", str(folder), *options], env={"LANG": language})


@pytest.fixture(params=[(), OF_A_FEDERATION, A_PORTAL], ids=["alone", "of a federation", "the portal"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    said = init(tmp_path / "stack", *SITE, *request.param)
    assert said.exit_code == 0, said.output
    return tmp_path / "stack"


def of_the_portal(folder: Path) -> bool:
    return "federation" in stack_of(folder)["services"]


def stack_of(folder: Path) -> dict[str, Any]:
    return dict(YAML(typ="safe").load(folder / "stack.yaml"))


def together(folder: Path) -> dict[str, Any]:
    """The stack with all that is optional."""
    parts = [YAML(typ="safe").load(folder / name) for name in ("stack.yaml", *MORE)]
    kinds = ("services", "networks", "volumes", "configs", "secrets")
    return {kind: {name: one for part in parts for name, one in part.get(kind, {}).items()} for kind in kinds}


def test_secrets_are_new_and_for_their_owner_alone(written: Path, tmp_path: Path) -> None:
    inner = written / "secrets"
    assert stat.S_IMODE(inner.stat().st_mode) == 0o700
    found = {path.name: path.read_text() for path in inner.iterdir()}
    assert GIVEN not in found, "the provider gives it"
    for path in inner.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert re.fullmatch(r"[0-9a-f]{64}", path.read_text())
    assert len(set(found.values())) == len(found)
    assert init(tmp_path / "another", *SITE).exit_code == 0
    others = {path.read_text() for path in (tmp_path / "another" / "secrets").iterdir()}
    assert not others & set(found.values())
    for path in written.iterdir():
        assert path.is_dir() or not any(secret in path.read_text() for secret in found.values())
    assert (written / ".gitignore").read_text() == "secrets/\n"


def test_nothing_is_overwritten(written: Path) -> None:
    before = {path: path.read_bytes() for path in written.rglob("*") if path.is_file()}
    said = init(written, *SITE, language="fr")
    assert said.exit_code == 1
    assert "rien n'est écrasé" in said.output
    assert "stack.yaml" in said.output
    assert {path: path.read_bytes() for path in written.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--site", "Grenoble!", *SITE[2:]), "--site: a name of small letters"),
        ((*SITE[:2], "--url", "http://grenoble.example.fr", *SITE[4:]), "--url: an address in https"),
        ((*SITE[:4], "--issuer", "http://login.example.fr"), "--issuer: an issuer in https"),
        ((*SITE, *A_PORTAL, *OF_A_FEDERATION), "a hub is the portal or belongs to one"),
        ((*SITE, "--certificate", "own", "--acme-server", "https://acme.example.fr/"), "an authority that speaks ACME"),
    ],
)
def test_option_that_cannot_be_is_refused_with_its_rule(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    said = init(tmp_path / "stack", *options)
    assert said.exit_code == 2
    assert says in said.output
    assert not (tmp_path / "stack").exists()


def test_everything_that_a_service_names_is_declared_and_there(written: Path) -> None:
    stack = stack_of(written)
    everything = together(written)
    for name, service in everything["services"].items():
        for network in service["networks"]:
            assert network in everything["networks"], f"{name}: {network}"
        for config in service.get("configs", []):
            assert (written / everything["configs"][config["source"]]["file"]).is_file(), f"{name}: {config}"
        for secret in service.get("secrets", []):
            assert secret in everything["secrets"], f"{name}: {secret}"
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source.startswith("/") or source in everything["volumes"], f"{name}: {volume}"
    kept = {path.name for path in (written / "secrets").iterdir()} | {GIVEN}
    assert set(everything["secrets"]) == kept
    assert set(stack["secrets"]) == kept - set(OPTIONAL)
    used = {secret for service in everything["services"].values() for secret in service.get("secrets", [])}
    assert used == kept, "no secret that nobody reads"
    used = {one["source"] for service in everything["services"].values() for one in service.get("configs", [])}
    assert used == set(everything["configs"])
    used = {config["source"] for service in stack["services"].values() for config in service.get("configs", [])}
    assert used == set(stack["configs"])
    assert set(CONFIGS) - used == ({"socket_hub"} if of_the_portal(written) else set())


def test_names_of_configs_and_secrets_follow_their_content(written: Path, tmp_path: Path) -> None:
    (written / "secrets" / GIVEN).write_text("given")

    stand_in = tmp_path / "docker"  # prints the environment that docker would see
    stand_in.write_text("#!/bin/sh\nexec env -0\n")
    stand_in.chmod(0o755)
    before = subprocess_names(written, stand_in)
    asked = re.findall(r"\$\{(\w+):\?", "".join((written / name).read_text() for name in ("stack.yaml", *MORE)))
    assert set(asked) == set(before)
    (written / "prometheus.yml").write_text("changed")
    after = subprocess_names(written, stand_in)
    assert {name for name in before if before[name] != after[name]} == {"CONFIG_PROMETHEUS"}
    (written / "secrets" / GIVEN).unlink()
    said = subprocess.run(["./deploy.sh"], cwd=written, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "secrets/client_secret manque" in said.stderr


def subprocess_names(folder: Path, docker: Path) -> dict[str, str]:
    environment = {**os.environ, "DOCKER": str(docker)}
    shown = subprocess.run(["./deploy.sh"], cwd=folder, env=environment, capture_output=True, check=True)
    variables = dict(item.split("=", 1) for item in shown.stdout.decode().split("\0") if "=" in item)
    return {name: value for name, value in variables.items() if re.match(r"(CONFIG|SECRET)_[A-Z_]+$", name)}


def test_what_faces_the_internet_reaches_neither_the_database_nor_the_socket_that_writes(written: Path) -> None:
    stack = stack_of(written)
    networks = {name: set(service["networks"]) for name, service in stack["services"].items()}
    published = {name for name, service in stack["services"].items() if service.get("ports")}
    assert published == {"traefik"}
    on_portal = of_the_portal(written)  # it starts nothing
    spawns = set() if on_portal else {"hub", "socket-hub"}
    assert {name for name in networks if "socket_hub" in networks[name]} == spawns
    assert {name for name in networks if "socket_traefik" in networks[name]} == {"traefik", "socket-traefik"}
    assert not networks["traefik"] & networks["db"]
    assert networks["db"] == {"back"}
    beside_peoples_servers = set() if on_portal else {"hub", "proxy"}
    assert {name for name in networks if "servers" in networks[name]} == beside_peoples_servers
    for inner in ("back", "socket_traefik", *(() if on_portal else ("socket_hub",))):
        assert stack["networks"][inner]["internal"]
    mounted = {
        name
        for name, service in stack["services"].items()
        if any("docker.sock" in volume for volume in service.get("volumes", []))
    }
    assert mounted == {"socket-traefik", *(spawns - {"hub"})}


def test_all_but_the_exporters_stand_on_the_one_manager_with_the_label(written: Path) -> None:
    """Whatever other machine is lost, the hub goes on without a pause."""
    for name, service in together(written)["services"].items():
        if service["deploy"].get("mode") != "global":
            wanted = service["deploy"]["placement"]["constraints"]
            assert wanted == ["node.role==manager", "node.labels.jupytercloud.state==true"], name


def test_every_service_has_limits_no_virtual_address_and_one_hub_at_a_time(written: Path) -> None:
    for name, service in together(written)["services"].items():
        assert service["deploy"]["endpoint_mode"] == "dnsrr", name
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert all(port["mode"] == "host" for port in service.get("ports", [])), name
        assert service["logging"]["options"]["max-size"], name
        assert not service["image"].endswith((":latest", ":main")), name
        assert ":" in service["image"], name
    services = stack_of(written)["services"]
    for name in ("hub",) if of_the_portal(written) else ("hub", "quotas", "culler"):
        assert services[name]["deploy"]["update_config"]["order"] == "stop-first"
        assert services[name]["healthcheck"]["test"]


def test_settings_are_valid_and_the_hubs_file_sets_what_the_stack_needs(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (written / "secrets" / GIVEN).write_text("given")
    settings = load(written / "jupytercloud.yaml")
    stack = stack_of(written)
    services = {"federation"} if of_the_portal(written) else {"quotas", "culler"}
    assert set(settings.site.service_urls) == services
    if not of_the_portal(written):
        assert settings.spawner
        assert settings.spawner.swarm
        assert settings.spawner.swarm.network == stack["networks"]["servers"]["name"]
    for path in ("jupytercloud.yaml", "jupyterhub_config.py"):
        text = (written / path).read_text().replace("/etc/jupytercloud", str(written))
        text = text.replace("/run/secrets", str(written / "secrets")).replace(
            "/var/lib/jupytercloud", str(tmp_path / "state")
        )
        (written / path).write_text(text)
    for name in list(os.environ):
        if name.startswith(("JUPYTERCLOUD_", "CONFIGPROXY_", "JUPYTERHUB_CRYPT")):
            monkeypatch.delenv(name)
    kept = dict(os.environ)
    config = Config()
    source = (written / "jupyterhub_config.py").read_text()
    try:
        exec(compile(source, "jupyterhub_config.py", "exec"), {"get_config": lambda: config})
    finally:
        os.environ.clear()
        os.environ.update(kept)
    hub = config.JupyterHub
    assert hub.db_url.endswith("@db/jupyterhub")
    assert config.ConfigurableHTTPProxy.should_start is False
    tokens = {service["name"]: service.get("api_token") for service in hub.services}
    for name in (*services, "prometheus"):
        assert tokens[name] == (written / "secrets" / f"{name}_token").read_text()
    assert ("agent" in tokens) == ("agent" in stack["services"])


@pytest.mark.parametrize("more", [(), *((name,) for name in MORE), MORE], ids=" ".join)
def test_docker_itself_reads_the_stack(written: Path, more: tuple[str, ...]) -> None:
    if shutil.which("docker") is None:
        pytest.skip("no docker here")
    (written / "secrets" / GIVEN).write_text("given")
    environment = {**os.environ, "DOCKER": "docker stack config", "STACK": ""}
    said = subprocess.run(
        ["./deploy.sh", *(word for name in more for word in ("-c", name))],
        cwd=written,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if "is not a docker command" in said.stderr or "Usage:" in said.stdout:
        pytest.skip("this docker has no `stack config`")
    assert said.returncode == 0, said.stderr
    resolved = YAML(typ="safe").load(said.stdout)
    assert resolved["services"]["hub"]["deploy"]["update_config"]["order"] == "stop-first"
    assert {"grafana", "portainer"} & set(resolved["services"]) == {name.partition(".")[0] for name in more}


def test_grafana_finds_the_stacks_prometheus_and_the_shipped_dashboards(written: Path) -> None:
    grafana = YAML(typ="safe").load(written / "grafana.yaml")
    given = {
        one["target"]: written / grafana["configs"][one["source"]]["file"]
        for one in grafana["services"]["grafana"]["configs"]
    }
    (source,) = YAML(typ="safe").load(given["/etc/grafana/provisioning/datasources/prometheus.yml"])["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert set(stack_of(written)["services"]["prometheus"]["networks"]) & set(
        grafana["services"]["grafana"]["networks"]
    )
    (boards,) = YAML(typ="safe").load(given["/etc/grafana/provisioning/dashboards/jupytercloud.yml"])["providers"]
    shown = {
        Path(target).name: file
        for target, file in given.items()
        if str(Path(target).parent) == boards["options"]["path"]
    }
    assert set(shown) == {"federation.json" if of_the_portal(written) else "site.json", "usage.json"}
    for name, file in shown.items():
        board = ROOT / "config" / "grafana" / name
        assert file.read_bytes() == board.read_bytes()
        assert json.loads(board.read_text())["templating"]["list"][0]["query"] == source["type"], (
            "its first choice is ours"
        )


def test_each_secret_is_made_anew_by_the_commands_of_the_page(tmp_path: Path) -> None:
    """The commands of `docs/howto/secrets.md`, with something in docker's place that takes everything."""
    assert init(tmp_path / "stack", *SITE).exit_code == 0
    folder, inner = tmp_path / "stack", tmp_path / "stack" / "secrets"
    (inner / GIVEN).write_text("given")
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 0\n")
    docker.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    page = (ROOT / "docs" / "howto" / "secrets.md").read_text()

    def typed(heading: str) -> set[str]:
        before = {file.name: file.read_text().strip() for file in inner.iterdir()}
        (block,) = re.findall(r"```sh\n(.*?)```", re.split(r"\n#+ ", page.split(f"# {heading}\n")[1])[0], re.DOTALL)
        subprocess.run(["sh", "-euc", block], cwd=folder, env=environment, check=True, timeout=60)
        assert {stat.S_IMODE(file.stat().st_mode) for file in inner.iterdir() if file.name != GIVEN} == {0o600}
        return {file.name for file in inner.iterdir() if before.get(file.name) != file.read_text().strip()}

    first = (inner / "crypt_key").read_text()
    tokens = {"quotas_token", "culler_token", "hub_client_token", "prometheus_token"}
    assert typed("What nobody notices") == {*tokens, "crypt_key", "database_password"}
    new, _, old = (inner / "crypt_key").read_text().strip().partition(";")
    assert (len(new), old) == (64, first), "the new one first"
    assert typed("A month later") == {"crypt_key"}
    assert (inner / "crypt_key").read_text().strip() == new
    assert typed("A pause of some seconds") == {"proxy_token"}
    assert typed("Everybody logs in again") == {"cookie_secret"}
    wanted = Stack(site="a", url=EXAMPLE.url, issuer=EXAMPLE.issuer).secrets
    assert {file.name for file in inner.iterdir()} == {*wanted, *OPTIONAL}


def test_shipped_example_is_what_the_command_writes() -> None:
    texts = render(EXAMPLE)
    assert set(texts) == {*TEXTS, *RULES, *EXAMPLE.boards.values()}
    for name in TEXTS:
        assert (SHIPPED / name).read_text() == texts[name], f"{name}: python -m tests.deploy.test_stack writes it anew"
    assert not (SHIPPED / "secrets").exists()


if __name__ == "__main__":
    SHIPPED.mkdir(exist_ok=True)
    for name in TEXTS:
        (SHIPPED / name).write_text(render(EXAMPLE)[name])
