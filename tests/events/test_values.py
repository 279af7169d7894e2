"""The values that ``event create --backend kubernetes`` writes, in a deployment's repository beside ``helm-values``."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jupyterhub.app import JupyterHub
from ruamel.yaml import YAML

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.deploy.embedded import DATA
from jupytercloud_hub.deploy.tree import Combination, Tree
from tests.deploy.test_hub_of_values import as_the_chart_left_it
from tests.support import ROOT

SITE = """
site: {name: labo, url: "https://labo.example.fr/", contact: support@example.fr}
spawner: {backend: kubernetes, kubernetes: {namespace: labo, home: {storage_class: ceph}}}
profiles:
  - name: pycoa
    title: PyCoA
    image: registry.jupytercloud.example.fr/jupytercloud/pycoa:0.1.0
    resources: {memory: 1 GiB}
"""


ENCRYPTED = '"ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]"'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "helm-values", tmp_path / "helm-values")
    (tmp_path / "events").mkdir()
    (tmp_path / "site.yaml").write_text(SITE)
    words = [
        "event", "create", "salon", "--from", "2027-03-06", "--to", "2027-03-07", "--hours", "10:00-19:00",
        "--seats", "20", "--profile", "pycoa", "--backend", "kubernetes", "--site", str(tmp_path / "site.yaml"),
        "--url", "https://salon.example.fr/", "--memory", "64 GiB", "--folder", str(tmp_path / "events" / "salon"),
    ]  # fmt: skip
    made = CliRunner().invoke(main, words)
    assert made.exit_code == 0, made.output
    return tmp_path


def encrypt(repository: Path) -> None:
    """Put what SOPS leaves of a file in the place of each secret."""
    for name in ("secrets.yaml", "secret.yaml"):
        yaml, file = YAML(), repository / "events" / "salon" / name
        content = yaml.load(re.sub(r"\b[0-9a-f]{64}\b", ENCRYPTED, file.read_text()))
        content["sops"] = {"version": "3.9.0", "mac": "x"}
        with file.open("w") as stream:
            yaml.dump(content, stream)


def validate(repository: Path) -> Result:
    return CliRunner().invoke(main, ["helm-values", "validate", str(repository / "helm-values"), "salon", "--json"])


def test_they_are_right_once_the_secrets_are_encrypted_and_say_so_before(repository: Path) -> None:
    told = json.loads(validate(repository).output)["problems"]
    assert {Path(problem["file"]).name for problem in told} == {"secrets.yaml", "secret.yaml"}
    encrypt(repository)
    done = validate(repository)
    assert json.loads(done.output) == {
        "valid": True, "looked_at": ["events/salon"], "rendered": False, "problems": [],
    }  # fmt: skip
    values = repository / "events" / "salon" / "values.yaml"
    values.write_text(values.read_text().replace("key: events-token", "key: event-token"))
    (problem,) = json.loads(validate(repository).output)["problems"]
    assert problem["line"] == 1 + values.read_text()[: values.read_text().index("key: event-token")].count("\n")


def combination(repository: Path) -> Combination:
    (found,), problems = Tree(repository / "helm-values").combinations(["salon"])
    assert problems == []
    return found


def test_the_hub_of_these_values_lets_in_by_codes_and_starts_seats_in_its_own_namespace(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = combination(repository).values
    monkeypatch.delenv("JUPYTERHUB_CRYPT_KEY", raising=False)
    for name in values.get("hub", "extraEnv"):
        monkeypatch.setenv(name, f"token-of-{name}")
    secret = YAML(typ="safe").load(repository / "events" / "salon" / "secret.yaml")["stringData"]
    for name, text in secret.items():
        (tmp_path / name).write_text(text)
    file = tmp_path / "jupytercloud.yaml"
    with file.open("w") as stream:
        YAML(typ="safe").dump(values.get(*DATA), stream)
    text = file.read_text().replace("/etc/jupytercloud/secrets", str(tmp_path))
    file.write_text(text.replace("/srv/jupyterhub", str(tmp_path)))

    config = as_the_chart_left_it(combination(repository))
    for _, code in sorted(values.get("hub", "extraConfig").items()):
        exec(code.replace("/etc/jupytercloud/jupytercloud.yaml", str(file)), {"c": config})

    hub = config.JupyterHub
    assert not set(hub) - set(JupyterHub.class_traits())
    assert hub.authenticator_class == "jupytercloud_hub.events.authenticator.EventAuthenticator"
    assert hub.spawner_class == "jupytercloud_hub.events.seats_kubernetes.EventKubernetesSpawner"
    assert Path(config.EventAuthenticator.codes_file).read_text().count("visitor ") == 20
    assert config.EventAuthenticator.code_key == secret["code-key"]
    services = {service["name"]: service for service in hub.services}
    for name in ("culler", "events"):
        assert services[name]["api_token"] == f"token-of-JUPYTERCLOUD_{name.upper()}_API_TOKEN"
        assert "command" not in services[name], "its container runs it, not the hub"
    assert config.Spawner.environment["JUPYTERCLOUD_CULLER_URL"] == "http://proxy-public/services/culler/"
    (profile,) = values.get(*DATA, "profiles")
    assert profile["image"] == "registry.jupytercloud.example.fr/jupytercloud/pycoa:0.1.0"


def test_checklist_secret_and_application_name_one_namespace_and_a_release_of_the_events_own(repository: Path) -> None:
    folder = repository / "events" / "salon"
    read = YAML(typ="safe").load
    application = read(folder / "application.yaml")["spec"]
    assert read(folder / "secret.yaml")["metadata"]["namespace"] == application["destination"]["namespace"]
    for language in ("fr", "en"):
        commands = (folder / f"checklist.{language}.md").read_text()
        named = {
            *re.findall(r"kubectl -n (\S+)", commands),
            *re.findall(r"(?:create|delete) namespace (\S+)", commands),
        }
        assert named == {"argocd", application["destination"]["namespace"]}
    # the chart names priority classes, which are the whole cluster's, after the release
    assert application["sources"][0]["helm"]["releaseName"] == "salon"


def test_only_proxy_and_prometheus_reach_the_services_beside_the_hub(repository: Path) -> None:
    rules = combination(repository).values.get("hub", "networkPolicy")
    assert not rules.get("allowedIngressPorts"), "whoever it is, a visitor's seat too"
    (rule,) = rules["ingress"]
    assert {8102, 8104} <= {one["port"] for one in rule["ports"]}
    assert len(rule["from"]) == 2
