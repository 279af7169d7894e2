import pytest
from pydantic import ValidationError

from jupytercloud_hub.profiles.resources import Capabilities, ProfileResources

GIB = 1024**3


def test_one_amount_alone_is_the_limit() -> None:
    resources = ProfileResources.model_validate({"cpu": 4, "memory": "16 GiB"})
    assert (resources.cpu.limit, resources.cpu.guarantee) == (4, None)
    assert resources.memory.limit == 16 * GIB


def test_resources_are_said_as_people_read_them() -> None:
    resources = ProfileResources.model_validate({"cpu": 0.5, "memory": "1536 MiB", "gpu": 2, "gpu_type": "a100"})
    assert [str(fact) for fact in resources.facts()] == ["0.5 cores", "1.5 GiB of memory", "2 × GPU a100"]


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"cpu": {"guarantee": 4, "limit": 2}}, "not above the limit"),
        ({"memory": "16G"}, "write 16 GiB"),
        ({"memory": 16}, "with its unit"),
        ({"gpu_type": "a100"}, "gpu is 0"),
        ({"cpu": 0}, "greater than 0"),
        ({"cpu": {}}, "an amount"),
    ],
)
def test_impossible_amounts_are_mistakes(given: object, rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        ProfileResources.model_validate(given)


def test_what_is_counted_is_the_limit_or_else_the_guarantee() -> None:
    resources = ProfileResources.model_validate(
        {"cpu": {"guarantee": 0.5}, "memory": {"guarantee": "1 GiB", "limit": "2 GiB"}}
    )
    counted = resources.counted()
    assert (counted.cpu, counted.memory) == (0.5, 2 * GIB)


@pytest.mark.parametrize(
    ("gpu", "gpu_type", "gpus", "said"),
    [
        (0, None, {}, None),
        (1, "a100", {"a100": 1}, None),
        (1, None, {"a100": 1}, None),
        (1, "a100", {}, "this site has none"),
        (1, "a100", {"t4": 8}, "this site has: t4"),
        (2, "a100", {"a100": 1}, "gives at most 1"),
        (2, None, {"a100": 1, "t4": 4}, None),
    ],
)
def test_shortage_of_gpus_is_told_with_its_reason(
    gpu: int, gpu_type: str | None, gpus: dict[str, int], said: str | None
) -> None:
    shortage = Capabilities(gpus=gpus).shortage(ProfileResources(gpu=gpu, gpu_type=gpu_type))
    assert (said is None and shortage is None) or (said or "") in str(shortage)


def test_class_of_machines_is_only_asked_of_backends_that_place() -> None:
    assert Capabilities(node_classes=None).shortage(ProfileResources(), "big") is None
    assert "big" in str(Capabilities(node_classes=frozenset({"gpu"})).shortage(ProfileResources(), "big"))
