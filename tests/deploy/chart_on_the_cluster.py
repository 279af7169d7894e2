"""The real chart with a site's values on the tests' cluster: hub, proxy, our services, a person, and a hub that dies.

Not collected by itself: it needs a zero-to-jupyterhub chart, which no registry of packages has. As root:

    pip install helm-python-sdk pycurl
    Z2JH_CHART=jupyterhub-4.4.0.tgz python -m pytest -s -m engines tests/deploy/chart_on_the_cluster.py

Real: the chart, npm's configurable-http-proxy, PostgreSQL, LemonLDAP::NG, JupyterLab's server and its kernel. HAProxy
stands for the ingress. What is changed for this cluster: `chart.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from ruamel.yaml import YAML

from jupytercloud_hub.deploy.tree import Tree
from jupytercloud_hub.federation.signing import new_key_pem
from tests.support import ROOT
from tests.support.cluster_dns import cluster_dns
from tests.support.engine_people import Person
from tests.support.engines import NOTEBOOK
from tests.support.engines_kubernetes import Kubernetes
from tests.support.hub_image import load_hub_image
from tests.support.lemonldap import ORGANIZATION
from tests.support.login import CLIENT_ID, CLIENT_SECRET
from tests.support.ports import free_port
from tests.support.postgresql import Postgresql
from tests.support.proxy_image import load_proxy_image
from tests.support.university import certificates, tls_front, university

from .chart import Release, with_images_here
from .test_kubernetes_deployed import Deployed, until

pytestmark = [pytest.mark.engines, pytest.mark.timeout(1500), pytest.mark.asyncio(loop_scope="module")]

TOKEN = "t" * 64
SECRETS = ("quotas-token", "culler-token", "agent-token", "hub-client-token")
AUTHORITY = "authority.pem"


def values_here(database: str, url: str, issuer: str) -> dict[str, Any]:
    """Grenoble's values, with what this cluster has instead of Ceph, a vault and RENATER."""
    values = with_images_here(copy.deepcopy(Tree(ROOT / "helm-values").combinations(["grenoble"])[0][0].values.data))
    hub = values["hub"]
    hub["db"] = {"type": "postgres", "url": database}
    hub["extraEnv"]["SSL_CERT_FILE"] = f"/etc/jupytercloud/secrets/{AUTHORITY}"  # the provider's is a private authority
    hub["services"]["tester"] = {"apiToken": TOKEN, "display": False}
    scopes = ["admin:users", "admin:servers", "access:services", "read:metrics"]
    hub["loadRoles"]["tester"] = {"scopes": scopes, "services": ["tester"]}
    settings = hub["extraFiles"]["jupytercloud"]["data"]
    settings["site"]["url"] = url
    settings["auth"] |= {"issuer": issuer, "preset": "renater", "client_id": CLIENT_ID}
    settings["institutions"][0] |= {"home_organizations": [ORGANIZATION], "affiliations": ["staff", "member"]}
    settings["database"] = {"url": database}
    settings["spawner"]["kubernetes"] |= {"home": {"storage_class": "shared", "capacity": "50 MiB"}}
    settings["spawner"].pop("gpus")
    for profile in settings["profiles"]:
        profile["image"] = NOTEBOOK
        profile["resources"] = {"cpu": {"guarantee": 0.05, "limit": 1}, "memory": "512 MiB"}
        profile.pop("access", None)
        profile.pop("default_url", None)
    return values


@dataclass
class Site:
    """The release behind its ingress, and an operator's client."""

    release: Release
    url: str
    pems: dict[str, Path]
    operator: httpx.Client

    async def until(self, what: Any, seconds: float = 300) -> Any:
        return await asyncio.to_thread(until, what, self.release.words, seconds)

    def open_intervals(self) -> float:
        """How many servers the ledger says that run."""
        text = self.operator.get("services/quotas/metrics").text
        return sum(float(value) for value in re.findall(r"^jupytercloud_quotas_open_intervals\S* (\S+)", text, re.M))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(kubernetes: Kubernetes, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder, gateway = tmp_path_factory.mktemp("chart"), kubernetes.gateway()
    load_hub_image(kubernetes, extras=("postgresql", "kubernetes", "chart"))
    load_proxy_image(kubernetes)
    pems, port = certificates(folder / "tls", gateway), free_port(gateway)
    url = f"https://{gateway}:{port}/"
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(cluster_dns(kubernetes))
        postgresql = stack.enter_context(Postgresql.running(gateway))
        database = stack.enter_context(postgresql.database())
        provider = await stack.enter_async_context(university(folder, gateway, pems, f"{url}hub/"))
        namespace = stack.enter_context(kubernetes.namespace())
        deployed, release = Deployed(kubernetes, postgresql), Release(kubernetes, namespace)
        secrets = {
            **{name: name[0] * 64 for name in SECRETS},
            "heartbeat-key": new_key_pem(),
            "client-secret": CLIENT_SECRET,
            AUTHORITY: pems["authority"].read_text(),
        }
        deployed.secret(namespace, "jupytercloud", **secrets)
        manifest = (ROOT / "helm-values" / "manifests" / "hub-logs.yaml").read_text()
        kubernetes.apply(*YAML(typ="safe").load_all(manifest), namespace=namespace)
        began = time.monotonic()
        release.apply(values_here(deployed.database(database), url, provider.issuer))
        await asyncio.to_thread(release.wait)
        print(f"\nhub and proxy ready {time.monotonic() - began:.0f} s after the chart was applied")
        stack.enter_context(tls_front(folder, gateway, port, pems, f"{release.address('proxy-public')}:80"))
        operator = stack.enter_context(
            httpx.Client(
                base_url=f"http://{release.address('proxy-public')}/",
                headers={"Authorization": f"token {TOKEN}"},
                trust_env=False,
                timeout=30,
            )
        )
        yield Site(release, url, pems, operator)


async def test_services_beside_the_hub_answer_through_the_proxy(site: Site) -> None:
    for service in ("quotas", "culler"):
        health = await site.until(lambda one=service: site.operator.get(f"services/{one}/health"))
        assert health.status_code == 200, health.text


async def test_a_person_logs_in_starts_a_server_and_computes(site: Site) -> None:
    async with Person(site, "dwho") as person:
        await person.log_in()
        began = time.monotonic()
        await person.start("pycoa")
        print(f"\nready {time.monotonic() - began:.1f} s after the form was sent")
        async with person.kernel() as kernel:
            assert await kernel.run("6 * 7") == "42"
            assert await kernel.run("open('/home/jovyan/kept', 'w').write('mine')") == "4"
    await site.until(lambda: site.open_intervals() == 1)


async def test_policies_let_through_what_was_seen_to_answer_and_keep_servers_from_the_rest(site: Site) -> None:
    """The cluster's network enforces none: what they say is computed, with the pods' own labels."""
    reaches = site.release.reaches
    (server,) = site.release.pods("singleuser-server")
    assert server["metadata"]["labels"]["app"] == "jupyterhub", "the chart's policies take it"
    assert all(reaches("proxy", "hub", port) for port in (8081, 8101, 8102))
    assert reaches("hub", "proxy", 8001), "its API"
    assert reaches("proxy", "singleuser-server", 8888)
    assert reaches("hub", "singleuser-server", 8888)
    assert reaches("singleuser-server", "hub", 8081)
    assert not any(reaches("singleuser-server", "hub", port) for port in (8101, 8102, 8103)), "not the services"
    assert not reaches("singleuser-server", "proxy", 8001)
    assert not reaches("singleuser-server", "singleuser-server", 8888)


async def test_a_hub_that_is_killed_comes_back_and_the_server_is_kept(site: Site) -> None:
    release = site.release
    (server,) = release.pods("singleuser-server")
    (hub,) = release.pods("hub")
    async with Person(site, "dwho") as person:
        await person.log_in()
        async with person.kernel() as kernel:
            await kernel.run("kept = 'before'")
            began = time.monotonic()
            gone = ("delete", "pod", hub["metadata"]["name"], "-n", release.namespace, "--grace-period=0", "--force")
            await asyncio.to_thread(release.cluster.kubectl, *gone)
            assert await kernel.run("kept") == "'before'", "the proxy goes on without its hub"
            await asyncio.to_thread(release.wait)
            print(f"\nthe hub answers again after {time.monotonic() - began:.0f} s")
            assert await kernel.run("kept") == "'before'", "on the same websocket"
        assert await person.server_is_ready()
        (now,) = release.pods("singleuser-server")
        assert now["metadata"]["uid"] == server["metadata"]["uid"]
        await person.stop()
    await site.until(lambda: site.open_intervals() == 0)


async def test_the_api_starts_a_server_and_its_home_is_the_persons(site: Site) -> None:
    name = f"dwho@{ORGANIZATION}"
    started = site.operator.post(f"hub/api/users/{name}/server", json={"profile": "calcul", "options": {}})
    assert started.status_code in (201, 202), started.text
    await site.until(lambda: site.operator.get(f"hub/api/users/{name}").json()["servers"].get("", {}).get("ready"))
    (pod,) = site.release.pods("singleuser-server")
    kept = site.release.cluster.exec(site.release.namespace, pod["metadata"]["name"], "cat", "/home/jovyan/kept")
    assert kept.strip() == "mine"
    assert site.operator.delete(f"hub/api/users/{name}/server").status_code in (202, 204)
    await site.until(lambda: not site.operator.get(f"hub/api/users/{name}").json()["servers"])
