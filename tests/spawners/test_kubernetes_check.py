"""What ``jupytercloud check`` finds at a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from jupytercloud_hub.profiles.catalogue import Profile
from jupytercloud_hub.settings.spawner import SpawnerSettings
from jupytercloud_hub.spawners import kubernetes_check
from jupytercloud_hub.spawners.kubernetes_check import machines_lacking, missing_rights
from tests.support import ROOT

from .sites_engines import KubernetesSite

FILE = "kubernetes_asyncio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
"""The client reads KUBECONFIG when it is imported, which may have been long ago."""


def shipped() -> list[dict[str, Any]]:
    with (ROOT / "config" / "kubernetes" / "hub-role.yaml").open() as file:
        return next(entry["rules"] for entry in YAML(typ="safe").load_all(file) if entry["kind"] == "Role")


@pytest.mark.parametrize(
    ("rules", "lacks"),
    [
        (shipped(), []),
        ([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}], []),
        ([*shipped()[:1], *shipped()[2:]], ["get pods/log"]),
        ([{**rule, "verbs": [verb for verb in rule["verbs"] if verb != "watch"]} for rule in shipped()],
         ["watch pods", "watch persistentvolumeclaims", "watch services", "watch secrets", "watch events"]),
        ([{**rule, "apiGroups": ["apps"]} for rule in shipped()], None),
    ],
)  # fmt: skip
def test_rights_that_the_role_lacks_are_named(rules: list[dict[str, Any]], lacks: list[str] | None) -> None:
    found = missing_rights(rules)
    assert (found == lacks) if lacks is not None else len(found) == 24


def settings(**kubernetes: Any) -> SpawnerSettings:
    return SpawnerSettings.model_validate(
        {
            "backend": "kubernetes",
            "gpus": {"a100": {"most": 2}},
            "node_classes": {"big": {"kubernetes": {"node_selector": {"memory": "big"}}}},
            "kubernetes": kubernetes,
        }
    )


def test_classes_and_gpus_that_no_machine_has_are_warnings() -> None:
    node = {"metadata": {"labels": {"memory": "big"}}, "status": {"allocatable": {"nvidia.com/gpu": "1"}}}
    (found,) = machines_lacking([node], settings())
    assert "2 × GPU a100 (nvidia.com/gpu); the most is 1" in str(found.what)
    assert len(list(machines_lacking([], settings()))) == 2


async def test_cluster_that_is_away_is_an_error_with_its_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(FILE, str(tmp_path / "nothing"))
    (found,) = await kubernetes_check.look(settings(namespace="labo"))
    assert found.status == "error"
    assert "KUBECONFIG" in str(found.mend)


@pytest.mark.engines
async def test_real_cluster_is_looked_at_with_the_hubs_own_rights_and_with_more(
    kubernetes_site: KubernetesSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site = kubernetes_site
    corpus = {"name": "a", "title": "A", "volumes": [{"source": "corpus", "target": "/corpus"}]}
    wanted, profiles = settings(namespace=site.namespace, home={"claim": "homes"}), [Profile.model_validate(corpus)]

    async def said(account: Path | str) -> list[tuple[str, str]]:
        monkeypatch.setattr(FILE, str(account))
        return [(found.status, str(found.what)) for found in await kubernetes_check.look(wanted, profiles)]

    first, *found = await said(site.environment["KUBECONFIG"])
    assert first[0] == "ok"
    assert found == [
        ("ok", f"the account has its rights in {site.namespace}"),
        ("error", f"there is no claim corpus in {site.namespace}"),
        ("skipped", "whether machines have the labels and GPUs that profiles name was not looked at"),
    ]
    found = await said(site.cluster.kubeconfig)
    assert ("warning", "no machine of the cluster is of the class big") in found
    (without,) = [rule for rule in shipped() if rule["resources"] == ["pods/log"]]
    less = site.cluster.account(site.namespace, tmp_path, [without], name="less")
    assert any(status == "error" and "may not: get pods, watch pods" in what for status, what in await said(less))
