"""How fast codes can be tried: by address and overall, and nobody who is patient is kept out. Pure: time comes in.

Promises: a right code costs nothing; wrong codes of one address, and of all, are looked up no faster than the
settings say; a browser that was told to wait and came back has a lane of its own, which those who only send
guesses never fill.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from ..settings.event import GuessSettings

ADDRESSES = 10_000
PATIENT_LANE = 2.0
"""How much wider the lane is for browsers that came back: each of them did twice the work."""
EVERYBODY = ""


@dataclass
class Lane:
    """A bucket of tokens, refilled steadily."""

    burst: float
    rate: float
    left: float = field(init=False)
    at: float | None = None

    def __post_init__(self) -> None:
        self.left = self.burst

    def has(self, now: float) -> bool:
        """Say whether a token is left. A clock that goes back gives none and takes none."""
        elapsed = max(0.0, now - self.at) if self.at is not None else 0.0
        self.left, self.at = min(self.burst, self.left + elapsed * self.rate), now
        return self.left >= 1


class Guard:
    """Lets tries through; ``now`` is in seconds of a clock that does not jump."""

    def __init__(self, settings: GuessSettings) -> None:
        self._settings = settings
        self._lanes: OrderedDict[tuple[str, bool], Lane] = OrderedDict()
        self._all = {
            patient: Lane(settings.burst * wide, settings.rate * wide)
            for patient, wide in ((False, 1.0), (True, PATIENT_LANE))
        }

    def take(self, address: str, now: float, *, patient: bool = False) -> bool:
        """Say whether a code may be looked up now; if so, take the tokens, to be given back for a right code."""
        lanes = (self._lane(address, patient), self._all[patient])
        if not all(lane.has(now) for lane in lanes):
            return False
        for lane in lanes:
            lane.left -= 1
        return True

    def right(self, address: str, *, patient: bool = False) -> None:
        """Give back what a right code took."""
        for lane in (self._lane(address, patient), self._all[patient]):
            lane.left = min(lane.burst, lane.left + 1)

    def _lane(self, address: str, patient: bool) -> Lane:
        key = (address, patient)
        lane = self._lanes.pop(key, None)
        if lane is None:
            wide = PATIENT_LANE if patient else 1.0
            lane = Lane(self._settings.address_burst * wide, self._settings.address_rate * wide)
        self._lanes[key] = lane
        if len(self._lanes) > ADDRESSES:
            self._lanes.popitem(last=False)
        return lane
