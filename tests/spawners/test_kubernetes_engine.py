"""The Kubernetes spawner on a real cluster: a hub of its own process, whose account may do no more than it must."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.engines import RUN
from tests.support.engines_kubernetes import Kubernetes
from tests.support.hub_process import HubProcess
from tests.support.ports import free_port

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]

TOKEN = "operators-token-0123456789"
SHARED = "/srv/shared"
SETTINGS = """
site: {name: k8s, url: "{url}", state: state}
spawner:
  backend: kubernetes
  gpus: {a100: {most: 1, kubernetes: {resource: nvidia.com/gpu}}}
  node_classes:
    first: {kubernetes: {node_selector: {kubernetes.io/hostname: node1}}}
    second: {kubernetes: {node_selector: {kubernetes.io/hostname: node2}}}
    nowhere: {kubernetes: {node_selector: {kubernetes.io/hostname: node99}}}
  kubernetes: {namespace: NAMESPACE, home: {claim: homes, sub_path: "homes/{safe_username}"}, home_moves: true}
profiles:
  - name: light
    title: Light
    default: true
    image: local/light:test
    command: [/bin/light-server]
    resources: {cpu: {guarantee: 0.05, limit: 0.5}, memory: {guarantee: 16 MiB, limit: 64 MiB}}
    environment: {COLOUR: blue}
    kubernetes: {image_pull_policy: IfNotPresent, delete_grace_period: 1}
  - {name: gpu, extends: light, title: GPU, resources: {gpu: 1, gpu_type: a100}, timeouts: {start: 12 s}}
  - {name: first, extends: light, title: First, node_class: first}
  - {name: second, extends: light, title: Second, node_class: second, timeouts: {start: 25 s}}
  - {name: nowhere, extends: light, title: Nowhere, node_class: nowhere, timeouts: {start: 8 s}}
  - {name: failing, extends: light, title: Failing, environment: {FAIL: no licence left}}
  - {name: lost, extends: light, title: Lost, image: "registry.invalid/nobody/has:this"}
  - name: data
    extends: light
    title: Data
    resources: {shm: 8 MiB, storage: 100 MiB}
    volumes:
      - {source: /srv/shared/data, target: /data}
      - {kind: cvmfs, target: /cvmfs}
      - {kind: scratch, target: /scratch}
  - name: odd
    extends: light
    title: Odd
    kubernetes: {no_such_trait: 1}
  - name: notebook
    title: Notebook
    image: local/notebook:test
    resources: {cpu: {guarantee: 0.1, limit: 2}, memory: 1 GiB}
    default_url: /lab/tree/first.ipynb
    timeouts: {http: 90 s}
    kubernetes: {image_pull_policy: IfNotPresent, delete_grace_period: 1}
"""
AFTER = """
c.JupyterHub.hub_bind_url = "http://ADDRESS:PORT"
c.JupyterHub.hub_connect_url = "http://ADDRESS:PORT"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [{"name": "operator", "api_token": "operators-token-0123456789"}]
c.JupyterHub.load_roles = [{"name": "operator", "services": ["operator"],
    "scopes": ["admin:users", "admin:servers", "admin:server_state", "list:users", "read:servers"]}]
"""


class Hub:
    """A hub on a cluster, spoken to as its operator."""

    def __init__(self, cluster: Kubernetes, namespace: str, process: HubProcess, api: str) -> None:
        self.cluster, self.namespace, self.process = cluster, namespace, process
        self.client = httpx.Client(
            base_url=api, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False, timeout=60
        )

    def user(self, name: str) -> dict[str, Any]:
        self.client.post("users", json={"usernames": [name]})
        return self.client.get(f"users/{name}").json()

    def server(self, name: str) -> dict[str, Any] | None:
        return self.user(name)["servers"].get("")

    def start(self, name: str, profile: str) -> httpx.Response:
        self.user(name)
        return self.client.post(f"users/{name}/server", json={"profile": profile, "options": {}})

    def told(self, name: str) -> list[dict[str, Any]]:
        """Return what the progress page says, until the start is over."""
        answer = self.client.get(f"users/{name}/server/progress", headers={"Accept": "text/event-stream"})
        return [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]

    def run(self, name: str, profile: str) -> dict[str, Any]:
        answer = self.start(name, profile)
        assert answer.status_code in (201, 202), answer.text
        end = time.monotonic() + 100
        while True:
            server = self.server(name)
            if server and server["ready"]:
                return server
            assert server, self.process.words()[-3000:]
            assert time.monotonic() < end, server
            time.sleep(0.3)

    def stop(self, name: str) -> None:
        self.client.delete(f"users/{name}/server")
        end = time.monotonic() + 100
        while self.server(name):
            assert time.monotonic() < end
            time.sleep(0.3)

    def failure(self, name: str, profile: str) -> str:
        """Start something that fails and return what the person is told."""
        answer = self.start(name, profile)
        if answer.status_code >= 400:
            return answer.json()["message"]
        end = time.monotonic() + 60
        while not (events := self.told(name)):  # the pod of a start that failed is still being removed
            assert time.monotonic() < end
            time.sleep(0.5)
        assert events[-1].get("failed"), events
        return events[-1].get("html_message") or events[-1]["message"]

    def pods(self, **labels: str) -> list[dict[str, Any]]:
        wanted = ",".join(f"{key}={value}" for key, value in {"component": "singleuser-server", **labels}.items())
        return self.cluster.get("pods", "-l", wanted, namespace=self.namespace)["items"]

    def pod(self, name: str) -> dict[str, Any]:
        (found,) = self.pods(**{"jupytercloud.hub/user": name})
        return found

    def inside(self, name: str, command: str) -> str:
        pod = self.pod(name)["metadata"]["name"]
        return self.cluster.exec(self.namespace, pod, "sh", "-c", f"({command}) 2>&1 || true")


@contextmanager
def running_hub(cluster: Kubernetes, namespace: str, folder: Path) -> Iterator[Hub]:
    address, port = cluster.gateway(), free_port()
    account = cluster.account(namespace, folder)
    volume = f"homes-{namespace}"
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": volume},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteMany"],
                "storageClassName": namespace,
                "hostPath": {"path": f"{SHARED}/{namespace}"},
            },
        }
    )
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "homes"},
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "storageClassName": namespace,
                "resources": {"requests": {"storage": "1Gi"}},
            },
        },
        namespace=namespace,
    )
    shared = RUN / "kubernetes" / "shared"
    for name in ("anna", "ben", "cleo"):
        home = shared / namespace / "homes" / name
        home.mkdir(parents=True)
        home.chmod(0o777)
    (shared / "data").mkdir(exist_ok=True)
    (shared / "data" / "read-me").write_text("shared")
    after = AFTER.replace("ADDRESS", address).replace("PORT", str(port))
    process = HubProcess(folder, SETTINGS.replace("NAMESPACE", namespace), after=after)
    process.start(KUBECONFIG=str(account))
    try:
        process.wait()
        yield Hub(cluster, namespace, process, f"http://{address}:{port}/labo/hub/api/")
    finally:
        process.end()
        cluster.kubectl("delete", "pv", volume, "--wait=false", check=False)


@pytest.fixture(scope="module")
def hub(kubernetes: Kubernetes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    kubernetes.need_own("a hub on this machine that pods reach")
    with (
        kubernetes.namespace() as namespace,
        running_hub(kubernetes, namespace, tmp_path_factory.mktemp("hub")) as started,
    ):
        yield started


def test_server_gets_its_limits_environment_labels_and_home(hub: Hub) -> None:
    server = hub.run("anna", "light")
    assert server["state"]["jupytercloud"]["profile"] == "light"
    limits = hub.inside("anna", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us")
    assert limits.split() == [str(64 << 20), "50000"]
    assert hub.inside("anna", "echo $COLOUR $JUPYTERHUB_USER").split() == ["blue", "anna"]
    labels = hub.pod("anna")["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "jupytercloud-hub"
    assert labels["jupytercloud.hub/profile"] == "light"
    hub.inside("anna", "echo mine > /home/jovyan/work.txt")
    hub.stop("anna")
    assert hub.pods(**{"jupytercloud.hub/user": "anna"}) == []


def test_home_goes_with_the_person_to_another_machine(hub: Hub) -> None:
    hub.run("anna", "first")
    hub.inside("anna", "echo moved > /home/jovyan/moved.txt")
    hub.stop("anna")
    hub.run("anna", "second")
    assert hub.pod("anna")["spec"]["nodeName"] == "node2"
    assert hub.inside("anna", "cat /home/jovyan/moved.txt") == "moved\n"
    hub.stop("anna")


def test_pod_sets_nothing_that_openshift_refuses(hub: Hub) -> None:
    hub.run("anna", "light")
    spec = hub.pod("anna")["spec"]
    (container,) = spec["containers"]
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert spec.get("securityContext") in (None, {})
    assert spec["restartPolicy"] == "Never"
    assert not spec["automountServiceAccountToken"]
    assert all("hostPath" not in volume for volume in spec["volumes"])
    hub.stop("anna")


def test_gpu_lands_where_one_is_and_who_comes_next_waits_and_is_told(hub: Hub) -> None:
    with hub.cluster.gpus("node2"):
        hub.run("anna", "gpu")
        assert hub.pod("anna")["spec"]["nodeName"] == "node2"
        answer = hub.start("ben", "gpu")
        said = [event.get("message") for event in hub.told("ben")] if answer.status_code < 400 else []
        hub.stop("anna")
    assert "Aucune machine n’a de GPU libre pour l’instant ; il attend qu’il y en ait un." in said
    assert hub.pods(**{"jupytercloud.hub/user": "ben"}) == []


def test_shared_data_are_read_only_scratch_is_not_and_cvmfs_is_there(hub: Hub) -> None:
    hub.run("anna", "data")
    assert hub.inside("anna", "cat /data/read-me") == "shared"
    assert "Read-only file system" in hub.inside("anna", "touch /data/mine")
    assert hub.inside("anna", "touch /scratch/mine && ls /scratch") == "mine\n"
    mounts = hub.inside("anna", "cat /proc/self/mountinfo").splitlines()
    assert ["master:" in line for line in mounts if " /cvmfs " in line] == [True]
    assert [line for line in mounts if " /dev/shm " in line and "tmpfs" in line]
    limits = hub.pod("anna")["spec"]["containers"][0]["resources"]["limits"]
    assert limits["ephemeral-storage"] == str(100 * 1024**2)
    hub.stop("anna")


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("failing", "no licence left"),
        ("lost", "L’image ne peut pas être téléchargée."),
        ("nowhere", "didn't match"),
        ("odd", "no_such_trait"),
    ],
)
def test_failed_start_tells_the_clusters_reason_and_leaves_nothing(hub: Hub, profile: str, said: str) -> None:
    began = time.monotonic()
    assert said in hub.failure("ben", profile).replace("&#x27;", "'")
    assert time.monotonic() - began < 90
    end = time.monotonic() + 60
    while hub.pods(**{"jupytercloud.hub/user": "ben"}) or hub.server("ben"):
        assert time.monotonic() < end
        time.sleep(0.3)


def test_quotas_refusal_is_a_clear_text_and_no_server_error(hub: Hub) -> None:
    hub.cluster.quota(hub.namespace, pods="0")
    try:
        answer = hub.start("cleo", "light")
    finally:
        hub.cluster.kubectl("delete", "resourcequota", "limit", "-n", hub.namespace)
    assert answer.status_code == 409, answer.text
    assert "Le quota de la grappe" in answer.json()["message"]
    assert "exceeded quota" in answer.json()["message"]


def test_real_notebook_image_runs_and_the_hub_takes_it_over_when_it_is_back(hub: Hub, tmp_path: Path) -> None:
    before = hub.run("cleo", "notebook")
    hub.process.end(9)
    hub.process.start(KUBECONFIG=str(hub.process.folder / "hub.kubeconfig"))
    hub.process.wait()
    after = hub.server("cleo")
    assert after
    assert after["ready"]
    assert after["started"] == before["started"]
    address = hub.pod("cleo")["status"]["podIP"]
    answer = httpx.get(f"http://{address}:8888/labo/user/cleo/", trust_env=False)
    assert "/lab/tree/first.ipynb" in answer.headers["Location"]
    hub.stop("cleo")


def test_machine_that_does_not_answer_gives_the_server_up_where_the_home_can_move(
    hub: Hub, kubernetes: Kubernetes
) -> None:
    hub.run("anna", "second")
    hub.inside("anna", "echo kept > /home/jovyan/kept.txt")
    try:
        kubernetes.silence("node2")
        hub.stop("anna")
        assert hub.pods(**{"jupytercloud.hub/user": "anna"}) == []
        assert "does not answer: its pod is removed by force" in hub.process.words()
        hub.run("anna", "first")
        assert hub.inside("anna", "cat /home/jovyan/kept.txt") == "kept\n"
        hub.stop("anna")
    finally:
        kubernetes.revive()


def test_sweep_finds_what_a_killed_hub_left_and_nothing_that_it_knows(hub: Hub, kubernetes: Kubernetes) -> None:
    hub.run("anna", "light")
    pod = hub.pod("anna")
    stray = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "jupyter-gone",
            "labels": {**pod["metadata"]["labels"], "jupytercloud.hub/user": "gone"},
        },
        "spec": {
            "containers": [{"name": "notebook", "image": "local/light:test", "imagePullPolicy": "IfNotPresent"}],
            "terminationGracePeriodSeconds": 1,
        },
    }
    kubernetes.apply(stray, namespace=hub.namespace)
    left = operate(hub, 1)["orphans"]
    assert [thing["name"] for thing in left] == ["jupyter-gone"]
    assert operate(hub, 0, "--remove")["removed"]
    end = time.monotonic() + 100
    while len(pods := hub.pods()) > 1:
        assert time.monotonic() < end, [(pod["metadata"], pod["status"]) for pod in pods]
        time.sleep(0.3)
    assert hub.pod("anna")["metadata"]["uid"] == pod["metadata"]["uid"]
    hub.stop("anna")


def operate(hub: Hub, code: int, *options: str) -> Any:
    """Run ``jupytercloud servers sweep`` as an operator does and return what it printed."""
    environment = {
        **os.environ,
        "JUPYTERHUB_API_TOKEN": TOKEN,
        "JUPYTERHUB_API_URL": str(hub.client.base_url),
        "KUBECONFIG": str(hub.process.folder / "hub.kubeconfig"),
    }
    command = [sys.executable, "-m", "jupytercloud_hub", "servers", "sweep", "--grace", "0 s", "--json"]
    ran = subprocess.run(
        [*command, "--config", str(hub.process.settings), *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    return json.loads(ran.stdout)
