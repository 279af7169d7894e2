"""One catalogue, one test, three backends: what a profile says holds everywhere, or the table says that it does not.

`jupytercloud_hub.profiles.features` is that table; where it says ``not enforced`` or ``not given``, so much is shown.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress

import httpx
import pytest

from tests.support.engines import LIGHT, NOTEBOOK
from tests.support.engines_cvmfs import REPOSITORIES, cvmfs

from .catalogue import LOST
from .sites import Site, until
from .sites_engines import repositories

pytestmark = pytest.mark.timeout(500)


@pytest.fixture(
    params=[
        "local",
        pytest.param("swarm", marks=pytest.mark.engines),
        pytest.param("kubernetes", marks=pytest.mark.engines),
    ],
    scope="module",
)
def site(request: pytest.FixtureRequest) -> Site:
    return request.getfixturevalue(f"{request.param}_site")


def test_server_gets_limits_and_environment_tells_its_progress_and_leaves_nothing_but_its_home(site: Site) -> None:
    assert site.start("anna", "light").status_code in (201, 202)
    said = site.told("anna")
    assert said[-1]["ready"], said
    assert said[-1]["message"] == "Votre serveur est prêt."
    server = site.server("anna")
    assert server["state"]["jupytercloud"] == {
        "profile": "light",
        "options": {},
        "resources": {"cpu": 0.5, "memory": 64 << 20, "gpu": 0, "gpu_type": None},
    }
    assert site.limits("anna") == ([str(64 << 20), "50000"] if site.gives("limits") else None)
    assert site.inside("anna", "echo $COLOUR $JUPYTERHUB_USER").split() == ["blue", "anna"]
    (listed,) = site.operate(0, "servers", "list")
    assert (listed["user"], listed["profile"], listed["known"]) == ("anna", "light", True)
    site.stop("anna", patiently=True)
    until(lambda: site.held() == {})


def test_home_is_kept_and_goes_with_the_person_to_the_class_of_machines_that_the_profile_names(site: Site) -> None:
    site.run("anna", "first")
    first = site.node("anna")
    site.inside("anna", "echo mine > work.txt")
    if site.gives("image"):
        assert site.inside("anna", "stat -c %u:%g:%a .") == "1000:0:770\n", "the hub made it"
    site.stop("anna")
    site.run("anna", "second")
    assert site.inside("anna", "cat work.txt") == "mine\n"
    nodes = ("node1", "node2") if site.gives("placement") else (first, first)
    assert (first, site.node("anna")) == nodes
    site.stop("anna")


def test_shared_data_scratch_and_software_that_is_mounted_after_the_start(site: Site) -> None:
    with cvmfs(site.backend) if site.gives("cvmfs") else nullcontext():
        site.run("anna", "data")
        places = ("/data", "/scratch") if site.gives("shared data") else ("data", "scratch")
        data, scratch = places
        assert site.inside("anna", f"cat {data}/read-me") == "shared"
        refused = "Read-only file system" in site.inside("anna", f"touch {data}/mine")
        assert refused is site.gives("shared data")
        assert site.inside("anna", f"touch {scratch}/mine && ls {scratch}") == "mine\n"
        mounts = site.inside("anna", "cat /proc/self/mountinfo").splitlines()
        if site.gives("shm"):
            assert [line for line in mounts if " /dev/shm " in line and "tmpfs" in line]
        if site.gives("cvmfs"):
            assert ["master:" in line for line in mounts if " /cvmfs " in line] == [True]
            node = site.node("anna")
            assert repositories(site, node) == []
            assert site.inside("anna", f"cat /cvmfs/{REPOSITORIES[0]}/NAME").strip() == REPOSITORIES[0]
            assert repositories(site, node) == [REPOSITORIES[0]]
        site.stop("anna")
    if not site.gives("image"):  # a container's is its own; a process's is a folder that somebody has to remove
        site.run("anna", "light")
        assert "mine" not in site.inside("anna", f"ls {scratch}")
        site.stop("anna")


def test_gpu_lands_where_one_is_and_who_comes_next_waits_and_is_told(site: Site) -> None:
    with site.gpu():
        site.run("anna", "gpu")
        assert site.start("ben", "gpu").status_code < 400
        said = site.told("ben")
        if site.gives("gpu"):
            assert site.node("anna") == "node2"
            assert any(event["message"].startswith("Aucune machine n’a de") for event in said), said
            assert said[-1].get("failed")
        else:
            assert said[-1].get("ready"), "every server sees all GPUs of the machine"
            site.stop("ben")
        site.stop("anna")
    until(lambda: site.held() == {})


@pytest.mark.parametrize(
    ("profile", "said", "feature"),
    [
        ("failing", ["no licence left"], None),
        ("lost", ["No such image", "L’image ne peut pas être téléchargée."], "image"),
        ("nowhere", ["scheduling constraints not satisfied", "didn't match"], "placement"),
        ("odd", ["no_such_trait"], "limits"),
    ],
)
def test_failed_start_tells_the_engines_reason_and_leaves_nothing(
    site: Site, profile: str, said: list[str], feature: str | None
) -> None:
    if feature is None or site.gives(feature):
        told = site.failure("ben", profile).replace("&#x27;", "'")
        assert any(words in told for words in said), told
        site.hurry(["ben"])
    else:
        site.run("ben", profile)
        site.stop("ben")
    until(lambda: site.server("ben") is None and site.held() == {})


def test_own_image_is_refused_outside_of_the_allowed_registry(site: Site) -> None:
    answer = site.start("ben", "own", image="docker.io/evil/miner")
    assert answer.status_code == 403
    assert "ne vient pas d’un registre autorisé" in answer.json()["message"]
    assert site.held() == {}


def test_hub_that_is_killed_takes_all_its_servers_over_when_it_is_back(site: Site) -> None:
    people = ("anna", "ben", "cleo")
    with ThreadPoolExecutor(3) as pool:
        before = {
            name: server["started"]
            for name, server in zip(people, pool.map(site.run, people, ["light"] * 3), strict=True)
        }
    things = site.held()
    assert set(things) == set(people)
    site.kill()
    site.back()
    assert {name: server["started"] for name, server in site.servers().items() if server["ready"]} == before
    assert site.held() == things
    assert site.operate(0, "servers", "sweep", "--grace", "0 s")["orphans"] == []
    site.stop(*people)
    until(lambda: site.held() == {})


def test_sweep_after_a_kill_in_the_middle_of_twenty_starts_leaves_nothing_and_loses_nothing(site: Site) -> None:
    names = [f"u{number}" for number in range(20)]
    site.run("u0", "light")
    kept = site.held()["u0"]

    def start(name: str) -> None:
        with suppress(httpx.TransportError):  # the hub is killed meanwhile: that is the test
            site.start(name, "slow")

    with ThreadPoolExecutor(19) as pool:
        starts = [pool.submit(start, name) for name in names[1:]]
        until(lambda: len(site.held()) >= 8)
        site.kill()
        for started in starts:
            started.result()
    forgotten = sorted(site.held().keys() - {"u0"})[:4]  # engines differ in how early the hub writes a start down
    site.forget(*forgotten)
    site.back()
    orphans = {thing["user"] for thing in site.operate(1, "servers", "sweep", "--grace", "0 s")["orphans"]}
    assert orphans >= set(forgotten)
    assert "u0" not in orphans
    assert site.operate(0, "servers", "sweep", "--grace", "1 d", "--remove")["orphans"] == [], "grace is kept"
    assert site.operate(0, "servers", "sweep", "--grace", "0 s", "--remove")["removed"]
    site.hurry(forgotten)
    until(lambda: set(site.held()) == set(site.servers()))
    assert site.servers()["u0"]["ready"]
    assert site.held()["u0"] == kept
    site.stop(*site.servers())
    until(lambda: site.held() == {})


@pytest.mark.parametrize(("profile", "version"), [("notebook", "6."), ("hub5", "5.")])
def test_real_server_of_either_jupyterhub_opens_its_page_and_asks_the_hub_who_comes(
    site: Site, profile: str, version: str
) -> None:
    site.run("cleo", profile)
    server = f"{site.hub.url}user/cleo/"
    token = site.client.post("users/cleo/tokens", json={}).json()["token"]
    with httpx.Client(trust_env=False, timeout=60) as client:
        assert client.get(f"{server}api").headers["X-JupyterHub-Version"].startswith(version)
        assert "/lab/tree/first.ipynb" in client.get(server).headers["Location"]
        known = client.get(f"{server}api/kernels", headers={"Authorization": f"token {token}"})
        stranger = client.get(f"{server}api/kernels", headers={"Authorization": "token nobodys"})
    assert (known.status_code, known.json()) == (200, [])
    assert stranger.status_code in (401, 403)
    site.stop("cleo")


def test_images_of_the_catalogue_are_on_every_machine_before_somebody_waits_for_them(site: Site) -> None:
    operator = site.images_operator()
    if not site.gives("image"):
        site.operate(2, "images", "prepull")
        return
    try:
        found = site.operate(1, "images", "prepull", "--wait", "90 s", **operator)
        states = {(one["image"], one["node"]): one["state"] for one in found}
        wanted = {LIGHT: "there", NOTEBOOK: "there", LOST: "failed"}
        assert states == {(image, node): state for image, state in wanted.items() for node in ("node1", "node2")}
        assert all(one["engine"] for one in found if one["state"] == "failed"), "the engine's own reason"
        assert [one["state"] for one in site.operate(1, "images", "status", **operator)] == [
            one["state"] for one in found
        ]
        assert site.held() == {}, "no sweep takes them for servers"
    finally:
        assert site.operate(0, "images", "remove", **operator)["removed"] >= 1
    until(lambda: site.operate(0, "images", "status", **operator) == [])
