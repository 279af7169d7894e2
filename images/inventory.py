"""Runs in an image while it is built: what is in it, and under which licences.

`inventory.py FOLDER` writes `sbom.cdx.json` (CycloneDX 1.5) and `licences.txt` from the metadata of the Python packages
that this interpreter sees. It needs nothing but Python.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path


def main(folder: Path) -> None:
    """Write both files."""
    found = {name(one): one for one in distributions()}
    packages = [found[key] for key in sorted(found)]
    (folder / "sbom.cdx.json").write_text(json.dumps(sbom(packages), indent=1) + "\n", encoding="utf-8")
    lines = [f"{name(one)} {one.version}: {licence(one)}\n" for one in packages]
    (folder / "licences.txt").write_text("".join(lines), encoding="utf-8")


def sbom(packages: list[Distribution]) -> dict[str, object]:
    """Return a CycloneDX bill of materials."""
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": list(components(packages))}


def components(packages: list[Distribution]) -> Iterator[dict[str, object]]:
    """Yield a component for each package."""
    for one in packages:
        url = f"pkg:pypi/{name(one)}@{one.version}"
        licences = [{"license": {"name": licence(one)}}]
        yield {
            "type": "library", "name": name(one), "version": one.version,
            "purl": url, "bom-ref": url, "licenses": licences,
        }  # fmt: skip


def name(one: Distribution) -> str:
    """Return a package's normalized name."""
    return re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower()


def licence(one: Distribution) -> str:
    """Return the licence that a package declares: an SPDX expression, else its classifiers, else its own words."""
    said = one.metadata.get("License-Expression")
    if said:
        return said
    classifiers = one.metadata.get_all("Classifier") or ()
    classified = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::")]
    words = (one.metadata.get("License") or "").strip().partition("\n")[0]
    return ", ".join(classified) or words or "not declared"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
