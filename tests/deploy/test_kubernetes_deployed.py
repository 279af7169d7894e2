"""config/kubernetes/ on a real cluster (1.20): applied as it is shipped, running, and refusing what it says it refuses.

Three things of a file are changed for this cluster: images (no registry: built here), addresses (no cluster DNS), and
policy/v1, which Kubernetes has since 1.21, is asked for as v1beta1. Its network enforces no NetworkPolicies.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.engines import LIGHT
from tests.support.engines_kubernetes import Kubernetes, minor_version
from tests.support.hub_image import HUB, load_hub_image
from tests.support.hub_process import HubProcess
from tests.support.postgresql import Postgresql

from .manifests import objects

pytestmark = [pytest.mark.engines, pytest.mark.timeout(420)]

HUB_PORT = 8081
TOKENS = {f"{name}-token": name[0] * 64 for name in ("quotas", "culler", "agent", "federation", "hub-client")}
ACCOUNT = "jupytercloud-hub"
MAY = [
    *(
        (verb, what)
        for verb in ("get", "list", "watch", "create", "delete")
        for what in ("pods", "services", "secrets")
    ),
    ("create", "persistentvolumeclaims"),
    ("get", "pods/log"),
    ("list", "events"),
]
MAY_NOT = [
    ("create", "pods/exec"),
    ("patch", "pods"),
    ("update", "secrets"),
    ("create", "serviceaccounts"),
    ("create", "rolebindings"),
    ("create", "deployments"),
    ("get", "configmaps"),
    ("list", "nodes"),
    ("create", "persistentvolumes"),
]
SITE = """
site:
  name: labo
  url: https://labo.example.fr/
  state: /var/lib/jupytercloud
  services: external
  service_urls: {{quotas: "http://quotas:8101", culler: "http://culler:8102"}}
auth:
  issuer: https://login.example.fr
  client_id: labo
  client_secret: {{file: /etc/jupytercloud/secrets/client-secret}}
database: {{url: "{database}"}}
spawner: {{backend: kubernetes}}
profiles: [{{name: lab, title: Lab, image: {image}, resources: {{cpu: 1, memory: 1 GiB}}}}]
culling: {{every: 2 s, rules: [{{name: partout, idle: 1 h}}]}}
quotas: {{budgets: [{{name: personne, limits: [{{window: month, units: 400, hard: true}}]}}]}}
federation: {{portal: {{url: "https://portail.example.fr/"}}}}
"""
PORTAL = """
site:
  name: portail
  role: portal
  url: https://portail.example.fr/
  state: /var/lib/jupytercloud
  services: external
  service_urls: {{federation: "http://federation:8101"}}
auth:
  issuer: https://login.example.fr
  client_id: portail
  client_secret: {{file: /etc/jupytercloud/secrets/client-secret}}
database: {{url: "{database}"}}
federation:
  cookie_secret: {{file: /etc/jupytercloud/secrets/federation-cookie-secret}}
  sites: [{{name: labo, title: Labo, url: "https://labo.example.fr/"}}]
"""


@dataclass
class Deployed:
    """Namespaces of the tests' cluster, with the image in it and a PostgreSQL that its pods reach."""

    cluster: Kubernetes
    postgresql: Postgresql

    def apply(self, namespace: str, name: str, **hosts: str) -> None:
        """Apply a file; ``hosts``: name → address, instead of the cluster's DNS."""
        for one in objects(name):
            if one["apiVersion"] == "policy/v1" and minor_version(self.cluster) < 21:
                one["apiVersion"] = "policy/v1beta1"
            if one["kind"] == "Deployment":
                pod = one["spec"]["template"]["spec"]
                pod["hostAliases"] = [{"ip": address, "hostnames": [host]} for host, address in hosts.items()]
                for container in pod["containers"]:
                    container["image"] = HUB
            self.cluster.apply(one, namespace=namespace)

    def secret(self, namespace: str, name: str, **data: str) -> None:
        self.cluster.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}, namespace=namespace
        )

    def address(self, namespace: str, service: str) -> str:
        return str(self.cluster.get("service", service, namespace=namespace)["spec"]["clusterIP"])

    def database(self, url: str) -> str:
        return url.replace("127.0.0.1", self.postgresql.address).replace("postgresql+psycopg", "postgresql")


@pytest.fixture(scope="module")
def deployed(kubernetes: Kubernetes) -> Iterator[Deployed]:
    load_hub_image(kubernetes)
    with Postgresql.running(kubernetes.gateway()) as postgresql:
        yield Deployed(kubernetes, postgresql)


def until(what: Callable[[], Any], words: Callable[[], str], seconds: float = 120) -> Any:
    end = time.monotonic() + seconds
    while True:
        try:
            found = what()
        except httpx.TransportError as error:
            found = None
            said = repr(error)
        else:
            said = repr(found)
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"{said}\n{words()}")
        time.sleep(0.3)


def test_account_of_the_hub_may_do_what_its_role_says_and_nothing_more(kubernetes: Kubernetes, namespace: str) -> None:
    kubernetes.apply(*objects("hub-role.yaml"), namespace=namespace)
    account = f"system:serviceaccount:{namespace}:{ACCOUNT}"

    def can(wanted: Sequence[tuple[str, str]], where: str) -> list[bool]:
        """What `kubectl auth can-i` asks, for many at once."""
        reviews = [
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": {"user": account, "groups": ["system:serviceaccounts"], "resourceAttributes": asked},
            }
            for verb, what in wanted
            for asked in [attributes(verb, what, where)]
        ]
        listed = {"apiVersion": "v1", "kind": "List", "items": reviews}
        said = kubernetes.kubectl("create", "-f", "-", "-o", "jsonpath={.status.allowed} ", stdin=json.dumps(listed))
        return [one == "true" for one in said.split()]

    assert can(MAY, namespace) == [True] * len(MAY)
    assert dict(zip(MAY_NOT, can(MAY_NOT, namespace), strict=True)) == dict.fromkeys(MAY_NOT, False)
    assert can(MAY, "default") == [False] * len(MAY)
    for verb, said in (("delete", "yes"), ("update", "no")):
        asked = ("auth", "can-i", verb, "pods", "-n", namespace, "--as", account)
        assert kubernetes.kubectl(*asked, check=False).strip() == said


def attributes(verb: str, what: str, namespace: str) -> dict[str, str]:
    resource, _, below = what.partition("/")
    group = {"rolebindings": "rbac.authorization.k8s.io", "deployments": "apps"}.get(resource, "")
    return {"verb": verb, "group": group, "resource": resource, "subresource": below, "namespace": namespace}


def test_policies_and_the_operators_role_are_taken_by_the_api(kubernetes: Kubernetes, namespace: str) -> None:
    wanted = [*objects("network-policies.yaml"), *objects("database-policy.yaml"), *objects("images-role.yaml")]
    kubernetes.apply(*wanted, namespace=namespace)
    kept = {
        one["metadata"]["name"]: one["spec"] for one in kubernetes.get("networkpolicies", namespace=namespace)["items"]
    }
    for policy in objects("network-policies.yaml"):
        rules = kept[policy["metadata"]["name"]]
        assert len(rules.get("egress", ())) == len(policy["spec"].get("egress", ())), "nothing was dropped as unknown"
        assert len(rules["ingress"]) == len(policy["spec"]["ingress"])


def test_machine_that_is_emptied_waits_for_the_people_on_it(deployed: Deployed, namespace: str) -> None:
    cluster = deployed.cluster
    deployed.apply(namespace, "disruption.yaml")
    labels = {"app.kubernetes.io/managed-by": "jupytercloud-hub", "component": "singleuser-server"}
    for name, marks in (("lea", labels), ("other", {"app": "other"})):
        spec = {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": LIGHT, "imagePullPolicy": "IfNotPresent"}],
        }
        cluster.apply(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": marks}, "spec": spec},
            namespace=namespace,
        )
        cluster.wait(namespace, name, lambda found: found["status"]["phase"] == "Running")

    def expected() -> int:
        status = cluster.get("pdb", "servers", namespace=namespace).get("status", {})
        return int(status.get("currentHealthy", 0))

    until(expected, lambda: "the budget counts no pod")

    def evict(name: str) -> str:
        eviction = {"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": name}}
        if minor_version(cluster) >= 22:
            eviction["apiVersion"] = "policy/v1"
        place = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
        cluster.kubectl("create", "--raw", place, "-f", "-", stdin=json.dumps(eviction))
        return "evicted"

    with pytest.raises(RuntimeError, match="disruption budget"):
        evict("lea")
    assert evict("other") == "evicted"


def test_services_of_a_site_answer_through_its_hub_from_pods_of_their_own(
    deployed: Deployed, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, gateway = deployed.cluster, deployed.cluster.gateway()
    with deployed.postgresql.database() as url:
        settings = SITE.format(database=deployed.database(url), image=LIGHT)
        deployed.secret(namespace, "hub", jupytercloud=settings)  # as the chart keeps hub.extraFiles
        deployed.secret(namespace, "jupytercloud", **TOKENS, **{"client-secret": "s"})
        here: dict[str, str] = {"hub": gateway, "quotas": "127.0.0.1"}
        services = [one for one in objects("site/services.yaml") if one["kind"] == "Service"]
        cluster.apply(*services, namespace=namespace)
        here["quotas"] = deployed.address(namespace, "quotas")

        (tmp_path / "client-secret").write_text("s")
        for name, token in TOKENS.items():
            monkeypatch.setenv(f"JUPYTERCLOUD_{name.upper().replace('-', '_').removesuffix('_TOKEN')}_API_TOKEN", token)
        monkeypatch.setenv("JUPYTERCLOUD_HUB_CLIENT_TOKEN", TOKENS["hub-client-token"])
        mine = settings.replace("/etc/jupytercloud/secrets", str(tmp_path)).replace("/var/lib", f"{tmp_path}/lib")
        for name in ("quotas", "culler"):
            mine = mine.replace(f"http://{name}:", f"http://{deployed.address(namespace, name)}:")
        monkeypatch.setenv("KUBECONFIG", str(cluster.account(namespace, tmp_path)))
        listens = f'c.JupyterHub.hub_bind_url = c.JupyterHub.hub_connect_url = "http://{gateway}:{HUB_PORT}"'
        hub = HubProcess(tmp_path, mine, after=listens, path="/")
        deployed.apply(namespace, "site/services.yaml", **here)  # first: a hub waits at its start for such services
        hub.start()
        try:
            hub.wait(180)

            def words() -> str:
                pods = cluster.kubectl("get", "pods", "-n", namespace, "-o", "wide", check=False)
                logs = [
                    cluster.kubectl("logs", "-n", namespace, f"deploy/{name}", "--tail=20", check=False)
                    for name in ("quotas", "culler", "agent")
                ]
                return "\n".join([pods, *logs, hub.words()[-2000:]])

            def answer(name: str) -> dict[str, Any] | None:
                found = httpx.get(f"{hub.url}services/{name}/health", trust_env=False, timeout=30)
                return found.json() if found.status_code == 200 else None

            quotas, culler = (until(lambda name=name: answer(name), words) for name in ("quotas", "culler"))  # type: ignore[misc]
            assert quotas["last_error"] is None, "it has read the hub's servers"
            until(lambda: (answer("culler") or culler)["last_pass"], words)
            for name in ("quotas", "culler", "agent"):
                until(lambda name=name: ready(cluster, namespace, name) == 1, words)  # type: ignore[misc]
            pod = cluster.get("pods", "-l", "component=quotas", namespace=namespace)["items"][0]
            tried = "touch /opt/here || echo read-only; ls /var/run/secrets/kubernetes.io || echo no token"
            said = cluster.exec(namespace, pod["metadata"]["name"], "sh", "-c", f"({tried}) 2>/dev/null")
            assert said.split("\n")[:2] == ["read-only", "no token"]
        finally:
            hub.end()


def ready(cluster: Kubernetes, namespace: str, deployment: str) -> int:
    return int(cluster.get("deployment", deployment, namespace=namespace)["status"].get("readyReplicas", 0))


def test_portal_answers_while_its_replicas_are_replaced_and_while_one_is_lost(
    deployed: Deployed, namespace: str
) -> None:
    cluster = deployed.cluster
    with deployed.postgresql.database() as url:
        settings = {"jupytercloud.yaml": PORTAL.format(database=deployed.database(url))}
        cluster.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "jupytercloud"}, "data": settings},
            namespace=namespace,
        )
        more = {"client-secret": "s", "federation-cookie-secret": "c" * 64}
        deployed.secret(namespace, "jupytercloud", **TOKENS, **more)
        deployed.apply(namespace, "portal/federation.yaml", hub=cluster.gateway())

        def words() -> str:
            described = cluster.kubectl("describe", "pods", "-n", namespace, check=False)[-3000:]
            return described + cluster.kubectl("logs", "-n", namespace, "deploy/federation", "--tail=30", check=False)

        until(lambda: ready(cluster, namespace, "federation") == 2, words)
        pods = cluster.get("pods", "-l", "component=federation", namespace=namespace)["items"]
        assert {pod["spec"]["nodeName"] for pod in pods} == set(cluster.nodes[:2]), "one on each machine"
        health = f"http://{deployed.address(namespace, 'federation')}:8101/services/federation/health"

        asked, failed, over = [0], [], threading.Event()

        def ask() -> None:
            while not over.is_set():
                asked[0] += 1
                try:
                    answer = httpx.get(health, trust_env=False, timeout=10)
                    if answer.status_code != 200 or answer.json()["database"] != "ok":
                        failed.append(answer.text)
                except httpx.TransportError as error:
                    failed.append(repr(error))
                time.sleep(0.05)

        asker = threading.Thread(target=ask)
        asker.start()
        try:
            cluster.kubectl("rollout", "restart", "deployment/federation", "-n", namespace)
            cluster.kubectl(
                "rollout", "status", "deployment/federation", "-n", namespace, "--timeout=150s", timeout=170
            )
            before = {pod["metadata"]["name"] for pod in pods}
            now = cluster.get("pods", "-l", "component=federation", namespace=namespace)["items"]
            fresh = [pod for pod in now if "deletionTimestamp" not in pod["metadata"]]
            assert len(fresh) == 2
            assert not before & {pod["metadata"]["name"] for pod in fresh}
        finally:
            over.set()
            asker.join()
        assert asked[0] > 20
        assert failed == [], f"{len(failed)} of {asked[0]}"
