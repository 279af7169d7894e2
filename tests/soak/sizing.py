"""From a run's figures to how many hubs 7,000 and 21,400 people need; the arithmetic is in ``model.py``."""

from __future__ import annotations

from typing import Any

from jupytercloud_hub.demo.plan import SITES

from .model import Cost, Crowd, need

REGISTERED = (7_000, 21_400)
"""A university, and the whole federation."""
SHARE = 1_000 / 7_000
"""Of those registered who are there at once, as Limoges counts."""
PEAK_SECONDS = 300.0
BACK_EVERY = 3_600.0
LIMIT = 0.6
"""Of one core: the longest wait that is still short."""
PROCESSES = ("portal hub", "portal federation", "portal proxy", "site hub", "site proxy", "site quotas", "site culler",
             "site agent", "stock hub", "stock proxy", "stock culler")  # fmt: skip


def cost(told: dict[str, Any], what: str) -> Cost:
    """Return what one kind of process costs, from the figures of a run."""
    side = "stock" if what.startswith("stock") else "ours"
    place, _, part = what.partition(" ")
    alike = [f"{site} {part}" for site in SITES] if place == "site" else [what]
    servers = told["running"][side]
    rest, memory, cpu = told["rest_ms_per_second"], told["memory_mib"], told["cpu_ms_per_person"]

    def more(of: dict[str, dict[str, float]]) -> float:
        return max(0.0, sum(of[one]["full"] - of[one]["empty"] for one in alike)) / servers

    def empty(of: dict[str, dict[str, float]]) -> float:
        return sum(of[one]["empty"] for one in alike) / len(alike)

    return Cost(
        arrival=cpu["arrive"][side][what] / 1000,
        back=cpu["return"][side][what] / 1000,
        running=more(rest) / 1000,
        empty=empty(rest) / 1000,
        memory=empty(memory),
        memory_each=more(memory),
    )


def sizing(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Return, for each crowd, what each kind of process has to do and how many of it that needs."""
    rows = []
    for registered in REGISTERED:
        crowd = Crowd.of(registered, SHARE, PEAK_SECONDS, BACK_EVERY)
        needs = {}
        for what in PROCESSES:
            one = need(cost(told, what), crowd, LIMIT)
            needs[what] = {
                "work": round(one.work, 3), "processes": one.processes, "memory_mib": round(one.memory_each),
            }  # fmt: skip
        rows.append(
            {
                "registered": registered,
                "simultaneous": crowd.simultaneous,
                "arrivals": round(crowd.arrivals, 2),
                "returns": round(crowd.returns, 2),
                "needs": needs,
            }
        )
    return rows


def table(told: dict[str, Any]) -> str:
    """Return the costs, the formula with its numbers, and what follows."""
    lines = [
        "{:24}{:>10}{:>10}{:>12}{:>10}{:>12}{:>8}{:>8}".format(*head)
        for head in (
            ("what one person costs", "arrival", "back", "running", "empty", "most", "MiB", "MiB"),
            ("", "ms", "ms", "ms/s each", "ms/s", "arrivals/s", "empty", "1,000"),
        )
    ]
    for what in PROCESSES:
        one = cost(told, what)
        most = f"{one.most_arrivals():.1f}" if one.arrival > 0.0005 else "-"
        lines.append(
            f"{what:24}{1000 * one.arrival:>10.1f}{1000 * one.back:>10.1f}{1000 * one.running:>12.3f}"
            f"{1000 * one.empty:>10.1f}{most:>12}{one.memory:>8.0f}{one.memory + 1000 * one.memory_each:>8.0f}"
        )
    for row in sizing(told):
        one, where = cost(told, "site hub"), row["needs"]["site hub"]
        lines += [
            "",
            f"{row['registered']:,} people registered, {row['simultaneous']:,} there at once; all arrive within "
            f"{PEAK_SECONDS:g} s: a = {row['arrivals']:g}/s; each is back once in {BACK_EVERY:g} s: "
            f"b = {row['returns']:g}/s",
            f"site hubs: work = {row['arrivals']:g} x {one.arrival:.4f} + {row['returns']:g} x {one.back:.4f} "
            f"+ {row['simultaneous']} x {one.running:.6f} = {where['work']:.3f}; "
            f"ceil({where['work']:.3f} / ({LIMIT:g} - {one.empty:.4f})) = {where['processes']}",
            f"{'':24}{'work':>10}{'processes':>12}{'MiB each':>10}",
        ]
        lines += [
            f"{what:24}{one['work']:>10.3f}{one['processes']:>12}{one['memory_mib']:>10}"
            for what, one in row["needs"].items()
        ]
    return "\n".join(lines)
