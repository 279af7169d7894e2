"""A real Kubernetes cluster: `Kubernetes` and the fixtures `kubernetes` and `namespace`."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from .engines import RUN, script, up

Object = dict[str, Any]

# What a hub's service account must be allowed to do in its namespace for KubeSpawner, and nothing else.
LEAST_RULES: Sequence[Object] = (
    {
        "apiGroups": [""],
        "resources": ["pods", "persistentvolumeclaims", "services", "secrets"],
        "verbs": ["get", "watch", "list", "create", "delete"],
    },
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["get", "watch", "list"]},
)


class Kubernetes:
    """A cluster, spoken to through kubectl as its administrator.

    ``kubeconfig`` is the administrator's file, ``nodes`` the nodes' names, ``own`` whether the tests brought it up:
    only then can a node be killed and pods be reached by their addresses.
    """

    def __init__(self, kubeconfig: Path, kubectl: str, *, own: bool) -> None:
        self.kubeconfig, self.own, self.program = kubeconfig, own, kubectl
        self.nodes = sorted(node["metadata"]["name"] for node in self.get("nodes")["items"])

    def need_own(self, what: str) -> None:
        """Skip the test where the cluster is somebody else's."""
        if not self.own:
            pytest.skip(f"{what} needs the cluster that the tests bring up (KUBECONFIG is set)")

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True, timeout: float = 90) -> str:
        """Run kubectl; what it says on failure is the error."""
        command = [self.program, "--kubeconfig", str(self.kubeconfig), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=timeout)
        if check and done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr or done.stdout}")
        return done.stdout

    def get(self, *what: str, namespace: str | None = None) -> Any:
        """Return an object or a list, as the API gives it."""
        return json.loads(self.kubectl("get", *what, "-o", "json", *_in(namespace)))

    def apply(self, *objects: Object, namespace: str | None = None) -> None:
        """Create or change objects."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-f", "-", *_in(namespace), stdin=json.dumps(listed))

    def exec(self, namespace: str, pod: str, *command: str, container: str | None = None) -> str:
        """Run a command in a pod and return what it writes."""
        chosen = ("-c", container) if container else ()
        return self.kubectl("exec", pod, *_in(namespace), *chosen, "--", *command)

    def wait(self, namespace: str, pod: str, condition: Callable[[Object], bool], timeout: float = 60) -> Object:
        """Return a pod once the condition holds for it."""
        end = time.monotonic() + timeout
        while not condition(found := self.get("pod", pod, namespace=namespace)):
            if time.monotonic() > end:
                events = self.kubectl("get", "events", *_in(namespace), check=False)
                raise TimeoutError(f"pod {pod}: {found['status']}\n{events}")
            time.sleep(0.2)
        return found

    def gateway(self) -> str:
        """Return the address of this machine that pods reach."""
        self.need_own("an address of this machine")
        address = self.get("node", self.nodes[0])["status"]["addresses"][0]["address"]
        return str(address).rpartition(".")[0] + ".1"

    @contextmanager
    def namespace(self) -> Iterator[str]:
        """Make an empty namespace; it goes with all that is in it, in the background."""
        name = f"test-{uuid.uuid4().hex[:8]}"
        self.kubectl("create", "namespace", name)
        try:
            end = time.monotonic() + 20
            while "default" not in self.kubectl("get", "serviceaccounts", "-n", name, "-o", "name"):
                if time.monotonic() > end:
                    raise TimeoutError(f"namespace {name} has no service account")
                time.sleep(0.1)
            yield name
        finally:
            self.kubectl("delete", "pods", "--all", "-n", name, "--grace-period=0", "--force", check=False)
            self.kubectl("delete", "namespace", name, "--wait=false")

    def account(self, namespace: str, folder: Path, rules: Sequence[Object] = LEAST_RULES, name: str = "hub") -> Path:
        """Make a service account with just these rules in a namespace and return its kubeconfig, in ``folder``."""
        group = "rbac.authorization.k8s.io"
        self.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
            {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": name}, "rules": list(rules)},
            {
                "apiVersion": f"{group}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": name},
                "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            },
            namespace=namespace,
        )
        cluster = json.loads(self.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))["clusters"]
        file = folder / f"{name}.kubeconfig"
        file.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": cluster,
                    "users": [{"name": name, "user": {"token": self._token(namespace, name)}}],
                    "contexts": [
                        {
                            "name": name,
                            "context": {"cluster": cluster[0]["name"], "user": name, "namespace": namespace},
                        }
                    ],
                    "current-context": name,
                }
            )
        )
        file.chmod(0o600)
        return file

    def _token(self, namespace: str, account: str) -> str:
        """Return a service account's token: by its secret up to Kubernetes 1.23, by request since."""
        for _ in range(50):
            secrets = self.get("serviceaccount", account, namespace=namespace).get("secrets") or []
            named = [entry["name"] for entry in secrets if "token" in entry["name"]]
            if named:
                data = self.get("secret", named[0], namespace=namespace)["data"]["token"]
                return base64.b64decode(data).decode()
            if minor_version(self) >= 24:
                return self.kubectl("create", "token", account, "-n", namespace, "--duration=8h").strip()
            time.sleep(0.1)
        raise TimeoutError(f"service account {account} has no token")

    def quota(self, namespace: str, **hard: str) -> None:
        """Limit a namespace: ``quota(namespace, pods="2", requests_memory="1Gi")``; in force when this returns."""
        wanted = {key.replace("_", "."): value for key, value in hard.items()}
        self.apply(
            {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "limit"}, "spec": {"hard": wanted}},
            namespace=namespace,
        )
        end = time.monotonic() + 30
        while "used" not in self.get("resourcequota", "limit", namespace=namespace)["status"]:
            if time.monotonic() > end:
                raise TimeoutError("the quota is not in force")
            time.sleep(0.1)

    @contextmanager
    def gpus(self, node: str, count: int = 1, resource: str = "nvidia.com/gpu", **labels: str) -> Iterator[None]:
        """Let a node say that it has GPUs (there are none); labels are the node's meanwhile."""
        pairs = {"status": {"capacity": {resource: str(count)}}}
        self._patch_status(node, pairs)
        if labels:
            self.kubectl("label", "node", node, "--overwrite", *(f"{key}={value}" for key, value in labels.items()))
        try:
            end = time.monotonic() + 20
            while self.get("node", node)["status"]["allocatable"].get(resource) != str(count):
                if time.monotonic() > end:
                    raise TimeoutError(f"{node} does not offer {resource}")
                time.sleep(0.1)
            yield
        finally:
            self._patch_status(node, {"status": {"capacity": {resource: None}, "allocatable": {resource: None}}})
            if labels:
                self.kubectl("label", "node", node, *(f"{key}-" for key in labels))

    def _patch_status(self, node: str, change: Mapping[str, Any]) -> None:
        command = [self.program, "--kubeconfig", str(self.kubeconfig), "proxy", "--port=0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
            try:
                said = proxy.stdout.readline() if proxy.stdout else ""
                address = re.search(r"127\.0\.0\.1:\d+", said)
                if address is None:
                    raise RuntimeError(f"kubectl proxy: {said}")
                with httpx.Client(trust_env=False) as client:
                    client.patch(
                        f"http://{address.group()}/api/v1/nodes/{node}/status",
                        content=json.dumps(change),
                        headers={"Content-Type": "application/merge-patch+json"},
                    ).raise_for_status()
            finally:
                proxy.terminate()

    def on_node(self, node: str, *command: str, check: bool = True) -> str:
        """Run a command on a node itself (not in a pod)."""
        self.need_own("a command on a node")
        return script("kubernetes.sh", "run", node.removeprefix("node"), *command, check=check).stdout

    def kill(self, node: str) -> None:
        """Let a node die as by a power cut."""
        self.need_own("killing a node")
        script("kubernetes.sh", "kill", node.removeprefix("node"))

    def silence(self, node: str) -> None:
        """Kill a node's kubelet: its pods run on, and after 20 s the cluster takes the node for dead."""
        self.need_own("killing a kubelet")
        script("kubernetes.sh", "silence", node.removeprefix("node"))

    def revive(self) -> None:
        """Bring up the nodes and kubelets that died."""
        self.need_own("reviving a node")
        # a busy machine takes minutes, and a node that was left half-made stands in the next one's way
        script("kubernetes.sh", "up", timeout=400)


def minor_version(cluster: Kubernetes) -> int:
    """Return the cluster's minor version: 20 for 1.20."""
    found = json.loads(cluster.kubectl("version", "-o", "json"))["serverVersion"]["minor"]
    return int(re.sub(r"\D", "", found))


def _in(namespace: str | None) -> tuple[str, ...]:
    return ("-n", namespace) if namespace else ()


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[Kubernetes]:
    """A real cluster: of KUBECONFIG (whose nodes hold the test images), or two nodes brought up for this run."""
    given = os.environ.get("KUBECONFIG")
    if given:
        yield Kubernetes(Path(given), shutil.which("kubectl") or "kubectl", own=False)
        return
    with up("kubernetes"):
        node = RUN / "kubernetes" / "node1"
        kubectl = script("kubernetes-build.sh").stdout.strip() + "/kubectl"
        yield Kubernetes(node / "engine" / "admin.kubeconfig", kubectl, own=True)


@pytest.fixture
def namespace(kubernetes: Kubernetes) -> Iterator[str]:
    """A namespace of the test's own."""
    with kubernetes.namespace() as name:
        yield name
