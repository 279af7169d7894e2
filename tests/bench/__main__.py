"""Runs every bench, one after the other, and keeps their figures.

``python -m tests.bench [--quick] [NAME …]``: each prints its table beside the peer's; JSON goes to ``.cache/bench/``.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys

from tests.support import CACHE, ROOT

QUICK: dict[str, tuple[str, ...]] = {
    "form": ("--rounds", "20"),
    "redirect_bench": ("--seconds", "0.5", "--rounds", "2"),
    "redirect_spread": ("--people", "50000"),
    "redirect_failover": ("--clients", "20"),
    "culler": ("--users", "200", "--running", "100", "--idle", "50", "--stop-seconds", "0.5"),
    "swarm": ("--starts", "30", "--polls", "100"),
    "kubernetes": ("--rounds", "50"),
    "login": ("--logins", "80"),
    "admission": ("--quick",),
    "event": ("--quick",),
    "guesses": ("--guesses", "1000"),
    "soak": ("--quick",),
}
"""Arguments of a scaled-down run, by bench, in the order in which they run."""

OUTPUT = {"culler": "--output"}
ELSEWHERE = {"soak": "tests.soak"}
"""Benches that are more than a module here."""


def module(name: str) -> str:
    """Return the module that runs a bench."""
    return ELSEWHERE.get(name, f"tests.bench.{name}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"Benches to run: {', '.join(QUICK)}; all by default.")
    parser.add_argument("--quick", action="store_true", help="Scaled down, as CI runs them.")
    options = parser.parse_args()
    folder = CACHE / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in options.names or [name for name in QUICK if importlib.util.find_spec(module(name))]:
        print(f"\n== {name}", flush=True)
        arguments = [*(QUICK[name] if options.quick else ()), OUTPUT.get(name, "--json"), str(folder / f"{name}.json")]
        command = [sys.executable, "-m", module(name), *arguments]
        # A scaled-down ratio on a machine that does something else is measured again before it counts.
        if all(subprocess.run(command, cwd=ROOT, check=False).returncode for _ in range(2 if options.quick else 1)):
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


if __name__ == "__main__":
    raise SystemExit(main())
