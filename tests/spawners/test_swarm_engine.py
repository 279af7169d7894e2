"""What is Swarm's own, on a real Swarm of two machines; what all backends share is in ``test_contract.py``."""

from __future__ import annotations

import pytest

from .sites import until
from .sites_engines import SwarmSite

pytestmark = [pytest.mark.engines, pytest.mark.timeout(500)]


@pytest.fixture(autouse=True)
def nobody_runs(swarm_site: SwarmSite) -> None:
    swarm_site.stop(*swarm_site.servers())


def test_service_is_a_dns_label_with_labels_and_one_whose_server_ended_is_removed(swarm_site: SwarmSite) -> None:
    swarm_site.run("anna", "light")
    spec = swarm_site.service("anna")["Spec"]
    assert len(spec["Name"]) <= 63
    assert spec["Labels"]["jupytercloud.hub/profile"] == "light"
    assert spec["TaskTemplate"]["RestartPolicy"]["Condition"] == "none"
    swarm_site.inside("anna", "(sleep 1; kill 1) >/dev/null 2>&1 &")  # after the command's own end was told
    until(lambda: swarm_site.server("anna") is None and swarm_site.held() == {})


def test_machine_that_is_lost_is_noticed_and_its_person_starts_again_with_her_files(swarm_site: SwarmSite) -> None:
    swarm_site.run("anna", "second")
    swarm_site.inside("anna", "echo kept > kept.txt")
    try:
        swarm_site.swarm.kill("node2")
        until(lambda: swarm_site.server("anna") is None and swarm_site.held() == {})
        assert "The machine of this server was lost." in swarm_site.hub.words()
        swarm_site.run("anna", "light")
        assert swarm_site.node("anna") == "node1"
        assert swarm_site.inside("anna", "cat kept.txt") == "kept\n"
        swarm_site.stop("anna")
    finally:
        swarm_site.swarm.revive()
