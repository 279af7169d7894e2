"""The event's own profile: PyCoA on this machine, with made-up data, the exercise as a notebook and by buttons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..profiles.catalogue import Catalogue

PYCOA = "pycoa"
EXERCISE = "exercice-salon.ipynb"
BUTTONS = f"voila/render/{EXERCISE}"
"""The exercise by buttons: what Voilà makes of the same notebook."""
TEMPLATE = "exercice"
PAGE = """\
{%- extends 'voila/templates/lab/index.html.j2' -%}
{#- Voilà's own page asks a content delivery network for icons: a visitor's telephone is to ask nobody else. -#}
{%- block notebook_css -%}
{%- set cdn = "https://cdn.jsdelivr.net/npm/@fortawesome/fontawesome-free@^5/css/" -%}
{{ super() | replace(cdn ~ "all.min.css", "data:text/css,") | replace(cdn ~ "v4-shims.min.css", "data:text/css,") }}
{%- endblock notebook_css -%}
"""
VOILA = {
    "VoilaConfiguration": {"show_tracebacks": False, "strip_sources": True, "template": TEMPLATE},
    # What is for readers of the code is neither run nor shown.
    "TagRemovePreprocessor": {"enabled": True, "remove_cell_tags": ["carnet"]},
    # No telephone of a visitor asks somebody else's server for MathJax.
    "ServerApp": {"tornado_settings": {"mathjax_url": "data:text/javascript,//"}},
}


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
    config = folder / PYCOA / "jupyter"
    (config / "labconfig").mkdir(parents=True, exist_ok=True)
    # JupyterLab would ask each visitor whether it may fetch news from the internet.
    news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "labconfig" / "page_config.json").write_text(json.dumps(news))
    template = folder / PYCOA / "share" / "voila" / "templates" / TEMPLATE
    template.mkdir(parents=True, exist_ok=True)
    (template / "conf.json").write_text(json.dumps({"base_template": "lab"}))
    (template / "index.html.j2").write_text(PAGE)
    (config / "jupyter_server_config.json").write_text(json.dumps(VOILA, indent=1))
