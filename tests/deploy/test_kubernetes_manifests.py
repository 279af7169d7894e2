"""What config/kubernetes/ says, read: who reaches whom, which ports fit, what every pod of ours does without."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ruamel.yaml import YAML

from jupytercloud_hub.deploy import argocd
from jupytercloud_hub.deploy.embedded import DATA
from jupytercloud_hub.deploy.tree import Tree
from jupytercloud_hub.spawners.kubernetes import ProfileKubernetesSpawner
from tests.support import ROOT

from .manifests import FOLDER, objects, of_kind
from .policies import End, allowed

DEPLOYMENTS = {
    **of_kind("site/services.yaml", "Deployment"),
    **of_kind("portal/federation.yaml", "Deployment"),
}
POLICIES = [
    *(("hub", one) for one in objects("network-policies.yaml")),
    *(("database", one) for one in objects("database-policy.yaml")),
]
HUB_NAMESPACE = {"jupytercloud.hub/hub": "yes"}


def pod(**labels: str) -> End:
    return End(labels, "hub", HUB_NAMESPACE)


ENDS = {
    "hub": pod(app="jupyterhub", component="hub"),
    "proxy": pod(app="jupyterhub", component="proxy"),
    "quotas": pod(app="jupytercloud", component="quotas"),
    "culler": pod(app="jupytercloud", component="culler"),
    "federation": pod(app="jupytercloud", component="federation"),
    "server": pod(app="jupyterhub", component="singleuser-server"),
    "other server": pod(app="jupyterhub", component="singleuser-server"),
    "database": End({"app": "postgresql"}, "database", {"jupytercloud.hub/database": "yes"}),
    "prometheus": End({"app": "prometheus"}, "monitoring", {"jupytercloud.hub/monitoring": "yes"}),
    "ingress": End({"app": "ingress-nginx"}, "ingress"),
    "stranger": End({"app": "jupyterhub", "component": "hub"}, "elsewhere"),
    "api": End(None, "", address="10.0.0.7"),
    "metadata": End(None, "", address="169.254.169.254"),
    "world": End(None, "", address="192.0.66.2"),
}
LET_THROUGH = [
    ("ingress", "proxy", 8000),
    ("proxy", "hub", 8081),
    ("proxy", "server", 8888),
    ("proxy", "quotas", 8101),
    ("proxy", "federation", 8101),
    ("hub", "proxy", 8001),
    ("hub", "server", 8888),
    ("hub", "quotas", 8101),
    ("hub", "database", 5432),
    ("hub", "api", 6443),
    ("hub", "world", 443),
    ("quotas", "hub", 8081),
    ("quotas", "database", 5432),
    ("culler", "hub", 8081),
    ("culler", "quotas", 8101),
    ("federation", "database", 5432),
    ("federation", "world", 443),
    ("server", "hub", 8081),
    ("server", "proxy", 8000),
    ("server", "world", 443),
    ("prometheus", "hub", 8081),
    ("prometheus", "culler", 8102),
]
REFUSED = [
    ("server", "database", 5432),
    ("server", "quotas", 8101),
    ("server", "federation", 8101),
    ("server", "hub", 8101),
    ("server", "api", 6443),
    ("server", "api", 443),
    ("server", "metadata", 80),
    ("server", "proxy", 8001),
    ("server", "other server", 8888),
    ("ingress", "hub", 8081),
    ("ingress", "quotas", 8101),
    ("ingress", "proxy", 8001),
    ("quotas", "api", 6443),
    ("quotas", "server", 8888),
    ("proxy", "database", 5432),
    ("prometheus", "database", 5432),
    ("prometheus", "server", 8888),
    ("stranger", "database", 5432),
    ("stranger", "quotas", 8101),
    ("stranger", "hub", 8081),
]


@pytest.mark.parametrize(("source", "target", "port"), LET_THROUGH)
def test_what_must_work_is_let_through(source: str, target: str, port: int) -> None:
    assert allowed(POLICIES, ENDS[source], ENDS[target], port)


@pytest.mark.parametrize(("source", "target", "port"), REFUSED)
def test_what_nobody_needs_is_refused(source: str, target: str, port: int) -> None:
    assert not allowed(POLICIES, ENDS[source], ENDS[target], port)


def test_without_the_policies_all_of_it_would_be_let_through() -> None:
    assert all(allowed([], ENDS[source], ENDS[target], port) for source, target, port in REFUSED)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_pod_of_a_service_fits_a_restricted_namespace_and_names_what_there_is(name: str) -> None:
    spec: dict[str, Any] = DEPLOYMENTS[name]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["command"][:3] == ["jupytercloud", "serve", name]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"runAsUser", "fsGroup"} & {*spec["securityContext"], *container["securityContext"]}, "OpenShift's own"
    kept, problems = argocd.secrets_made(ROOT / "helm-values")
    assert problems == []
    for one in container["env"]:
        if "valueFrom" in one:
            token = one["valueFrom"]["secretKeyRef"]
            assert token["key"] in kept[token["name"]]
    volumes = {volume["name"] for volume in spec["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_replicas_are_where_they_may_be_and_one_where_there_must_be_one() -> None:
    assert {name: one["spec"]["replicas"] for name, one in DEPLOYMENTS.items()} == {
        "quotas": 1,
        "culler": 1,
        "agent": 1,
        "federation": 2,
    }
    for name, one in DEPLOYMENTS.items():
        assert one["spec"]["strategy"]["type"] == ("RollingUpdate" if name == "federation" else "Recreate")


def test_services_lead_to_the_ports_that_their_pods_listen_on() -> None:
    found = {**of_kind("site/services.yaml", "Service"), **of_kind("portal/federation.yaml", "Service")}
    assert set(found) == {"quotas", "culler", "federation"}, "the agent is asked by nobody"
    for name, service in found.items():
        template = DEPLOYMENTS[name]["spec"]["template"]
        assert service["spec"]["selector"] == template["metadata"]["labels"]
        (container,) = template["spec"]["containers"]
        environment = {one["name"]: one.get("value") for one in container["env"]}
        port = service["spec"]["ports"][0]["port"]
        assert container["ports"] == [{"name": "http", "containerPort": port}]
        assert environment[f"JUPYTERCLOUD_{name.upper()}_URL"] == f"http://0.0.0.0:{port}"


def test_monitor_of_services_apart_finds_them_by_the_label_and_the_port_that_they_have() -> None:
    (monitor,) = objects("service-monitor-apart.yaml")
    (endpoint,) = monitor["spec"]["endpoints"]
    for service in {
        **of_kind("site/services.yaml", "Service"),
        **of_kind("portal/federation.yaml", "Service"),
    }.values():
        labels = service["metadata"]["labels"]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        assert labels["component"] == service["metadata"]["name"]
        assert "__meta_kubernetes_service_label_component" in endpoint["relabelings"][0]["sourceLabels"]
    token = endpoint["authorization"]["credentials"]
    kept, _ = argocd.secrets_made(ROOT / "helm-values")
    assert token["key"] in kept[token["name"]]


def test_values_of_the_portal_lead_to_the_service_that_is_deployed_beside_it() -> None:
    (portal,) = Tree(ROOT / "helm-values").combinations(["portal"])[0]
    (service,) = of_kind("portal/federation.yaml", "Service").values()
    url = f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    assert portal.values.get(*DATA, "site", "service_urls", "federation") == url
    assert not portal.values.get("hub", "extraContainers")
    application = YAML(typ="safe").load(ROOT / "helm-values" / "argocd" / "portal.yaml")
    folders = {source.get("path") for source in application["spec"]["sources"]} - {None}
    assert "config/kubernetes/portal" in folders
    assert all((ROOT / folder).is_dir() for folder in folders)


def test_budget_for_servers_is_about_the_pods_that_the_spawner_makes() -> None:
    (budget,) = objects("disruption.yaml")
    spawner: Any = SimpleNamespace(site="labo", user=SimpleNamespace(name="lea"), name="", _record=None)
    made = ProfileKubernetesSpawner.labels(spawner)
    made["component"] = ProfileKubernetesSpawner.component_label.default_value
    assert budget["spec"]["selector"]["matchLabels"].items() <= made.items()


def test_every_file_is_looked_at_by_a_test() -> None:
    files = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml")}
    assert files == {
        "cvmfs.yaml",  # test_helm_values.py, as the next two
        "route.yaml",
        "service-monitor.yaml",
        "service-monitor-apart.yaml",
        "database-policy.yaml",
        "disruption.yaml",
        "hub-role.yaml",  # tests/spawners/test_shipped_role.py, test_kubernetes_engine.py
        "images-role.yaml",  # tests/spawners/test_prepull.py
        "network-policies.yaml",
        "portal/federation.yaml",
        "site/services.yaml",
    }
