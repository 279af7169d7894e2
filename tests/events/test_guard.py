"""The guard at full size, on a clock of its own: who guesses finds nothing, who is patient comes in."""

from __future__ import annotations

from jupytercloud_hub.events.guard import Guard
from jupytercloud_hub.settings.event import GuessSettings

VENUE = "198.51.100.1"


def arrives(guard: Guard, at: float) -> float | None:
    """Return when a visitor with a right code is through, who asks again after two seconds; None if never in 60."""
    if guard.take(VENUE, at):
        guard.right(VENUE)
        return at
    for again in range(1, 30):
        if guard.take(VENUE, at + 2 * again, patient=True):
            guard.right(VENUE, patient=True)
            return at + 2 * again
    return None


def test_ten_thousand_guesses_from_fifty_addresses_keep_no_visitor_out_for_five_seconds():
    """One of the addresses is the venue's; the guesses come as fast as they are sent, in 20 seconds."""
    guard, looked_up, waits = Guard(GuessSettings()), 0, []
    addresses = [VENUE, *(f"192.0.2.{number}" for number in range(49))]
    for number in range(10_000):
        now = number * 20 / 10_000
        looked_up += guard.take(addresses[number % 50], now)
        if number % 500 == 499:
            through = arrives(guard, now)
            assert through is not None
            waits.append(through - now)
    assert max(waits) < 5
    settings = GuessSettings()
    assert looked_up <= settings.burst + settings.rate * 20


def test_two_hundred_visitors_behind_one_address_are_never_held_up_when_nobody_guesses():
    guard = Guard(GuessSettings())
    for _ in range(200):
        assert guard.take(VENUE, 0.0)
        guard.right(VENUE)


def test_a_class_that_mistypes_does_not_hold_up_its_neighbours():
    guard = Guard(GuessSettings())
    for number in range(60):
        assert guard.take(VENUE, number / 60)
    through = arrives(guard, 1.0)
    assert through is not None
    assert through - 1.0 < 5


def test_a_clock_that_goes_back_gives_no_tries():
    guard = Guard(GuessSettings(address_burst=2, address_rate=1))
    assert [guard.take(VENUE, at) for at in (100.0, 100.0, 100.0, 50.0, 50.5)] == [True, True, False, False, False]
    assert guard.take(VENUE, 51.6)
