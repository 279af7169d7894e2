import pytest
from pydantic import ValidationError

from jupytercloud_hub.profiles.options import FreeText, Option, check_all, in_registries
from jupytercloud_hub.profiles.refusal import Refused

SIZE = Option.model_validate({"name": "size", "title": "Size", "choices": ["small", {"value": "big", "title": "Big"}]})
TAG = Option.model_validate({"name": "tag", "title": "Tag", "text": {"pattern": "[a-z]+", "max_length": 5}})
BOTH = Option.model_validate({"name": "both", "title": "Both", "choices": ["1.0"], "text": {"pattern": r"\d\.\d"}})
OWN = Option.model_validate(
    {
        "name": "image",
        "title": "Image",
        "image": True,
        "text": {"pattern": r"[\w./:@-]+", "registries": ["registry.example.fr/team", "docker.io/jupyter"]},
    }
)


@pytest.mark.parametrize(
    ("option", "value", "accepted"),
    [
        (SIZE, "small", True),
        (SIZE, "big", True),
        (SIZE, "huge", False),
        (SIZE, ["small"], False),
        (SIZE, None, False),
        (TAG, "abc", True),
        (TAG, "abc1", False),
        (TAG, "abc\n", False),
        (TAG, "abcdef", False),
        (BOTH, "1.0", True),
        (BOTH, "2.5", True),
        (BOTH, "2.55", False),
        (OWN, "registry.example.fr/team/lab:1", True),
        (OWN, "registry.example.fr/other/lab:1", False),
    ],
)
def test_value_is_accepted_only_as_a_whole(option: Option, value: object, accepted: bool) -> None:
    if accepted:
        assert option.check(value) == value
    else:
        with pytest.raises(Refused):
            option.check(value)


@pytest.mark.parametrize(
    ("image", "inside"),
    [
        ("registry.example.fr/team/lab:1", True),
        ("REGISTRY.example.fr/team/lab", True),
        ("registry.example.fr/team/a/b@sha256:00", True),
        ("registry.example.fr/team-of-others/lab", False),
        ("registry.example.fr.evil.org/team/lab", False),
        ("registry.example.fr/team", True),
        ("registry.example.fr/team/../other/lab", False),
        ("registry.example.fr//team/lab", False),
        ("evil.org/registry.example.fr/team/lab", False),
        ("jupyter/base-notebook", True),
        ("docker.io/jupyter/base-notebook:latest", True),
        ("python", False),
        ("localhost/jupyter/x", False),
    ],
)
def test_registries_are_compared_by_whole_parts_of_the_name(image: str, inside: bool) -> None:
    assert in_registries(image, ("registry.example.fr/team", "docker.io/jupyter")) is inside


def test_defaults_are_filled_in_and_unknown_options_refused() -> None:
    assert check_all((SIZE, BOTH), {}) == {"size": "small", "both": "1.0"}
    assert check_all((SIZE,), {"size": ""}) == {"size": "small"}
    with pytest.raises(Refused, match="no option"):
        check_all((SIZE,), {"colour": "red"})
    with pytest.raises(Refused, match="fill in"):
        check_all((TAG,), {})


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"choices": []}, "cannot be answered"),
        ({"choices": ["a", "a"]}, "stands in choices twice"),
        ({"choices": ["a"], "default": "b"}, "default among the choices"),
        ({"choices": ["a"], "variable": "JUPYTERHUB_USER"}, "set by the hub itself"),
        ({"choices": [{"value": "a", "environment": {"JPY_X": "1"}}]}, "set by the hub itself"),
    ],
)
def test_options_that_cannot_work_are_mistakes(given: dict[str, object], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        Option.model_validate({"name": "a", "title": "A", **given})


def test_pattern_that_python_cannot_read_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="not a regular expression"):
        FreeText(pattern="(")
