"""Wrong codes at an event's door: what they find, and how long they keep true visitors waiting.

    python -m tests.bench.guesses [--guesses 10000] [--addresses 50] [--patient] [--json FILE]

A hub as ``event create`` writes it, as a process behind its proxy; ``X-Forwarded-For`` of a proxy that it trusts brings
the addresses. Each address sends its well-formed guesses one after the other, as fast as answers come; the first of
them is the venue's, behind which all visitors are too. A visitor with a right code comes each second as long as guesses
do; time counts from the button to the seat. ``--patient``: those who guess follow pages that wait, as browsers do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import psutil

from jupytercloud_hub.events import codes
from jupytercloud_hub.events.report import percentile
from tests.bench.event import about, cpu, our_hub, rounded
from tests.support.event_hub import EventHub

SEED = 8
LONGEST = 5.0
"""Seconds that no visitor may be kept out for."""
GIVE_UP = 120.0
VENUE = 1
MOST_VISITORS = 400


class Browser:
    """Whoever sends codes, from some address."""

    def __init__(self, hub: EventHub, address: int) -> None:
        headers = {"X-Forwarded-For": f"198.51.100.{address}", "Accept-Language": "fr"}
        self.client = httpx.AsyncClient(base_url=hub.url, headers=headers, trust_env=False, timeout=60)
        self.path = httpx.URL(hub.url).path

    async def open(self) -> None:
        """Look at the page that asks for the code."""
        page = await self.client.get("hub/login")
        found = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        assert found, page.text
        self.xsrf = found[1]

    async def give(self, code: str) -> httpx.Response:
        """Press the button."""
        return await self.client.post("hub/login", data={"code": code, "_xsrf": self.xsrf})

    async def wait_through(self, page: httpx.Response) -> httpx.Response:
        """Follow a page that waits, as long as it does."""
        while refresh := page.headers.get("Refresh"):
            seconds, _, url = refresh.partition("; url=")
            await asyncio.sleep(float(seconds))
            page = await self.client.get(urljoin(str(page.url), url))
        return page

    def forget(self) -> None:
        """Drop what the hub remembers of the last guess."""
        self.client.cookies.delete("event-ticket", path=f"{self.path}hub/")


async def guess(hub: EventHub, address: int, tries: list[str], patient: bool, seen: Counter[int]) -> None:
    """Send guesses one after the other."""
    someone = Browser(hub, address)
    async with someone.client:
        await someone.open()
        for code in tries:
            page = await someone.give(code)
            seen[page.status_code] += 1
            if page.status_code == 200 and patient:
                page = await someone.wait_through(page)
                seen[page.status_code] += 1
            elif page.status_code == 200:
                someone.forget()


async def come(hub: EventHub, code: str) -> float:
    """Return the seconds from a visitor's button to her seat."""
    visitor = Browser(hub, VENUE)
    async with visitor.client, asyncio.timeout(GIVE_UP):
        await visitor.open()
        began = time.monotonic()
        page = await visitor.wait_through(await visitor.give(code))
        assert page.headers.get("location", "").endswith("/hub/event/enter"), page.text
        return time.monotonic() - began


async def run(hub: EventHub, options: argparse.Namespace) -> dict[str, Any]:
    """Let a visitor come each second as long as guesses are sent."""
    draw = random.Random(SEED).choice
    each = options.guesses // options.addresses
    seen: Counter[int] = Counter()
    assert hub.process
    process = psutil.Process(hub.process.pid)
    before, began = cpu(process), time.monotonic()
    attack = asyncio.gather(
        *(
            guess(hub, address, codes.new_codes(each, draw), options.patient, seen)
            for address in range(VENUE, VENUE + options.addresses)
        )
    )
    visitors = []
    for code in hub.codes():
        if attack.done():
            break
        visitors.append(asyncio.create_task(come(hub, code)))
        await asyncio.sleep(1)
    await attack
    passed = time.monotonic() - began
    spent = cpu(process) - before
    found = await asyncio.gather(*visitors, return_exceptions=True)
    for error in found:
        if isinstance(error, BaseException):
            print(f"a visitor did not get in: {error!r}", file=sys.stderr)
    waits = [wait for wait in found if isinstance(wait, float)]
    return {
        "guesses": each * options.addresses,
        "addresses": options.addresses,
        "seconds": round(passed, 1),
        "looked_up": seen[403],
        "told_to_wait": seen[200],
        "found": seen[302],
        "answers_429": seen[429],
        "answers_5xx": sum(number for status, number in seen.items() if status >= 500),
        "hub_cpu_ms_per_guess": round(1000 * spent / (each * options.addresses), 1),
        "visitors": len(found),
        "visitors_kept_out": len(found) - len(waits),
        "visitors_p50_seconds": rounded(percentile(waits, 0.5)),
        "visitors_longest_seconds": rounded(max(waits, default=None)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guesses", type=int, default=10_000)
    parser.add_argument("--addresses", type=int, default=50)
    parser.add_argument("--patient", action="store_true", help="Those who guess wait as long as they are told to.")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        hub = our_hub(Path(folder), MOST_VISITORS, None, warm=0)
        hub.start()
        try:
            hub.wait()
            figures = asyncio.run(run(hub, options))
        finally:
            hub.end()
    for row, value in figures.items():
        print(f"{row:30}{value!s:>10}")
    figures |= about()
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    good = not figures["found"] and not figures["visitors_kept_out"] and not figures["answers_429"]
    good = good and figures["visitors"] > 0 and figures["visitors_longest_seconds"] <= LONGEST
    print(f"none found, and nobody kept out for more than {LONGEST:.0f} s: {'yes' if good else 'NO'}")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
