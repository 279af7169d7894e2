"""The images that a catalogue names, and where they are wanted."""

from typing import Any

from pydantic import TypeAdapter

from jupytercloud_hub.cli.images import helm_pre_puller
from jupytercloud_hub.profiles.catalogue import Profiles
from jupytercloud_hub.profiles.images import ANYWHERE, NamedImage, Place, named_images


def named(*profiles: dict[str, Any]) -> list[NamedImage]:
    return named_images(TypeAdapter(Profiles).validate_python([{"title": "T", **profile} for profile in profiles]))


def test_images_of_profiles_and_choices_are_named_once_and_free_text_is_not() -> None:
    own = {"name": "i", "title": "I", "image": True, "choices": ["lab:1"], "text": {"pattern": ".*"}}
    version = {"name": "v", "title": "V", "choices": [{"value": "new", "image": "lab:2"}, "old"]}
    found = named(
        {"name": "base", "abstract": True, "image": "unused:1"},
        {"name": "a", "image": "lab:1", "options": [version]},
        {"name": "b", "extends": "base", "image": "lab:3", "options": [own]},
    )
    assert [(one.image, one.profiles) for one in found] == [("lab:1", ("a", "b")), ("lab:2", ("a",)), ("lab:3", ("b",))]


def test_image_goes_to_the_one_class_of_machines_where_it_runs_else_to_all() -> None:
    gpu = {"gpu": 1, "gpu_type": "a100"}
    found = named(
        {"name": "a", "image": "cuda:1", "node_class": "big", "resources": gpu},
        {"name": "b", "image": "lab:1", "node_class": "big"},
        {"name": "c", "image": "lab:1"},
    )
    assert [one.place for one in found] == [Place("big", "a100"), ANYWHERE]


def test_charts_values_name_repository_and_tag() -> None:
    values = helm_pre_puller(["registry.fr:5000/lab", "quay.io/lab:2026-11", "lab@sha256:abc"])["prePuller"]
    assert list(values["extraImages"].values()) == [
        {"name": "registry.fr:5000/lab", "tag": "latest"},
        {"name": "quay.io/lab", "tag": "2026-11"},
        {"name": "lab@sha256", "tag": "abc"},
    ]
