"""What a server's time costs. Pure, and exact: sums of whole numbers, the same in any order.

Time is counted in whole seconds (moments are cut to their second), cores in thousandths, memory in MiB;
a cost is a rate in millionths of a unit per hour, times seconds. That a job costs the dearer of its cores and
its share of memory is the rule of computing centres' "service units".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from decimal import Decimal

from ..contracts.server_record import Resources
from ..settings.quotas import Limit, Measure, Tariff
from .windows import split_by_day

MIB = 1024**2
MICRO = 1_000_000
HOUR = 3600


@dataclass(frozen=True)
class Usage:
    """What was used: sums of whole numbers, kept as such in the ledger."""

    seconds: int = 0
    """Server-seconds."""
    cpu: int = 0
    """Thousandths of a core, times seconds."""
    memory: int = 0
    """MiB times seconds."""
    gpu: int = 0
    """GPUs times seconds."""
    cost: int = 0
    """Millionths of a unit per hour, times seconds."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.seconds + other.seconds,
            self.cpu + other.cpu,
            self.memory + other.memory,
            self.gpu + other.gpu,
            self.cost + other.cost,
        )

    def __mul__(self, times: int) -> Usage:
        return Usage(self.seconds * times, self.cpu * times, self.memory * times, self.gpu * times, self.cost * times)

    def measured(self, measure: Measure) -> float:
        """Return it as people read it: units, or hours of cores, of GiB or of GPUs."""
        return to_hours(measure, getattr(self, COLUMN[measure]))


COLUMN: dict[Measure, str] = {
    "units": "cost",
    "cpu_hours": "cpu",
    "memory_hours": "memory",
    "gpu_hours": "gpu",
}
"""Which whole number of `Usage` each measure is read from."""
_PER_HOUR: dict[Measure, int] = {
    "units": HOUR * MICRO,
    "cpu_hours": HOUR * 1000,
    "memory_hours": HOUR * 1024,
    "gpu_hours": HOUR,
}


def to_hours(measure: Measure, amount: int) -> float:
    """Return a ledger's whole number as units or hours."""
    return amount / _PER_HOUR[measure]


def from_hours(measure: Measure, amount: float) -> int:
    """Return units or hours as the ledger's whole number, to the nearest."""
    return round(Decimal(str(amount)) * _PER_HOUR[measure])


def tariff_on(day: date, tariffs: Sequence[Tariff]) -> Tariff:
    """Return the tariff that counts on a local day; before the first one's date, the first."""
    valid = [tariff for tariff in tariffs if tariff.valid_from is None or tariff.valid_from <= day]
    return valid[-1] if valid else tariffs[0]


def rate(resources: Resources, tariff: Tariff, price_class: str = "") -> int:
    """Return what a server of a class (empty: of none) costs: millionths of a unit per hour, rounded once."""
    special = tariff.classes.get(price_class)
    if special is not None and special.hour is not None:
        return round(Decimal(str(special.hour)) * MICRO)
    cores = Decimal(str(tariff.cpu)) * Decimal(str(resources.cpu))
    memory = Decimal(str(tariff.memory)) * resources.memory / 1024**3
    gpu = Decimal(str(tariff.gpu.get(resources.gpu_type or "*", tariff.gpu["*"]))) * resources.gpu
    base = max(cores, memory) if tariff.rule == "max" else cores + memory
    times = Decimal(str(special.times)) if special is not None else 1
    return round((base + gpu) * times * MICRO)


def use(resources: Resources, seconds: int, rate: int) -> Usage:
    """Return what a server uses in so many seconds at a rate."""
    return Usage(
        seconds=seconds,
        cpu=round(Decimal(str(resources.cpu)) * 1000) * seconds,
        memory=-(-resources.memory // MIB) * seconds,
        gpu=resources.gpu * seconds,
        cost=rate * seconds,
    )


def by_day(
    resources: Resources, begin_s: int, end_s: int, tariffs: Sequence[Tariff], zone: tzinfo, price_class: str = ""
) -> Iterator[tuple[date, Usage]]:
    """Yield (local day, what was used on it) between two moments (seconds since 1970), at its price."""
    for day, seconds in split_by_day(begin_s, end_s, zone):
        yield day, use(resources, seconds, rate(resources, tariff_on(day, tariffs), price_class))


def counts_on(resources: Resources, limit: Limit) -> bool:
    """Return whether a server uses up anything of a limit: one without a GPU takes no GPU-hours."""
    if limit.measure == "gpu_hours":
        return resources.gpu > 0 and limit.gpu_type in (None, resources.gpu_type)
    return True
