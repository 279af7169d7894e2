"""What is Kubernetes' own, on a real cluster; what all backends share is in ``test_contract.py``.

The hub's account has the smallest role that is shipped (``config/kubernetes/hub-role.yaml``) and no other right.
"""

from __future__ import annotations

from typing import Any

import pytest

from .catalogue import STRICT_UID
from .sites import until
from .sites_engines import KubernetesSite

pytestmark = [pytest.mark.engines, pytest.mark.timeout(500)]

KERNEL = """
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel()
client.execute_interactive("import os; print(6 * 7, os.getuid(), os.getgid())", timeout=60)
client.stop_channels()
manager.shutdown_kernel()
"""


def test_pod_sets_nothing_that_openshift_refuses(kubernetes_site: KubernetesSite) -> None:
    kubernetes_site.run("anna", "light")
    pod = kubernetes_site.pod("anna")
    labels, spec = pod["metadata"]["labels"], pod["spec"]
    (container,) = spec["containers"]
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert spec.get("securityContext") in (None, {})
    assert spec["restartPolicy"] == "Never"
    assert not spec["automountServiceAccountToken"]
    assert all("hostPath" not in volume for volume in spec["volumes"])
    assert labels["app.kubernetes.io/managed-by"] == "jupytercloud-hub"
    assert labels["jupytercloud.hub/profile"] == "light"
    kubernetes_site.stop("anna")


def test_kernel_runs_with_an_arbitrary_uid_of_gid_0_a_read_only_root_and_no_capability(
    kubernetes_site: KubernetesSite,
) -> None:
    site = kubernetes_site
    site.run("ben", "strict")
    (container,) = site.pod("ben")["spec"]["containers"]
    context: dict[str, Any] = container["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (STRICT_UID, 0)
    assert context["readOnlyRootFilesystem"]
    status = site.inside("ben", "cat /proc/self/status")
    sets = [line.split()[1] for line in status.splitlines() if line.startswith(("CapPrm", "CapEff", "CapBnd"))]
    assert {int(found, 16) for found in sets} == {0}
    assert "NoNewPrivs:\t1" in status
    assert "Read-only file system" in site.inside("ben", "touch /opt/mine")
    assert f"42 {STRICT_UID} 0" in site.inside("ben", f"cd && python3 - <<'END'\n{KERNEL}\nEND\n")
    site.stop("ben")


def test_quotas_refusal_is_a_clear_text_and_no_server_error(kubernetes_site: KubernetesSite) -> None:
    site = kubernetes_site
    site.cluster.quota(site.namespace, pods="0")
    try:
        answer = site.start("cleo", "light")
    finally:
        site.cluster.kubectl("delete", "resourcequota", "limit", "-n", site.namespace)
    assert answer.status_code == 409, answer.text
    assert "Le quota de la grappe" in answer.json()["message"]
    assert "exceeded quota" in answer.json()["message"]
    until(lambda: site.server("cleo") is None)


def test_machine_that_does_not_answer_gives_the_server_up_where_the_home_can_move(
    kubernetes_site: KubernetesSite,
) -> None:
    site = kubernetes_site
    site.run("anna", "second")
    site.inside("anna", "echo kept > kept.txt")
    try:
        site.cluster.silence("node2")
        site.stop("anna", patiently=True)
        assert site.held() == {}
        assert "does not answer: its pod is removed by force" in site.hub.words()
        site.run("anna", "first")
        assert site.inside("anna", "cat kept.txt") == "kept\n"
        site.stop("anna")
    finally:
        site.cluster.revive()
