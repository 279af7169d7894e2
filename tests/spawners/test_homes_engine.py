"""Homes that an engine keeps: found by label or name, packed, and deleted only by an operator who says so."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.spawners.base import slug
from jupytercloud_hub.spawners.homes_kubernetes import bytes_of, home_of, mounts
from jupytercloud_hub.spawners.homes_swarm import name_pattern, owner
from jupytercloud_hub.spawners.kubernetes_sweep import client_of_cluster
from jupytercloud_hub.spawners.swarm_objects import home_mount
from tests.support.engines import LIGHT
from tests.support.engines_swarm import Swarm

from .sites import until
from .sites_engines import KubernetesSite


@pytest.mark.parametrize(
    ("source", "name", "whose"),
    [
        ("jupytercloud-{hub}-{user}", "jupytercloud-labo-anna", "anna"),
        ("jupytercloud-{hub}-{user}", "jupytercloud-other-anna", None),
        ("jupyterhub-user-{username}", "jupyterhub-user-zo-c3-a9", "zo-c3-a9"),
        ("jupyterhub-user-{username}", "database", None),
        ("one-for-all", "one-for-all", None),
    ],
)
def test_volume_is_a_home_by_its_name(source: str, name: str, whose: str | None) -> None:
    assert owner({"Name": name, "Labels": None}, name_pattern(source, "labo"), "labo") == whose


def test_label_says_more_than_a_name_and_the_spawner_sets_it() -> None:
    labels = {"jupytercloud.hub/hub": "labo", "jupytercloud.hub/user": "anna"}
    mount = home_mount({"type": "volume", "source": "x-{user}", "target": "/h"}, {"user": "anna"}, labels)
    assert mount["VolumeOptions"]["Labels"] == labels
    named = name_pattern("x-{user}", "labo")
    assert owner({"Name": "whatever", "Labels": labels}, named, "labo") == "anna"
    assert owner({"Name": "x-anna", "Labels": labels}, named, "another") is None


@pytest.mark.parametrize(
    ("said", "amount"), [("10Gi", 10 * 1024**3), ("500M", 500_000_000), ("1024", 1024), ("1.5Ki", 1536), ("?", None)]
)
def test_amounts_of_a_cluster_are_bytes(said: str, amount: int | None) -> None:
    assert bytes_of(said) == amount


def claim(name: str, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "labels": {"component": "singleuser-storage", **labels}},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "10Mi"}}},
    }


def test_claims_of_a_stock_hub_are_homes_and_those_of_another_hub_are_not() -> None:
    made = {"creationTimestamp": "2026-01-01T00:00:00Z"}
    stock, other = (
        claim("claim-ben", **{"hub.jupyter.org/username": "ben"}),
        claim("x", **{"jupytercloud.hub/hub": "x"}),
    )
    for one in (stock, other):
        one["metadata"] |= made
    found = home_of(stock, "labo")
    assert found
    assert (found.slug, found.volume, found.size) == ("ben", "claim-ben", 10 * 1024**2)
    assert home_of(other, "labo") is None
    assert mounts({"spec": {"volumes": [{"persistentVolumeClaim": {"claimName": "claim-ben"}}]}}, "claim-ben")


@pytest.mark.engines
def test_volumes_of_a_machine_are_listed_packed_and_deleted_by_hand(
    swarm: Swarm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = f"homes{os.getpid()}"
    settings = {
        "site": {"name": site, "url": "http://127.0.0.1:9/", "state": "state"},
        "spawner": {"backend": "swarm", "swarm": {"reach": "host-port"}},
        "profiles": [{"name": "light", "title": "Light", "image": LIGHT}],
    }
    (tmp_path / "jupytercloud.yaml").write_text(json.dumps(settings))
    monkeypatch.setenv("DOCKER_HOST", swarm.host)

    def homes(*arguments: str, code: int = 0) -> str:
        config = str(tmp_path / "jupytercloud.yaml")
        done = CliRunner().invoke(main, ["homes", *arguments, "--config", config], env={"LANG": "en"})
        assert done.exit_code == code, done.output
        return done.output

    client = swarm.client
    names = {user: f"jupytercloud-{slug(site)}-{user}" for user in ("anna", "ben")}
    for name in names.values():
        client.volumes.create(name)
    try:
        write = "echo mine > /h/notes.txt"
        client.containers.run(LIGHT, ["sh", "-c", write], user="0", volumes=[f"{names['anna']}:/h"], remove=True)
        listed = json.loads(homes("list", "--json"))
        assert [(one["name"], one["volume"], one["machine"]) for one in listed] == [
            (user, name, swarm.nodes[0]) for user, name in names.items()
        ]
        assert all(one["used"] is None for one in listed), "no token: nobody knows"
        homes("list", "--inactive", "1 d", code=2)
        packed = Path(homes("archive", "anna", "--to", str(tmp_path / "away")).strip())
        assert packed.stat().st_mode & 0o777 == 0o600
        with tarfile.open(packed) as tar:
            member = tar.extractfile("anna/notes.txt")
            assert member
            assert member.read() == b"mine\n"
        using = client.containers.create(LIGHT, volumes=[f"{names['ben']}:/h"])
        homes("delete", "ben", "--yes", code=1)
        using.remove()
        homes("delete", "ben", "--yes")
        homes("delete", "nobody", "--yes", code=1)
        assert [one["name"] for one in json.loads(homes("list", "--json"))] == ["anna"]
    finally:
        for volume in client.volumes.list():
            if volume.name in names.values():
                volume.remove(force=True)


@pytest.mark.engines
def test_claims_are_listed_and_deleted_by_hand_and_not_while_a_pod_has_one(
    kubernetes_site: KubernetesSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = kubernetes_site
    settings = json.loads(site.hub.settings.read_text())
    settings["spawner"]["kubernetes"]["home"] = {}
    (tmp_path / "jupytercloud.yaml").write_text(json.dumps(settings))
    monkeypatch.setattr(site.hub, "settings", tmp_path / "jupytercloud.yaml")
    labels = {"jupytercloud.hub/hub": slug(site.name), "jupytercloud.hub/user": "anna"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "uses-it"},
        "spec": {
            "containers": [{"name": "c", "image": LIGHT, "imagePullPolicy": "IfNotPresent"}],
            "volumes": [{"name": "h", "persistentVolumeClaim": {"claimName": "claim-anna"}}],
            "terminationGracePeriodSeconds": 1,
        },
    }
    site.cluster.apply(claim("claim-anna", **labels), pod, namespace=site.namespace)
    (listed,) = site.operate(0, "homes", "list")
    assert (listed["name"], listed["volume"], listed["bytes"]) == ("anna", "claim-anna", 10 * 1024**2)
    assert listed["used"] is not None, "when the hub saw anna last"
    assert site.operate(0, "homes", "list", "--inactive", "1 d") == []
    site.command(1, "homes", "delete", "anna", "--yes")
    site.cluster.kubectl("delete", "pod", "uses-it", "-n", site.namespace, "--grace-period=0", "--force")
    site.command(0, "homes", "delete", "anna", "--yes")
    until(lambda: site.operate(0, "homes", "list") == [])


async def test_the_cluster_is_the_one_that_kubeconfig_names_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "another"):
        (tmp_path / name).write_text(
            f"""
apiVersion: v1
kind: Config
current-context: here
contexts: [{{name: here, context: {{cluster: here, user: hub}}}}]
clusters: [{{name: here, cluster: {{server: "https://{name}.example"}}}}]
users: [{{name: hub, user: {{token: x}}}}]
"""
        )
    for name in ("one", "another"):
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / name))
        async with await client_of_cluster() as client:
            assert client.configuration.host == f"https://{name}.example"
