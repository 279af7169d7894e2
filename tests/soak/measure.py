"""What processes cost: CPU seconds and memory of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import psutil

SHARED = ("provider", "driver")
"""Processes that serve both sides alike: counted, and charged to neither."""

Seconds = dict[str, float]


def side_of(process: str) -> str:
    """Return ``ours``, ``stock`` or ``shared``."""
    if process in SHARED:
        return "shared"
    return "stock" if process.startswith("stock ") or process == "light-stock" else "ours"


class Meter:
    """Reads the processes of a run."""

    def __init__(self, processes: dict[str, psutil.Process]) -> None:
        self.processes = processes

    def cpu(self) -> Seconds:
        """Return the CPU seconds that each process has used so far; the driver is this process."""
        told: Seconds = {"driver": time.process_time()}
        for name, process in self.processes.items():
            times = process.cpu_times()
            told[name] = times.user + times.system
        return told

    def memory(self) -> Seconds:
        """Return the memory of each process in MiB: its proportional share of what is shared."""
        return {name: process.memory_full_info().pss / 2**20 for name, process in self.processes.items()}


@dataclass
class Phase:
    """What one group of people did at one side, or nobody for a while."""

    side: str
    name: str
    people: int
    servers: int
    """Servers that ran at this side when it began."""
    seconds: float = 0.0
    cpu: Seconds = field(default_factory=dict)

    @classmethod
    async def rest(cls, meter: Meter, seconds: float, servers: int) -> Phase:
        """Measure what everything uses while nobody asks for anything."""
        phase = cls("both", "rest", 0, servers)
        before, began = meter.cpu(), time.monotonic()
        await asyncio.sleep(seconds)
        phase.close(meter, before, began)
        return phase

    def close(self, meter: Meter, before: Seconds, began: float) -> None:
        self.seconds = time.monotonic() - began
        self.cpu = {name: used - before[name] for name, used in meter.cpu().items()}


def per_person(phases: Iterable[Phase], rests: tuple[Phase, Phase], side: str, name: str) -> Seconds:
    """Return the CPU seconds of each process for each person of the phases of this name.

    Without what it uses anyway: probes, heartbeats and servers that report, as measured at rest with none and with all
    servers, and in between by how many ran.
    """
    chosen = [phase for phase in phases if (phase.side, phase.name) == (side, name)]
    people = sum(phase.people for phase in chosen)
    empty, full = rests
    told: Seconds = {}
    for process in full.cpu:
        if side_of(process) not in (side, "shared"):
            continue
        spent = 0.0
        for phase in chosen:
            part = phase.servers / full.servers if full.servers else 0.0
            idle = (1 - part) * empty.cpu[process] / empty.seconds + part * full.cpu[process] / full.seconds
            spent += phase.cpu[process] - idle * phase.seconds
        told[process] = max(0.0, spent / people) if people else 0.0
    return told
