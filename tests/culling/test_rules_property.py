"""Whatever people and passes do, and in whatever order: nobody is stopped without having been warned in time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from jupytercloud_hub.culling.rules import Action, Cause, Judge, KeepRefused, Memory, Server
from jupytercloud_hub.settings.culling import CullingSettings

from .fakes import NOON

MIN = timedelta(minutes=1)
PARIS = ZoneInfo("Europe/Paris")
NIGHT = {"from_hour": "20:00", "to_hour": "07:00"}
SETTINGS = CullingSettings.model_validate(
    {
        "rules": [
            {"name": "night", "when": [NIGHT], "idle": "30 min", "warn": "7 min", "keep": {"duration": "20 min"}},
            {
                "name": "day",
                "idle": "1 h",
                "max_age": "6 h",
                "warn": "10 min",
                "keep": {"duration": "45 min", "times": 2},
            },
        ]
    }
)
STEPS = st.lists(
    st.tuples(st.integers(0, 25), st.sampled_from(["pass", "pass", "pass", "activity", "keep"])),
    min_size=5,
    max_size=60,
)


@dataclass
class Life:
    """One server, and everything that happened to it."""

    now: datetime
    started: datetime
    last: datetime
    memory: Memory = field(default_factory=Memory)
    told: list[tuple[datetime, datetime]] = field(default_factory=list)
    """When she was told, and of which instant; emptied when a warning is withdrawn."""
    keeps: int = 0
    kept_until: datetime | None = None

    @property
    def server(self) -> Server:
        return Server("anna", "", self.started, self.last)

    @property
    def judge(self) -> Judge:
        return Judge(SETTINGS, PARIS, self.now)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, hour=st.integers(0, 23))
def test_a_stop_comes_only_after_a_warning_of_full_length_and_never_before_the_told_instant(
    steps: list[tuple[int, str]], hour: int
) -> None:
    start = NOON + timedelta(hours=hour)
    life = Life(start, start, start)
    for minutes, what in steps:
        life.now += minutes * MIN
        if what == "activity":
            life.last = life.now
        elif what == "keep":
            _keep(life)
        elif _pass(life):
            return


def _keep(life: Life) -> None:
    try:
        until = life.judge.keep(life.server, life.memory)
    except KeepRefused:
        return
    life.keeps += 1
    assert life.keeps <= 2
    assert life.now < until <= life.now + 45 * MIN
    life.kept_until = until
    life.memory = Memory(life.memory.warned, until, life.keeps)


def _pass(life: Life) -> bool:
    verdict = life.judge.judge(life.server, life.memory)
    if verdict.action is Action.STOP:
        planned = verdict.planned
        assert planned is not None
        assert life.told, "stopped without a word"
        assert life.now - life.told[0][0] >= planned.lead, "the warning was shorter than the rule says"
        assert life.now >= max(instant for _, instant in life.told)
        idle, age = life.now - life.last, life.now - life.started
        assert idle >= 30 * MIN if planned.cause is Cause.IDLE else age >= timedelta(hours=6)
        assert life.kept_until is None or life.now >= life.kept_until
        return True
    if verdict.warned:
        assert verdict.stops_at is not None
        assert verdict.stops_at > life.now
        life.told.append((life.now, verdict.stops_at))
    else:
        life.told.clear()
    life.memory = Memory(verdict.warned, life.memory.kept_until, life.memory.keeps)
    return False
