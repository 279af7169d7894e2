"""Mistakes that people make in helm values: each planted in a copy, each found with its file and its line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jupytercloud_hub.deploy.validate import validate
from tests.support import ROOT

SITE = "sites/reims/values.yaml"  # OpenShift
PLAIN = "sites/grenoble/values.yaml"  # plain Kubernetes


@dataclass(frozen=True)
class Planted:
    name: str
    file: str
    old: str
    """What is replaced (once); empty appends."""
    new: str
    at: str
    """The finding is on the line that holds this, in ``file`` unless ``found_in`` says another."""
    says: str
    found_in: str = ""


MISTAKES = [
    Planted("1 typo in a key of the chart", "common.yaml", "concurrentSpawnLimit:", "concurentSpawnLimit:", "concurentSpawnLimit", "no such key. Did you mean concurrentSpawnLimit?"),  # noqa: E501
    Planted("2 typo in a key of jupytercloud.yaml", SITE, "institutions:", "institutoins:", "institutoins", "no such key. Did you mean institutions?"),  # noqa: E501
    Planted("3 a number where a text is expected", "common.yaml", 'tag: "0.1.0"\n    pullPolicy', "tag: 0.1\n    pullPolicy", "tag: 0.1", "a text is expected; put numbers and versions in quotes"),  # noqa: E501
    Planted("4 a secret key that no manifest makes", "common.yaml", "key: culler-token", "key: culer-token", "key: culer-token", "has no such key (here: culer-token). Did you mean culler-token?"),  # noqa: E501
    Planted("5 a secret taken out of Vault's list", "manifests/external-secret.yaml", "secretKey: heartbeat-key", "secretKey: hearbeat-key", "/heartbeat-key}", "has no such key (here: heartbeat-key). Did you mean hearbeat-key?", "common.yaml"),  # noqa: E501
    Planted("6 a folder of the machine on OpenShift", SITE, "", "\nsingleuser:\n  storage:\n    extraVolumes: [{name: data, hostPath: {path: /data}}]\n", "hostPath", "restricted-v2 mounts no folder of the machine"),  # noqa: E501
    Planted("7 an uid on OpenShift", SITE, "", "\nsingleuser:\n  uid: 1000\n", "uid: 1000", "OpenShift gives each namespace its own ids"),  # noqa: E501
    Planted("8 a null forgotten on OpenShift", "openshift.yaml", "  fsGid: null\n", "", "singleuser:", "the chart writes an id down here", "common.yaml|openshift.yaml"),  # noqa: E501
    Planted("9 a privileged container on OpenShift", SITE, "hub:\n", "hub:\n  initContainers: [{name: chown, image: busybox:1.36, securityContext: {privileged: true}}]\n", "privileged: true", "restricted-v2 lets no container be privileged"),  # noqa: E501
    Planted("10 a random token", "common.yaml", '      keys = c.CryptKeeper["keys"]\n', '      import secrets\n      c.JupyterHub.cookie_secret = secrets.token_bytes(32)\n      keys = c.CryptKeeper["keys"]\n', "secrets.token_bytes", "a random value"),  # noqa: E501
    Planted("11 a token that the chart would make anew", "sites/reims/secrets.yaml", "    ConfigurableHTTPProxy:\n      auth_token: ref+vault://jupytercloud/reims/chart#/proxy-token\n", "", "config:", "makes a new one at each render"),  # noqa: E501
    Planted("12 a token in clear", "sites/reims/secrets.yaml", "ref+vault://jupytercloud/reims/chart#/proxy-token", "correct-horse", "correct-horse", "a secret stands here in clear"),  # noqa: E501
    Planted("13 a password in an address", "common.yaml", "url: postgresql://jupyterhub@", "url: postgresql://jupyterhub:hunter22@", "hunter22", "a secret stands here in clear"),  # noqa: E501
    Planted("14 a wrong scope", SITE, "hub:\n", "hub:\n  loadRoles:\n    board:\n      scopes: [list:user]\n      services: [board]\n", "list:user", "JupyterHub has no such scope (here: list:user). Did you mean list:users?"),  # noqa: E501
    Planted("15 an image of a profile that nobody fetches", "common.yaml", "image: registry.jupytercloud.example.fr/jupytercloud/pycoa:0.1.0", "image: registry.jupytercloud.example.fr/jupytercloud/pycao:0.1.0", "pycao:0.1.0", "fetched beforehand"),  # noqa: E501
    Planted("16 an image that moves", "common.yaml", 'jupytercloud/notebook-base, tag: "0.1.0"}\n  networkPolicy', 'jupytercloud/notebook-base, tag: latest}\n  networkPolicy', "tag: latest", "a version that stays is expected"),  # noqa: E501
    Planted("17 a key twice", SITE, "          client_id:", "          client_id: other\n          client_id:", "client_id: jupytercloud-reims", "this key stands here twice"),  # noqa: E501
    Planted("18 a tab", PLAIN, "  extraFiles:", "\textraFiles:", "extraFiles:", "not YAML"),
    Planted("19 a host that is not the site's", PLAIN, "hosts: [grenoble.", "hosts: [genoble.", "hosts: [genoble.", "the host of site.url is expected here"),  # noqa: E501
    Planted("20 a service that no container runs", "common.yaml", "serve, culler,", "serve, culer,", "extraContainers:", "no container runs the service culler"),  # noqa: E501
    Planted("21 a port that the hub does not open", "common.yaml", "port: 8102, targetPort", "port: 8112, targetPort", "service_urls:", "extraPorts does not open this port"),  # noqa: E501
    Planted("22 Python that is none", "common.yaml", "      configure(c, \"/etc", "      configure(c \"/etc", "configure(c \"/etc", "this is not Python"),  # noqa: E501
    Planted("23 a site's folder under another name", "sites/reims/site.yaml", "name: reims", "name: riems", "name: riems", "the folder has another name"),  # noqa: E501
    Planted("24 a key that site.yaml lacks in Argo CD's template", "argocd/sites.yaml", "{{ .platform }}", "{{ .plattform }}", "{{ .plattform }}", "site.yaml has no such key (here: $values/helm-values/{{ .plattform }}.yaml). Did you mean platform?"),  # noqa: E501
    Planted("25 a value file that is not there", "argocd/portal.yaml", "common.yaml", "comon.yaml", "comon.yaml", "there is no such file"),  # noqa: E501
    Planted("26 homes that go with a deleted folder", "argocd/sites.yaml", "preserveResourcesOnDeletion: true}", "preserveResourcesOnDeletion: false}", "preserveResourcesOnDeletion: false", "people's homes"),  # noqa: E501
    Planted("27 two sites in one namespace", "sites/strasbourg/site.yaml", "cluster: https://api.k8s.strasbourg.example.fr:6443\nnamespace: jupytercloud-strasbourg", "cluster: https://api.k8s.grenoble.example.fr:6443\nnamespace: jupytercloud-grenoble", "namespace: jupytercloud-grenoble", "is in this namespace of this cluster"),  # noqa: E501
    Planted("28 CVMFS of the machine on OpenShift", "sites/paris-saclay/values.yaml", "            cvmfs_claim: cvmfs\n", "", "kind: cvmfs", "CVMFS needs spawner.kubernetes.cvmfs_claim"),  # noqa: E501
    Planted("29 a budget's typo, deep in jupytercloud.yaml", "common.yaml", "window: month", "window: monht", "window: monht", '"month", "academic-year"'),  # noqa: E501
    Planted("30 the chart's culler beside ours", SITE, "", "\ncull: {enabled: true}\n", "cull: {enabled: true}", "without a warning"),  # noqa: E501
    Planted("31 a stage whose site.yaml comes from another branch", "argocd/sites.yaml", "revision: pre-production", "revision: HEAD", "revision: HEAD", "the branch that the sites follow is expected"),  # noqa: E501
    Planted("32 a site that no stage takes", "argocd/sites.yaml", "{stage: pre-production}", "{stage: production}", "generators:", "no generator takes this site: strasbourg"),  # noqa: E501
    Planted("33 a variable taken away with null", SITE, "hub:\n", "hub:\n  extraEnv: {JUPYTERCLOUD_AGENT_API_TOKEN: null}\n", "AGENT_API_TOKEN: null", "the chart refuses null here"),  # noqa: E501
]  # fmt: skip


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(ROOT / "helm-values", tmp_path_factory.mktemp("deploy") / "helm-values"))


@pytest.fixture
def helm_values(copied: Path) -> Iterator[Path]:
    """Give one copy to all, as it was before: files that did not change are read once."""
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in copied.rglob("*.yaml")}
    yield copied
    for path, (content, changed) in before.items():
        if path.stat().st_mtime_ns != changed:
            path.write_bytes(content)
            os.utime(path, ns=(changed, changed))


@pytest.fixture
def findings(helm_values: Path) -> Callable[[], list[str]]:
    def look() -> list[str]:
        report = validate(helm_values)
        return [f"{problem.place}: {problem.text()}" for problem in report.problems]

    return look


@pytest.mark.parametrize("planted", MISTAKES, ids=lambda one: one.name)
def test_planted_mistake_is_found_with_its_file_and_line(
    planted: Planted, helm_values: Path, findings: Callable[[], list[str]]
) -> None:
    path = helm_values / planted.file
    before = path.read_text()
    if planted.old:
        assert planted.old in before, "the mistake can't be planted: the file has changed"
        path.write_text(before.replace(planted.old, planted.new, 1))
    else:
        path.write_text(before + planted.new)
    expected = [
        f"{helm_values / file}:{number}:"
        for file in (planted.found_in or planted.file).split("|")
        for number, line in enumerate((helm_values / file).read_text().splitlines(), 1)
        if planted.at in line
    ]
    assert expected, planted.at
    found = findings()
    assert any(one.startswith(place) and planted.says in one for one in found for place in expected), found


def test_values_that_are_shipped_hold_no_mistake(findings: Callable[[], list[str]]) -> None:
    assert findings() == []
