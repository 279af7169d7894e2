"""How people spread over sites: 10 sites, 10^6 persons, shares beside the weights, and who moves when a site leaves.

``python -m tests.bench.redirect_spread [--people 1000000] [--json FILE]`` uses the very function that routing uses.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from jupytercloud_hub.federation.rendezvous import score

WEIGHTS = {f"site{number}": 10.0 + 10 * number for number in range(10)}
GONE = "site4"


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
        first, second = sorted(((score(person, site, weight), site) for site, weight in WEIGHTS.items()))[:-3:-1]
        counts[first[1]] += 1
        best = second[1] if first[1] == GONE else first[1]
        after[best] += 1
        moved_without_need += first[1] != GONE and best != first[1]
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
    print(f"worst {worst:.2%}; moved without need: {moved_without_need}; {took / options.people * 1e6:.1f} µs CPU a person")
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "worst": worst, "moved_without_need": moved_without_need}))
    raise SystemExit(0 if moved_without_need == 0 and (worst < 0.01 or options.people < 1_000_000) else 1)


if __name__ == "__main__":
    main()
