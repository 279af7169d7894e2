"""Turns a run into figures, and figures into tables."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jupytercloud_hub.demo.plan import SITES
from jupytercloud_hub.events.report import percentile

from . import sizing
from .day import SIDES, Day, Sizes
from .measure import Seconds, per_person
from .people import Took
from .topology import STARTING_SECONDS, Soak

PHASES = ("arrive", "kernel", "return", "stop")
STEPS = ("portal", "login", "start", "kernel", "return", "stop")
PACKAGES = ("jupytercloud-hub", "jupyterhub", "oauthenticator", "jupyterhub-idle-culler", "tornado", "sqlalchemy")

OWN = 0.8
"""Of a core that a hub's process has to have used at some rate for the ceiling to be its own."""

Figures = dict[str, Any]


def kind(process: str) -> str:
    """Return what a process is, without which of the sites it belongs to."""
    if process.startswith("light-"):
        return "light servers, stock" if process == "light-stock" else "light servers, ours"
    place, _, what = process.partition(" ")
    return f"site {what}" if place in SITES else process


KINDS = ("portal hub", "portal federation", "portal proxy", "site hub", "site proxy", "site quotas", "site culler",
         "site agent", "light servers, ours", "stock hub", "stock proxy", "stock culler", "light servers, stock",
         "provider", "driver")  # fmt: skip


def by_kind(seconds: Seconds) -> Seconds:
    """Add up the processes of one kind."""
    told: Seconds = {}
    for process, value in seconds.items():
        told[kind(process)] = told.get(kind(process), 0.0) + value
    return told


def figures(sizes: Sizes, day: Day, world: Soak) -> Figures:
    """Return everything that was measured, as JSON takes it; CPU in milliseconds, memory in MiB."""
    rests = (day.rests[0], day.rests[-1])
    cpu = {
        name: {
            side: {
                what: round(1000 * value, 2)
                for what, value in by_kind(per_person(day.phases, rests, side, name)).items()
            }
            for side in SIDES
        }
        for name in PHASES
    }
    rest = {
        process: {
            when: round(1000 * phase.cpu[process] / phase.seconds, 3)
            for when, phase in zip(("empty", "full"), rests, strict=True)
        }
        for process in rests[0].cpu
    }
    memory = {
        process: {when: round(day.memory[when][process], 1) for when in ("empty", "full")}
        for process in day.memory["full"]
    }
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(),
            "load": {"least": round(min(day.load), 1), "most": round(max(day.load), 1)},
        },
        "versions": {name: version(name) for name in PACKAGES},
        "sizes": {**vars(sizes), "starting_seconds": STARTING_SECONDS},
        "running": day.running,
        "steps": {step: {side: waited(day.diary.took, side, step) for side in SIDES} for step in STEPS},
        "cpu_ms_per_person": cpu,
        "rest_ms_per_second": rest,
        "memory_mib": memory,
        "requests_per_person": {side: round(day.diary.requests[side] / sizes.people, 1) for side in SIDES},
        "failed": {side: sum(1 for one in day.diary.failed if one[0] == side) for side in SIDES},
        "failures": [list(one) for one in day.diary.failed[:20]],
        "met": day.diary.met,
        "log_errors": world.troubles(),
        "restarted": world.ended,
    }


def waited(took: Iterable[Took], side: str, step: str) -> dict[str, float]:
    """Return how long people waited for a step, in seconds."""
    seconds = [one.seconds for one in took if (one.side, one.step) == (side, step)]
    if not seconds:
        return {"people": 0}
    shares = {f"p{round(100 * share)}": round(percentile(seconds, share) or 0.0, 3) for share in (0.5, 0.95)}
    return {"people": len(seconds), **shares}


def processor() -> str:
    """Return the processor's name (Linux), else what Python knows."""
    try:
        with Path("/proc/cpuinfo").open() as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def ratio(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.2f}" if theirs else "-"


def table(told: Figures) -> str:
    """Return the figures for people."""
    parts = [head(told), waits(told), costs(told), resting(told), *([climbs(told)] if "ceilings" in told else [])]
    return "\n\n".join([*parts, sizing.table(told)])


def broken(told: Figures) -> int:
    """Return 1 where somebody was not served, or a process gave up; times are no reason on a machine that is shared."""
    everybody = told["sizes"]["people"]
    return int(any(told["failed"].values()) or set(told["running"].values()) != {everybody} or bool(told["restarted"]))


def head(told: Figures) -> str:
    machine, sizes = told["machine"], told["sizes"]
    versions = ", ".join(f"{name} {number}" for name, number in told["versions"].items())
    lines = [
        f"{told['at']}  {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, {machine['system']}",
        versions,
        f"load of the machine (mean of a minute) {machine['load']['least']} to {machine['load']['most']}",
        f"{sizes['people']} people at each side in waves of {sizes['wave']}; {sizes['arrivals']:g} arrivals a second, "
        f"{sizes['returns']:g} returns; {sizes['cells']} cells; a server takes {sizes['starting_seconds']} s to start",
        f"{'':24}{'ours':>10}{'stock':>10}",
    ]
    for words, values in (
        ("servers at the peak", told["running"]),
        ("steps that failed", told["failed"]),
        ("requests per person", told["requests_per_person"]),
    ):
        lines.append(f"{words:24}{values['ours']:>10}{values['stock']:>10}")
    if told["met"]:
        lines.append(f"met on the way: {told['met']}")
    if told["log_errors"]:
        counts = ", ".join(f"{log} {one['lines']}" for log, one in told["log_errors"].items())
        lines.append(f"lines of errors in logs: {counts}")
    lines += [f"{side}, {step}: {why[:110]!r}" for side, step, why in told["failures"][:5]]
    return "\n".join(lines)


def waits(told: Figures) -> str:
    lines = [f"{'seconds':24}{'ours p50':>10}{'p95':>8}{'stock p50':>12}{'p95':>8}"]
    for step in STEPS:
        ours, stock = (told["steps"][step][side] for side in SIDES)
        columns = [f"{one[share]:.2f}" if share in one else "-" for one in (ours, stock) for share in ("p50", "p95")]
        lines.append(f"{step:24}{columns[0]:>10}{columns[1]:>8}{columns[2]:>12}{columns[3]:>8}")
    return "\n".join(lines)


def costs(told: Figures) -> str:
    cpu = told["cpu_ms_per_person"]
    lines = [f"{'CPU per person, ms':24}" + "".join(f"{name:>10}" for name in PHASES) + f"{'sum':>10}"]
    for what in KINDS:
        columns = [cpu[name][side][what] for name in PHASES for side in SIDES if what in cpu[name][side]]
        if what in ("provider", "driver"):
            for side in SIDES:
                columns = [cpu[name][side][what] for name in PHASES]
                lines.append(_row(f"{what}, {side}", columns))
        else:
            lines.append(_row(what, columns))
    sums = {
        words: [sum(value for what, value in cpu[name][side].items() if what.startswith(kinds)) for name in PHASES]
        for words, side, kinds in (
            ("all of ours", "ours", ("portal ", "site ")),
            ("all of stock", "stock", ("stock ",)),
            ("site hub", "ours", ("site hub",)),
            ("stock hub", "stock", ("stock hub",)),
        )
    }
    for words, one, other in (("site hub : stock hub", "site hub", "stock hub"),
                              ("all ours : all stock", "all of ours", "all of stock")):  # fmt: skip
        pairs = [*zip(sums[one], sums[other], strict=True), (sum(sums[one]), sum(sums[other]))]
        lines.append(f"{words:24}" + "".join(f"{ratio(*pair):>10}" for pair in pairs))
    return "\n".join(lines)


def _row(words: str, columns: list[float]) -> str:
    return f"{words:24}" + "".join(f"{value:>10.1f}" for value in (*columns, sum(columns)))


def resting(told: Figures) -> str:
    rest, memory = told["rest_ms_per_second"], told["memory_mib"]
    lines = [
        f"{'at rest':24}{'CPU, ms a second':>22}{'memory, MiB':>20}",
        f"{'servers':24}{'none':>11}{'all':>11}{'none':>11}{'all':>9}",
    ]
    for process in sorted(memory, key=lambda name: (KINDS.index(kind(name)), name)):
        lines.append(
            f"{process:24}{rest[process]['empty']:>11.1f}{rest[process]['full']:>11.1f}"
            f"{memory[process]['empty']:>11.1f}{memory[process]['full']:>9.1f}"
        )
    return "\n".join(lines)


def climbs(told: Figures) -> str:
    """Return each hub's ceiling, with what its process and all the others used of a core."""
    heads = ("a second", "people", "failed", "p50", "p95", "process", "others")
    lines = [f"{'faster and faster':24}" + "".join(f"{head:>9}" for head in heads)]
    for hub, found in told["ceilings"].items():
        for rung in sorted(found["rungs"], key=lambda one: one["rate"]):
            lines.append(
                f"{hub if rung['kept'] else hub + ', too fast':24}{rung['rate']:>9.1f}{rung['people']:>9}"
                f"{rung['failed']:>9}{rung['p50']:>9.2f}{rung['p95']:>9.2f}{rung['busy']:>9.2f}{rung['others']:>9.2f}"
            )
        busy = max(rung["busy"] for rung in found["rungs"])
        whose = (
            ""
            if busy >= OWN
            else f"   the machine's, not its own: its process never had more than {busy:.2f} of a core"
        )
        lines.append(f"{hub + ': ceiling':24}{found['rate']:>9.1f}{whose}")
    return "\n".join(lines)
