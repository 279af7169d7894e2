"""How often one caller may use the API: a bucket of tokens for each, refilled steadily. Pure: time comes in."""

from __future__ import annotations

from collections import OrderedDict


class RateLimit:
    """Lets ``burst`` calls through at once and ``rate`` a second in the long run, for each caller.

    At most ``callers`` are remembered; the one not seen for longest is forgotten first, with a full bucket.
    """

    def __init__(self, rate: float, burst: float, callers: int = 10_000) -> None:
        self._rate, self._burst, self._callers = rate, burst, callers
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, caller: str, now: float) -> float:
        """Take one token; return 0, or the seconds after which there will be one. ``now`` is in seconds."""
        tokens, at = self._buckets.pop(caller, (self._burst, now))
        tokens = min(self._burst, tokens + max(0.0, now - at) * self._rate)
        allowed = tokens >= 1
        self._buckets[caller] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > self._callers:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self._rate
