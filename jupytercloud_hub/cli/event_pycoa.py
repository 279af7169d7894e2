"""The event's own profile: PyCoA on this machine, with made-up data, the exercise as a notebook and by buttons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..profiles.catalogue import Catalogue

PYCOA = "pycoa"
EXERCISE = "exercice-salon.ipynb"
BUTTONS = f"voila/render/{EXERCISE}"
"""The exercise by buttons: what Voilà makes of the same notebook."""


def own(folder: str | Path) -> tuple[dict[str, Any], Catalogue]:
    """Return the sections for PyCoA on this machine, with the demonstration's made-up data."""
    from pydantic import TypeAdapter

    from ..profiles.catalogue import Profiles

    pycoa = Path(folder).resolve() / PYCOA
    profile = {
        "name": PYCOA,
        "default": True,
        "title": "PyCoA",
        "description": {
            "fr": "Un carnet qui trace des données par pays. Les données sont fictives.",
            "en": "A notebook that plots data by country. The data are made up.",
        },
        "resources": {"cpu": 1, "memory": "1 GiB"},
        "files": [{"source": f"{PYCOA}/{name}", "target": name} for name in (EXERCISE, "premiers-pas.ipynb")],
        "environment": {
            "PYTHONPATH": str(pycoa),
            "BOKEH_RESOURCES": "inline",
            "JUPYTER_CONFIG_PATH": str(pycoa / "jupyter"),
            "JUPYTER_PATH": str(pycoa / "share"),
        },
        "default_url": f"/lab/tree/{EXERCISE}",
    }
    catalogue = Catalogue(TypeAdapter(Profiles).validate_python([profile]))
    return {"spawner": {"backend": "local", "local": {"homes": "homes"}}, "profiles": [profile]}, catalogue


def give_pycoa(folder: Path) -> None:
    """Write notebooks, data and what JupyterLab and Voilà are told into an event's directory."""
    from ..demo.files import write_pycoa

    write_pycoa(folder / PYCOA)
