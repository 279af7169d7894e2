"""How many more servers fit."""

from hypothesis import given
from hypothesis import strategies as st

from jupytercloud_hub.contracts.server_record import ServerRecord
from jupytercloud_hub.profiles.catalogue import Profile
from jupytercloud_hub.profiles.places import free_places

LAB = Profile(name="lab", title="Lab")
ONE = Profile(name="one", title="1 GPU", resources={"gpu": 1, "gpu_type": "a100"})
TWO = Profile(name="two", title="2 GPU", resources={"gpu": 2, "gpu_type": "a100"})
ANY = Profile(name="any", title="a GPU", resources={"gpu": 1})


def server(profile: Profile) -> ServerRecord:
    return ServerRecord(profile=profile.name, resources=profile.resources.counted())


def test_what_nobody_counted_is_not_known():
    free = free_places([LAB, ONE], {}, {}, [server(LAB)])
    assert free.of("lab") is None
    assert free.of("one") is None


def test_a_profile_has_no_more_places_than_the_whole_site():
    free = free_places([LAB, ONE], {"*": 3, "lab": 5}, {}, [server(LAB), None])
    assert free.profiles == {"*": 1, "lab": 4}
    assert free.of("lab") == 1
    assert free.of("one") == 1


def test_gpus_that_are_held_leave_fewer_places_to_every_profile_of_their_type():
    free = free_places([LAB, ONE, TWO], {}, {"a100": 4}, [server(TWO), server(ONE)])
    assert free.gpus == {"a100": 1}
    assert (free.of("one"), free.of("two"), free.of("lab")) == (1, 0, None)


def test_a_profile_that_takes_any_gpu_is_counted_where_there_is_one_type():
    assert free_places([ANY], {}, {"a100": 2}, [server(ANY)]).of("any") == 1
    assert free_places([ANY], {}, {"a100": 2, "v100": 2}, [server(ANY)]).of("any") is None


def test_fewer_places_than_gpus_can_be_declared():
    assert free_places([ONE], {"one": 1}, {"a100": 4}, []).of("one") == 1


@given(
    places=st.dictionaries(st.sampled_from(["*", "lab", "one", "two"]), st.integers(0, 5)),
    gpus=st.dictionaries(st.sampled_from(["a100", "v100"]), st.integers(0, 8)),
    running=st.lists(st.sampled_from([None, server(LAB), server(ONE), server(TWO), server(ANY)]), max_size=20),
)
def test_nothing_is_ever_below_zero_and_one_more_server_never_frees_a_place(places, gpus, running):
    before = free_places([LAB, ONE, TWO, ANY], places, gpus, running)
    after = free_places([LAB, ONE, TWO, ANY], places, gpus, [*running, server(ONE)])
    for name in ("lab", "one", "two", "any"):
        assert before.of(name) is None or 0 <= after.of(name) <= before.of(name)
