"""The culling rules as tables of cases; every instant is given, nothing sleeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jupytercloud_hub.contracts.stops import StopRequest
from jupytercloud_hub.contracts.text import Localized
from jupytercloud_hub.culling.rules import Action, Judge, KeepRefused, Maintenance, Memory, Server
from jupytercloud_hub.settings.culling import CullingSettings

PARIS = ZoneInfo("Europe/Paris")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)  # a Friday, 13:00 in Paris
MIN = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def settings(*rules: dict[str, Any], **others: Any) -> CullingSettings:
    return CullingSettings.model_validate({"rules": list(rules), **others})


def server(idle: timedelta = timedelta(0), age: timedelta = 2 * HOUR, **others: Any) -> Server:
    fields: dict[str, Any] = {"user": "anna", "name": "", "profile": "pycoa"}
    return Server(**{**fields, "started": NOON - age, "last_activity": NOON - idle, **others})


def judge(*rules: dict[str, Any], now: datetime = NOON, **others: Any) -> Judge:
    kept = {key: others.pop(key) for key in ("maintenance", "settled") if key in others}
    return Judge(settings(*rules, **others), PARIS, now, **kept)


IDLE = {"name": "ordinary", "idle": "1 h", "max_age": "12 h", "warn": "10 min"}


@pytest.mark.parametrize(
    ("number", "idle", "age", "memory", "action", "stops_in"),
    [
        (1, 0 * MIN, 2 * HOUR, Memory(), Action.LEAVE, 60 * MIN),
        (2, 49 * MIN, 2 * HOUR, Memory(), Action.LEAVE, 11 * MIN),
        (3, 50 * MIN, 2 * HOUR, Memory(), Action.WARN, 10 * MIN),
        (4, 55 * MIN, 2 * HOUR, Memory(), Action.WARN, 10 * MIN),
        (5, 55 * MIN, 2 * HOUR, Memory(warned={"rule": NOON - 5 * MIN}), Action.WAIT, 5 * MIN),
        (6, 60 * MIN, 2 * HOUR, Memory(warned={"rule": NOON - 10 * MIN}), Action.STOP, 0 * MIN),
        # the culler was away for hours: the warning comes first, late or not
        (7, 300 * MIN, 6 * HOUR, Memory(), Action.WARN, 10 * MIN),
        (8, 300 * MIN, 6 * HOUR, Memory(warned={"rule": NOON - 9 * MIN}), Action.WAIT, 1 * MIN),
        # she came back after the warning
        (9, 1 * MIN, 2 * HOUR, Memory(warned={"rule": NOON - 9 * MIN}), Action.LEAVE, 59 * MIN),
        # too old, though somebody works on it
        (10, 0 * MIN, 12 * HOUR, Memory(warned={"rule": NOON - 10 * MIN}), Action.STOP, 0 * MIN),
        (11, 0 * MIN, 11 * HOUR + 55 * MIN, Memory(), Action.WARN, 10 * MIN),
        # kept for a while
        (12, 90 * MIN, 3 * HOUR, Memory(kept_until=NOON + 30 * MIN, keeps=1), Action.LEAVE, 30 * MIN),
        (13, 90 * MIN, 3 * HOUR, Memory(kept_until=NOON + 5 * MIN, keeps=1), Action.WARN, 10 * MIN),
    ],
)
def test_a_server_is_left_then_warned_then_stopped(
    number: int, idle: timedelta, age: timedelta, memory: Memory, action: Action, stops_in: timedelta
) -> None:
    verdict = judge(IDLE).judge(server(idle, age), memory)
    assert (verdict.action, verdict.stops_at) == (action, NOON + stops_in), number


@pytest.mark.parametrize(
    ("number", "facts", "rule"),
    [
        (1, {"profile": "gpu-a100", "gpu": 1, "gpu_type": "a100"}, "by-gpu-type"),
        (2, {"profile": "gpu-t4", "gpu": 1, "gpu_type": "t4"}, "by-gpu"),
        (3, {"profile": "tp-python"}, "by-profile"),
        (4, {"groups": ("ecole-doctorale", "maths")}, "by-group"),
        (5, {"organization": "univ-grenoble-alpes.fr"}, "by-organization"),
        (6, {"name": "these"}, "by-server"),
        (7, {"name": ""}, "the-rest"),
        # the order of the file decides, not how narrow a rule is
        (8, {"profile": "tp-python", "groups": ("maths",)}, "by-profile"),
        (9, {"profile": "tp-python", "gpu": 1, "gpu_type": None}, "by-gpu"),
    ],
)
def test_the_first_rule_that_matches_decides_and_names_itself(number: int, facts: dict[str, Any], rule: str) -> None:
    rules = [
        {"name": "by-gpu-type", "gpu": ["a100", "h100"], "idle": "30 min"},
        {"name": "by-gpu", "gpu": True, "idle": "40 min"},
        {"name": "by-profile", "profiles": "tp-*", "idle": "50 min"},
        {"name": "by-group", "groups": ["maths"], "idle": "2 h"},
        {"name": "by-organization", "organizations": ["*.inp.fr", "univ-grenoble-alpes.fr"], "idle": "3 h"},
        {"name": "by-server", "servers": ["these"], "idle": "4 h"},
        {"name": "the-rest", "servers": "~", "gpu": False, "idle": "5 h"},
    ]
    (planned,) = judge(*rules).plans(server(**facts), Memory())
    assert planned.rule == rule, number
    assert rule in str(planned.reason)


def test_a_rule_that_spares_stands_before_the_others_and_no_rule_at_all_stops_nobody() -> None:
    spare = {"name": "exams", "groups": ["exam"], "spare": True}
    assert judge(spare, IDLE).judge(server(5 * HOUR, 40 * HOUR, groups=("exam",)), Memory()).action is Action.SPARE
    assert judge().judge(server(5 * HOUR, 40 * HOUR), Memory()).action is Action.SPARE


def test_a_server_that_is_starting_or_stopping_is_left_alone() -> None:
    verdict = judge(IDLE).judge(server(5 * HOUR, 6 * HOUR, pending="stop"), Memory(warned={"rule": NOON - HOUR}))
    assert verdict.action is Action.PENDING


def test_after_an_outage_of_the_hub_nobody_is_stopped_for_being_idle_but_an_age_is_an_age() -> None:
    warned = Memory(warned={"rule": NOON - HOUR})
    assert judge(IDLE, settled=False).judge(server(3 * HOUR, 4 * HOUR), warned).action is Action.HOLD
    assert judge(IDLE, settled=False).judge(server(0 * MIN, 13 * HOUR), warned).action is Action.STOP
    seen = server(3 * HOUR, 4 * HOUR, reported=True)  # the extension reported all the while
    assert judge(IDLE, settled=False).judge(seen, warned).action is Action.STOP


NIGHT = {
    "name": "night",
    "when": [{"from_hour": "20:00", "to_hour": "07:00"}],
    "idle": "15 min",
    "warn": "5 min",
}
MORNING = datetime(2026, 11, 20, 5, 50, tzinfo=UTC)
DAY = {"name": "day", "idle": "10 h", "warn": "5 min"}


@pytest.mark.parametrize(
    ("number", "now", "idle", "rule", "stops_at"),
    [
        # 13:00 in Paris, idle since noon: the night's rule will take it at eight
        (1, NOON, HOUR, "night", NOON + 7 * HOUR),
        # 06:50 in Paris, idle since 06:48: at 07:00 the day's rule is back and gives ten hours
        (2, MORNING, 2 * MIN, "day", MORNING + 9 * HOUR + 58 * MIN),
        # 06:40, idle since 06:30: 06:45 is still night
        (3, MORNING - 10 * MIN, 10 * MIN, "night", MORNING - 5 * MIN),
    ],
)
def test_what_is_foretold_knows_the_hour_at_which_another_rule_begins(
    number: int, now: datetime, idle: timedelta, rule: str, stops_at: datetime
) -> None:
    facts = Server("anna", "", started=now - 12 * HOUR, last_activity=now - idle)
    (planned,) = judge(NIGHT, DAY, now=now).plans(facts, Memory())
    assert (planned.rule, planned.at) == (rule, stops_at), number


def asked(at: datetime, started: datetime) -> StopRequest:
    return StopRequest(
        user="anna",
        started=started,
        at=at,
        rule="gpu-hours",
        reason={"fr": "Budget épuisé.", "en": "Budget used up."},
    )


def test_a_stop_that_quota_asks_for_is_warned_of_at_once_and_comes_after_its_grace() -> None:
    facts = server(0 * MIN)
    memory = Memory(asked=asked(NOON + HOUR, facts.started))
    verdict = judge(IDLE).judge(facts, memory)
    assert (verdict.action, verdict.stops_at) == (Action.WARN, NOON + HOUR)
    assert str(verdict.reason) == "Budget used up."
    with pytest.raises(KeepRefused, match=r"cannot be put off\. Budget used up"):
        judge(IDLE, now=NOON).keep(facts, memory)


def test_a_warning_of_idleness_does_not_count_as_a_warning_of_the_quotas_stop() -> None:
    facts = server(5 * MIN)
    memory = Memory(warned={"rule": NOON - HOUR}, asked=asked(NOON - MIN, facts.started))
    verdict = judge(IDLE).judge(facts, memory)
    assert (verdict.action, verdict.stops_at) == (Action.WARN, NOON + 10 * MIN)


def test_the_quotas_stop_is_shown_though_idleness_may_come_first_and_the_earlier_one_counts() -> None:
    facts = server(0 * MIN)
    memory = Memory(asked=asked(NOON + 3 * HOUR, facts.started))
    verdict = judge(IDLE).judge(facts, memory)
    assert (verdict.planned and verdict.planned.rule, verdict.stops_at) == ("gpu-hours", NOON + 3 * HOUR)
    assert [other.rule for other in verdict.others] == ["ordinary"]
    later = Memory(warned={"quota": NOON - 30 * MIN, "rule": NOON - 10 * MIN}, asked=memory.asked)
    assert judge(IDLE).judge(server(60 * MIN), later).action is Action.STOP


def test_a_maintenance_stops_everything_at_its_hour_also_what_rules_spare() -> None:
    message = Localized({"fr": "Mise à jour", "en": "Upgrade"})
    at = NOON + 30 * MIN
    verdict = judge(maintenance=Maintenance(at, message)).judge(server(), Memory())
    assert (verdict.action, verdict.stops_at) == (Action.WARN, at)
    warned = Memory(warned={"maintenance": NOON})
    late = judge(now=at, maintenance=Maintenance(at, message)).judge(server(), warned)
    assert late.action is Action.STOP
    assert "Upgrade" in str(late.reason)


@pytest.mark.parametrize(
    ("number", "idle", "memory", "code"),
    [
        (1, 55 * MIN, Memory(), None),
        (2, 55 * MIN, Memory(keeps=2, kept_until=NOON - MIN), "used-up"),
        (3, 5 * MIN, Memory(), "too-early"),
        (4, 55 * MIN, Memory(keeps=1, kept_until=NOON + 40 * MIN), "too-early"),
    ],
)
def test_keep_it_reaches_as_far_as_the_rule_and_as_often(
    number: int, idle: timedelta, memory: Memory, code: str | None
) -> None:
    court = judge({**IDLE, "keep": {"duration": "30 min", "times": 2}})
    if code is None:
        assert court.keep(server(idle), memory) == NOON + 30 * MIN, number
    else:
        with pytest.raises(KeepRefused) as refused:
            court.keep(server(idle), memory)
        assert refused.value.code == code, number


def test_a_refusal_says_whether_the_rule_offers_nothing_or_nothing_is_planned() -> None:
    with pytest.raises(KeepRefused, match="lets no stop"):
        judge({**IDLE, "keep": {"times": 0}}).keep(server(55 * MIN), Memory())
    with pytest.raises(KeepRefused, match="nothing to put off"):
        judge().keep(server(55 * MIN), Memory())
