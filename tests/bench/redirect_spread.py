"""How people spread over sites: 10 sites, 10^6 persons, shares beside the weights, and who moves when a site leaves.

``python -m tests.bench.redirect_spread [--people 1000000] [--json FILE]`` uses the very function that routing uses.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from jupytercloud_hub.federation.rendezvous import order

PLACES = (380, 120, 110, 120, 100, 150, 100, 200, 90, 130)
WEIGHTS = {f"site{number}": float(places) for number, places in enumerate(PLACES)}
GONE = "site4"
REST = {site: weight for site, weight in WEIGHTS.items() if site != GONE}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    counts = dict.fromkeys(WEIGHTS, 0)
    after = dict.fromkeys(WEIGHTS, 0)
    moved_without_need = 0
    begun = time.process_time()
    for number in range(options.people):
        person = f"person-{number}@univ-example.fr"
        first, then = order(person, WEIGHTS.items())[0], order(person, REST.items())[0]
        counts[first] += 1
        after[then] += 1
        moved_without_need += first not in (GONE, then)
    took = time.process_time() - begun
    total, rest = sum(WEIGHTS.values()), sum(WEIGHTS.values()) - WEIGHTS[GONE]
    rows = []
    print(f"{'site':>6}  {'weight':>6}  {'people':>7}  {'off by':>7}  {'without ' + GONE:>13}  {'off by':>7}")
    for site, weight in WEIGHTS.items():
        off = counts[site] / (options.people * weight / total) - 1
        off_after = after[site] / (options.people * weight / rest) - 1 if site != GONE else 0.0
        rows.append({"site": site, "weight": weight, "people": counts[site], "off": off, "off_after": off_after})
        print(f"{site:>6}  {weight:>6.0f}  {counts[site]:>7}  {off:>7.2%}  {after[site]:>13}  {off_after:>7.2%}")
    worst = max(abs(row[key]) for row in rows for key in ("off", "off_after"))
    print(
        f"worst {worst:.2%}; moved without need: {moved_without_need}; "
        f"{took / options.people * 1e6 / 2:.1f} µs CPU a decision"
    )
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "worst": worst, "moved_without_need": moved_without_need}))
    raise SystemExit(0 if moved_without_need == 0 and (worst < 0.01 or options.people < 1_000_000) else 1)


if __name__ == "__main__":
    main()
