"""What a backend does not give is said, never passed over."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.profiles.catalogue import Catalogue, Profile, Profiles, Volume
from jupytercloud_hub.profiles.features import TABLE, Support, lacking, link_of
from jupytercloud_hub.profiles.form import FormPlan
from jupytercloud_hub.profiles.resources import Capabilities

FULL: dict[str, Any] = {
    "name": "full",
    "title": "Full",
    "image": "local/light:test",
    "node_class": "big",
    "resources": {"gpu": 1, "shm": "1 GiB", "storage": "10 GiB"},
    "volumes": [
        {"source": "/srv/data", "target": "/data"},
        {"source": "corpus", "target": "/corpus"},
        {"kind": "cvmfs", "target": "/cvmfs"},
        {"kind": "scratch", "target": "/scratch"},
    ],
}


def profile(**keys: Any) -> Profile:
    return Profile.model_validate({**FULL, **keys})


def test_each_feature_says_of_each_backend_how_far_it_goes() -> None:
    assert all(set(row) == {"local", "swarm", "kubernetes"} for row in TABLE.values())


def test_local_processes_say_all_that_they_do_not_give() -> None:
    lacks = list(lacking(profile(), "local"))
    assert {lack.feature for lack in lacks} == {
        "disk", "shm", "gpu", "placement", "image", "shared data", "named volumes",
    }  # fmt: skip
    said = [str(lack.text) for lack in lacks if lack.for_people]
    assert said == [
        "/data is the folder data of your files here.",
        "Nothing but the files' own rights keeps /data from being changed.",
        "/corpus is not there: this site has no volume corpus.",
    ]


def test_containers_give_everything_but_disk_on_swarm() -> None:
    assert [lack.feature for lack in lacking(profile(), "swarm")] == ["disk"]
    assert list(lacking(profile(), "kubernetes")) == []
    assert next(iter(lacking(profile(), "swarm"))).support is Support.NOT_ENFORCED


@pytest.mark.parametrize(
    ("volume", "link"),
    [
        ({"source": "/srv/data", "target": "/data"}, "data"),
        ({"source": "/srv/data", "target": "/home/jovyan/shared/data"}, "shared/data"),
        ({"source": "/data", "target": "/data"}, None),
        ({"kind": "cvmfs", "target": "/cvmfs"}, None),
        ({"kind": "cvmfs", "source": "/mnt/cvmfs", "target": "/cvmfs"}, "cvmfs"),
        ({"kind": "scratch", "target": "/scratch"}, "scratch"),
    ],
)
def test_local_volume_is_at_its_place_or_a_link_in_the_home(volume: dict[str, Any], link: str | None) -> None:
    found = link_of(Volume.model_validate(volume))
    assert (str(found) if found else None) == link


def test_form_says_it_at_the_profile() -> None:
    catalogue = Catalogue(TypeAdapter(Profiles).validate_python([FULL]))
    form = FormPlan(catalogue, Capabilities(backend="local", gpus={"a100": 1})).for_person(Person(username="v"))
    (card,) = form.sections[0].cards
    assert len(card.plan.lacking) == 3
