"""Token buckets: a burst, then a steady rate, for each caller on its own."""

from jupytercloud_hub.federation.ratelimit import RateLimit


def test_a_burst_goes_through_and_then_a_steady_rate():
    limit = RateLimit(rate=2, burst=5)
    assert [limit.wait("a", 0) for _ in range(5)] == [0] * 5
    assert limit.wait("a", 0) == 0.5
    assert limit.wait("a", 0.5) == 0
    assert limit.wait("a", 0.5) == 0.5
    assert [limit.wait("a", 100) for _ in range(6)].count(0) == 5


def test_one_caller_does_not_use_up_what_another_has():
    limit = RateLimit(rate=1, burst=1)
    assert limit.wait("a", 0) == 0
    assert limit.wait("a", 0) > 0
    assert limit.wait("b", 0) == 0


def test_it_remembers_no_more_callers_than_it_may():
    limit = RateLimit(rate=1, burst=1, callers=100)
    for number in range(1000):
        limit.wait(str(number), 0)
    assert len(limit._buckets) == 100


def test_a_clock_that_goes_back_gives_nothing():
    limit = RateLimit(rate=1, burst=1)
    limit.wait("a", 10)
    assert limit.wait("a", 5) > 0


async def test_who_asks_too_often_is_told_when_to_come_back(portal):
    portal.service.limit = RateLimit(rate=0.5, burst=3)
    answers = [await portal.get("api/v1/status", person=None) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert (await portal.get("go/hub/")).status_code == 302
