"""The values that ``event create --backend kubernetes`` writes, deployed with the real chart: visited, ended, purged.

Not collected by itself: it needs a zero-to-jupyterhub chart, as `tests/deploy/chart_on_the_cluster.py` does. As root:

    Z2JH_CHART=jupyterhub-4.4.0.tgz python -m pytest -s -m engines tests/events/chart_of_an_event.py

The checklist's own commands are run, but for Argo CD's: Helm renders, kubectl applies. HAProxy stands for the ingress.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from jupytercloud_hub.deploy.tree import Tree
from tests.deploy.chart import Release, with_images_here
from tests.support import ROOT
from tests.support.cluster_dns import cluster_dns
from tests.support.engines import NOTEBOOK
from tests.support.engines_kubernetes import Kubernetes
from tests.support.event_hub import event
from tests.support.hub_image import load_hub_image
from tests.support.ports import free_port
from tests.support.proxy_image import load_proxy_image
from tests.support.story import steps_before
from tests.support.swarm_stack import until
from tests.support.university import certificates, tls_front

pytestmark = [pytest.mark.engines, pytest.mark.timeout(1500)]

NAMESPACE = "jupytercloud-salon"
SEATS, WARM = 3, 2
SITE = f"""
site: {{name: labo, url: "https://labo.example.fr/", contact: support@example.fr}}
spawner: {{backend: kubernetes, kubernetes: {{namespace: labo, home: {{storage_class: shared, capacity: 50 MiB}}}}}}
profiles:
  - name: carnet
    title: Carnet
    image: {NOTEBOOK}
    command: [jupyterhub-singleuser]
    resources: {{cpu: {{guarantee: 0.05, limit: 1}}, memory: {{guarantee: 64 MiB, limit: 256 MiB}}}}
"""
AT_ONCE = "c.KubeSpawner.delete_grace_period = 0\n"
"""A kubelet of 1.20 may let an ended pod go only after minutes, and stops are not the subject here."""


@dataclass
class Event:
    """The deployment's repository, and what was made of it on the cluster."""

    folder: Path
    release: Release
    url: str
    pems: dict[str, Path]

    def run(self, line: str) -> str:
        """Run a line of the checklist in the event's folder, as its administrator does."""
        cluster = self.release.cluster
        given = {"KUBECONFIG": str(cluster.kubeconfig), "PATH": f"{Path(cluster.program).parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-ec", line],
            cwd=self.folder,
            env={**os.environ, **given},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def checklist(self, *words: str) -> str:
        """Return the command of the checklist's line that holds these words."""
        lines = (self.folder / "checklist.en.md").read_text().splitlines()
        (line,) = [line for line in lines if all(word in line for word in words)]
        found = re.search(r"(kubectl .*?)(; hand .*)?$", line)
        assert found, line
        return found[1]

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.run(self.checklist("event status") + " --json")))

    def pods(self) -> dict[str, str]:
        """Return the seats' pods, by account, and which they are."""
        pods = [pod["metadata"] for pod in self.release.pods("singleuser-server")]
        return {pod["labels"]["jupytercloud.hub/user"]: pod["uid"] for pod in pods}

    def codes(self) -> list[str]:
        with (self.folder / "codes.csv").open() as file:
            return [row["code"] for row in csv.DictReader(file) if row["kind"] == "visitor"]

    def visitor(self) -> httpx.Client:
        trusted = httpx.create_ssl_context(verify=str(self.pems["authority"]))
        return httpx.Client(base_url=self.url, verify=trusted, trust_env=False, timeout=60, follow_redirects=True)

    def come_in(self, browser: httpx.Client, code: str) -> httpx.Response:
        page = browser.get("hub/login").text
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page)
        assert xsrf, page
        return browser.post("hub/login", data={"code": code, "_xsrf": xsrf[1]})


def created(repository: Path, url: str) -> Path:
    """Write the event into a repository beside ``helm-values``; it begins this second."""
    shutil.copytree(ROOT / "helm-values", repository / "helm-values")
    (repository / "events").mkdir()
    (repository / "site.yaml").write_text(SITE)
    now, folder = datetime.now(UTC), repository / "events" / "salon"
    event(
        "create", "salon", "--from", now.isoformat(timespec="seconds"),
        "--to", (now + timedelta(hours=5)).isoformat(timespec="seconds"), "--seats", str(SEATS), "--warm", str(WARM),
        "--profile", "carnet", "--backend", "kubernetes", "--site", str(repository / "site.yaml"), "--url", url,
        "--memory", "8 GiB", "--folder", str(folder),
    )  # fmt: skip
    return folder


def values_here(repository: Path) -> dict[str, Any]:
    """What Argo CD would lay over each other, with the images that this cluster has."""
    (combination,), problems = Tree(repository / "helm-values").combinations(["salon"])
    assert problems == []
    values = with_images_here(combination.values.data)
    values["scheduling"]["userPlaceholder"]["image"] = {"name": "local/pause", "tag": "3.2"}
    values["hub"]["extraConfig"]["99-at-once"] = AT_ONCE
    values["ingress"] = {"enabled": False}  # its host would have to be a name, and here is none that all know
    return values


@pytest.fixture(scope="module")
def salon(kubernetes: Kubernetes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Event]:
    repository, gateway = tmp_path_factory.mktemp("deploy"), kubernetes.gateway()
    load_hub_image(kubernetes, extras=("postgresql", "kubernetes", "chart"))
    load_proxy_image(kubernetes)
    pems, port = certificates(repository / "tls", gateway), free_port(gateway)
    url = f"https://{gateway}:{port}/"
    made = Event(created(repository, url), Release(kubernetes, NAMESPACE), url, pems)
    with ExitStack() as stack:
        stack.enter_context(cluster_dns(kubernetes))
        stack.callback(kubernetes.kubectl, "delete", "namespace", NAMESPACE, "--wait=false", check=False)
        made.run(made.checklist("create namespace"))
        began = time.monotonic()
        made.release.apply(values_here(repository))
        made.release.wait()
        print(f"\nhub and proxy ready {time.monotonic() - began:.0f} s after the chart was applied")
        target = f"{made.release.address('proxy-public')}:80"
        stack.enter_context(tls_front(repository, gateway, port, pems, target))
        yield made


@pytest.fixture(autouse=True)
def story(request: pytest.FixtureRequest) -> None:
    steps_before(request)


def test_seats_become_warm_and_a_ticket_opens_one(salon: Event) -> None:
    until(lambda: salon.status()["ready"] == WARM, 300, lambda: f"{salon.status()}\n{salon.release.words()}")
    with salon.visitor() as visitor:
        began = time.monotonic()
        page = salon.come_in(visitor, salon.codes()[0])
        print(f"\nfrom the code to the seat's page: {time.monotonic() - began:.2f} s")
        assert page.status_code == 200, page.text
        assert "/user/seat-0001/" in str(page.url), "a warm seat: no page that waits"
        assert visitor.get("user/seat-0001/api/status").status_code == 200
    until(lambda: salon.status()["ready"] == WARM, 300, lambda: f"{salon.status()}\n{salon.release.words()}")
    assert salon.status()["held"] == 1
    (pod,) = [pod for pod in salon.release.pods("singleuser-server") if "seat-0001" in pod["metadata"]["name"]]
    salon.release.cluster.exec(NAMESPACE, pod["metadata"]["name"], "sh", "-c", "echo mine > /home/jovyan/carnet.txt")


def test_seats_reach_the_hub_and_the_proxy_and_no_service(salon: Event) -> None:
    reaches = salon.release.reaches
    assert reaches("singleuser-server", "hub", 8081)
    assert reaches("singleuser-server", "proxy", 8000), "messages to all come through it"
    assert all(reaches("proxy", "hub", port) for port in (8081, 8102, 8104))
    assert not any(reaches("singleuser-server", "hub", port) for port in (8102, 8104))
    assert not reaches("singleuser-server", "proxy", 8001)


def test_a_hub_that_is_lost_with_visitors_in_their_seats_comes_back_with_them(salon: Event) -> None:
    before, (hub,) = salon.pods(), salon.release.pods("hub")
    with salon.visitor() as visitor:
        salon.come_in(visitor, salon.codes()[0])
        gone = ("delete", "pod", hub["metadata"]["name"], "-n", NAMESPACE, "--grace-period=0", "--force")
        salon.release.cluster.kubectl(*gone)
        assert visitor.get("user/seat-0001/api/status").status_code == 200, "while there is no hub"
        salon.release.wait()
        assert "/user/seat-0001/" in str(visitor.get("hub/login").url), "she is still known"
    with salon.visitor() as another_device:
        assert "/user/seat-0001/" in str(salon.come_in(another_device, salon.codes()[0]).url), "her code opens her seat"
    until(lambda: salon.status()["ready"] == WARM, 300, lambda: f"{salon.status()}\n{salon.release.words()}")
    assert salon.pods() == before, "the very same servers"


def test_work_is_given_out_after_the_end(salon: Event) -> None:
    salon.run(salon.checklist("event status").replace("event status", "event close --now"))
    until(lambda: not salon.pods(), 300, lambda: f"{salon.status()}\n{salon.release.words()}")
    with salon.visitor() as visitor:
        assert "event/work" in salon.come_in(visitor, salon.codes()[0]).text
        work = visitor.get("hub/event/work")
        assert (work.status_code, b"carnet.txt" in work.content) == (200, True)


def test_after_the_purge_no_pod_no_claim_and_no_code_is_left_and_the_attestation_says_so(salon: Event) -> None:
    said = json.loads(salon.run(salon.checklist("event purge") + " --yes --json"))
    assert said["found_afterwards"] == {}
    assert said["removed"]["volumes"] == SEATS
    assert said["removed"]["codes"] == SEATS + 4
    claims = salon.release.cluster.get("persistentvolumeclaims", namespace=NAMESPACE)["items"]
    assert [claim["metadata"]["name"] for claim in claims] == ["hub-db-dir"], "the hub's own"
    assert salon.pods() == {}
    salon.run(salon.checklist("Keep the attestation"))
    assert json.loads((salon.folder / "attestation.json").read_text()) == said
    salon.run(salon.checklist("Take the hub away").partition(" && ")[2])  # before it: Argo CD's Application
    assert NAMESPACE not in salon.run("kubectl get namespaces -o name")
