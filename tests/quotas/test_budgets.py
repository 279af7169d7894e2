"""Which budget counts, and whether one more server fits: tables of cases."""

from datetime import UTC, date, datetime, timedelta

import pytest

from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.contracts.server_record import Resources
from jupytercloud_hub.quotas.budgets import (
    Account,
    Holding,
    Standing,
    accounts_of,
    budget_of,
    judge,
    levels_reached,
    stop_at,
)
from jupytercloud_hub.quotas.pricing import from_hours, use
from jupytercloud_hub.quotas.windows import Span
from jupytercloud_hub.settings.quotas import Budget, Concurrent, Limit

RESET = datetime(2026, 11, 30, 23, tzinfo=UTC)
NOVEMBER = Span(date(2026, 11, 1), date(2026, 12, 1), RESET)
ANNA = Person(
    username="anna",
    home_organization="univ-grenoble-alpes.fr",
    affiliations=("member", "student"),
    groups=("m2-stat", "cours"),
)
BUDGETS = (
    Budget(name="guests", names=("guest-*",)),
    Budget(name="students", affiliations=("student",), organizations=("*-grenoble-*",)),
    Budget(name="everyone"),
    Budget(name="masters", account="group", names=("m2-*",)),
    Budget(name="grenoble", account="organization", names=("univ-grenoble-alpes.fr",)),
    Budget(name="hub", account="hub"),
)


def test_a_server_is_charged_to_its_owner_first_then_to_all_she_belongs_to():
    assert accounts_of(ANNA, "grenoble") == (
        Account("person", "anna"),
        Account("group", "cours"),
        Account("group", "m2-stat"),
        Account("organization", "univ-grenoble-alpes.fr"),
        Account("hub", "grenoble"),
    )
    assert accounts_of(Person(username="x"), "h") == (Account("person", "x"), Account("hub", "h"))


@pytest.mark.parametrize(
    ("number", "account", "person", "budget"),
    [
        (1, Account("person", "anna"), ANNA, "students"),
        (2, Account("person", "guest-7"), Person(username="guest-7"), "guests"),
        (3, Account("person", "bea"), Person(username="bea", affiliations=("student",)), "everyone"),
        (4, Account("person", "gone"), None, "everyone"),
        (5, Account("group", "m2-stat"), ANNA, "masters"),
        (6, Account("group", "cours"), ANNA, None),
        (7, Account("organization", "univ-grenoble-alpes.fr"), ANNA, "grenoble"),
        (8, Account("organization", "ens.fr"), ANNA, None),
        (9, Account("hub", "grenoble"), None, "hub"),
    ],
)
def test_the_first_budget_that_matches_counts(number, account, person, budget):
    found = budget_of(account, person, BUDGETS)
    assert (found.name if found else None) == budget


def standing(used=0.0, held=0.0, granted=0.0, account=Account("person", "anna"), **limit):  # noqa: B008
    limit = Limit(**{"hard": True, **limit})
    budget = Budget(name="students", account=account.kind, limits=(limit,))
    amounts = [from_hours(limit.measure, amount) for amount in (used, held, granted)]
    return Standing(account, budget, limit, NOVEMBER, *amounts)


CPU = Resources(cpu=2, memory=2**30)
GPU = Resources(cpu=2, memory=2**30, gpu=1, gpu_type="a100")


@pytest.mark.parametrize(
    ("number", "resources", "standings", "refused_by"),
    [
        (1, CPU, [], None),
        (2, CPU, [standing(units=10, used=9)], None),
        (3, CPU, [standing(units=10, used=9.5)], "units"),
        (4, CPU, [standing(units=10, used=9.5, hard=False)], None),
        (5, CPU, [standing(units=10, used=9, held=0.5)], "units"),
        (6, CPU, [standing(units=10, used=12, granted=3)], None),
        (7, CPU, [standing(units=10, used=12)], "units"),
        (8, CPU, [standing(gpu_hours=0)], None),
        (9, GPU, [standing(gpu_hours=0)], "gpu_hours"),
        (10, GPU, [standing(gpu_hours=0, gpu_type="t4")], None),
        (
            11,
            CPU,
            [standing(cpu_hours=1), standing(cpu_hours=1, used=0.5, account=Account("group", "g"))],
            "cpu_hours",
        ),
        (12, Resources(cpu=0, memory=0), [standing(units=0)], None),
        (13, CPU, [standing(units=0)], "units"),
    ],
)
def test_a_start_needs_half_an_hour_of_itself_in_every_hard_limit(number, resources, standings, refused_by):
    # two cores at one unit each: half an hour is one unit and one core-hour, and half a GPU-hour with a GPU
    refused = judge(resources, use(resources, 1800, int(resources.cpu * 1_000_000)), standings, [])
    assert (refused.refusal.measure if refused else None) == refused_by


def test_a_refusal_says_what_is_left_asked_and_when_it_resets():
    refused = judge(CPU, use(CPU, 1800, 2_000_000), [standing(units=10, used=9.25, held=0.25, granted=0)], [])
    refusal = refused.refusal
    assert (refusal.rule, refusal.account, refusal.name) == ("students", "person", "anna")
    assert (refusal.limit, refusal.used, refusal.asked, refusal.resets) == (10, 9.5, 1, RESET)


@pytest.mark.parametrize(
    ("number", "most", "holding", "resources", "refused_by"),
    [
        (1, Concurrent(), Holding(9, 99_000, 9), GPU, None),
        (2, Concurrent(servers=2), Holding(1), CPU, None),
        (3, Concurrent(servers=2), Holding(2), CPU, "servers"),
        (4, Concurrent(cpu=4), Holding(1, 2000), CPU, None),
        (5, Concurrent(cpu=3.9), Holding(1, 2000), CPU, "cpu"),
        (6, Concurrent(gpu=1), Holding(1, 0, 1), GPU, "gpu"),
        (7, Concurrent(gpu=0), Holding(), CPU, None),
        (8, Concurrent(servers=0), Holding(), CPU, "servers"),
        (9, Concurrent(cpu=0.3), Holding(2, 200), Resources(cpu=0.1, memory=0), None),
    ],
)
def test_what_runs_at_the_same_time_is_always_a_hard_limit(number, most, holding, resources, refused_by):
    budget = Budget(name="b", concurrent=most)
    refused = judge(resources, use(resources, 1800, 0), [], [(Account("person", "anna"), budget, holding)])
    assert (refused.refusal.measure if refused else None) == refused_by
    if refused:
        assert refused.refusal.resets is None


@pytest.mark.parametrize(
    ("number", "used", "levels"),
    [(1, 0, ()), (2, 7.99, ()), (3, 8, (80,)), (4, 9.99, (80,)), (5, 10, (80, 100)), (6, 30, (80, 100))],
)
def test_people_are_warned_at_eighty_and_a_hundred_percent(number, used, levels):
    assert levels_reached(standing(units=10, used=used), (100, 80)) == levels


def test_a_hard_limit_stops_after_its_grace_and_a_soft_one_or_a_grant_never():
    noticed = datetime(2026, 11, 20, 9, tzinfo=UTC)
    grace = timedelta(minutes=5)
    assert stop_at(standing(units=10, used=10, grace=grace), noticed) == noticed + grace
    assert stop_at(standing(units=10, used=10), None) is None
    assert stop_at(standing(units=10, used=9.9), noticed) is None
    assert stop_at(standing(units=10, used=11, granted=2), noticed) is None
    assert stop_at(standing(units=10, used=11, hard=False), noticed) is None
