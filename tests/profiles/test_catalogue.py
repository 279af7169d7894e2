from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from jupytercloud_hub.profiles.catalogue import Catalogue, Profile, Profiles

read = TypeAdapter(Profiles).validate_python


def test_extends_merges_mappings_and_replaces_the_rest() -> None:
    base: dict[str, Any] = {
        "name": "base",
        "abstract": True,
        "default": True,
        "title": {"fr": "Base", "en": "Base"},
        "resources": {"cpu": 2, "memory": "4 GiB"},
        "environment": {"A": "1", "B": "2"},
        "access": {"groups": ["a"]},
        "command": ["x"],
    }
    child = {
        "name": "child",
        "extends": "base",
        "title": {"fr": "Enfant"},
        "resources": {"memory": "8 GiB"},
        "environment": {"B": "3"},
        "command": ["y"],
    }
    profile = read([child, base])[0]
    assert profile.title.dump() == {"fr": "Enfant"}
    assert (profile.resources.cpu.limit, profile.resources.memory.limit) == (2, 8 * 1024**3)
    assert profile.environment == {"A": "1", "B": "3"}
    assert profile.command == ("y",)
    assert profile.access[0].groups == ("a",)
    assert not profile.abstract
    assert not profile.default


@pytest.mark.parametrize(
    ("profiles", "place", "rule"),
    [
        (
            [{"name": "a", "extends": "bse", "title": "A"}, {"name": "base", "title": "B"}],
            (0, "extends"),
            "did you mean base",
        ),
        ([{"name": "a", "extends": "a", "title": "A"}], (0, "extends"), "can't extend itself"),
        (
            [{"name": "a", "extends": "b", "title": "A"}, {"name": "b", "extends": "a", "title": "B"}],
            (0, "extends"),
            "can't extend itself",
        ),
        ([{"name": "A", "title": "A"}], (0, "name"), "pattern"),
        (
            [{"name": "a", "title": "A", "files": [{"source": "x", "target": "../x"}]}],
            (0, "files", 0, "target"),
            "inside the home",
        ),
        ([{"name": "a", "title": "A", "volumes": [{"target": "/data"}]}], (0, "volumes", 0), "needs its source"),
    ],
)
def test_mistakes_are_told_at_their_place(profiles: list[dict[str, Any]], place: tuple[Any, ...], rule: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(profiles)
    told = {error["loc"]: error["msg"] for error in caught.value.errors()}
    assert place in told, told
    assert rule in told[place]


def test_choice_that_contradicts_its_profile_is_a_mistake() -> None:
    choice = {"value": "x", "resources": {"cpu": {"guarantee": 8}}}
    with pytest.raises(ValidationError, match="not above the limit"):
        Profile.model_validate(
            {
                "name": "a",
                "title": "A",
                "resources": {"cpu": 4},
                "options": [{"name": "o", "title": "O", "choices": [choice]}],
            }
        )


def test_abstract_profiles_are_not_in_the_catalogue_and_the_only_one_is_the_default() -> None:
    catalogue = Catalogue(read([{"name": "b", "abstract": True, "title": "B"}, {"name": "a", "extends": "b"}]))
    assert [profile.name for profile in catalogue] == ["a"]
    assert catalogue.default is catalogue.get("a")
    assert catalogue.get("b") is None
    assert catalogue.get(["a"]) is None


def test_name_that_stands_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="twice"):
        Catalogue(read([{"name": "a", "title": "A"}, {"name": "a", "title": "A"}]))
