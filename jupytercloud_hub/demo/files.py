"""Writes what the demo's processes read: settings, hub configurations, secrets, the PyCoA notebook and its data.

Settings and configurations are written anew at each start; secrets and keys are made once and kept.
"""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..federation import signing
from . import node, people
from .plan import AFFILIATIONS, GROUP, GROUP_ENTITLEMENT, HOME_ORGANIZATIONS, HOST, Plan
from .pycoa import made_up_data

SITE_TITLES = {
    "paris-saclay": {"fr": "Paris-Saclay", "en": "Paris-Saclay"},
    "grenoble": {"fr": "Grenoble", "en": "Grenoble"},
}


def write(plan: Plan, node_place: Path) -> None:
    """Write everything that the processes read. `node_place`: what ``node.prepare`` returned."""
    for name in ("logs", "tmp", "jupyter/labconfig"):
        (plan.state / name).mkdir(parents=True, exist_ok=True)
    write_pycoa(plan.state / "pycoa")
    # JupyterLab would ask each person whether it may fetch news from the internet.
    _replace(
        plan.state / "jupyter/labconfig/page_config.json",
        json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}),
    )
    environment = Environment(
        loader=PackageLoader("jupytercloud_hub.demo"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - YAML and Python, all of it our own
        keep_trailing_newline=True,
    )
    organizations, _ = people.load()
    shared = {
        "host": HOST, "state": str(plan.state), "issuer": plan.issuer, "portal": plan.hub("portal"),
        "titles": {name: _flow(title) for name, title in SITE_TITLES.items()},
        "organization_titles": {o.name: _flow(o.title) for o in organizations},
        "home_organizations": HOME_ORGANIZATIONS, "affiliations": sorted(AFFILIATIONS),
        "group": GROUP, "entitlement": GROUP_ENTITLEMENT,
        "proxy_command": node.proxy_command(node_place),
        "sites": [_site(plan, name) for name in HOME_ORGANIZATIONS],
    }  # fmt: skip
    for hub in plan.hubs:
        folder = plan.folder(hub.name)
        folder.mkdir(exist_ok=True)
        _secret(folder / "client-secret")
        for name, template in (
            ("jupytercloud.yaml", f"{hub.role}.yaml.j2"),
            ("jupyterhub_config.py", "jupyterhub_config.py.j2"),
        ):
            _replace(
                folder / name,
                environment.get_template(template).render(**shared, hub=hub, folder=str(folder)),
            )


def provider_config(plan: Plan) -> dict[str, Any]:
    """What the OpenID provider is told: its three clients, one for each hub, and where its keys are kept."""
    clients = [
        {
            "client_id": hub.name,
            "client_name": hub.name,
            "client_secret": _secret(plan.folder(hub.name) / "client-secret"),
            "redirect_uris": [f"{hub.url}hub/oauth_callback"],
            "post_logout_redirect_uris": [f"{hub.url}hub/oidc/logged-out"],
            "backchannel_logout_uri": f"{hub.url}hub/oidc/backchannel-logout",
            "backchannel_logout_session_required": True,
        }
        for hub in plan.hubs
    ]
    return {
        "host": HOST,
        "port": plan.provider_port,
        "keys": str(plan.state / "provider-keys.json"),
        "clients": clients,
        "subject_type": "pairwise",
    }


def ready(plan: Plan) -> dict[str, Any]:
    """What ``--ready-file`` receives."""
    from .plan import PROFILES, SITES, expected_site

    _, everybody = people.load()
    return {
        "portal_url": plan.hub("portal").url,
        "provider_url": plan.issuer,
        "sites": {
            name: {"url": plan.hub(name).url, "home_organizations": list(HOME_ORGANIZATIONS[name])} for name in SITES
        },
        "people": [
            {
                "login": person.login,
                "password": person.password,
                "name": person.name,
                "home_organization": person.organization,
                "expected_site": expected_site(person),
            }
            for person in everybody
        ],
        "profiles": list(PROFILES),
    }


def replace(path: Path, content: str) -> None:
    """Write a file so that a reader finds either the old or the whole new one."""
    _replace(path, content)


def _site(plan: Plan, name: str) -> dict[str, str]:
    """A site as the portal knows it; the key of its heartbeats is made here, so that the first one is believed."""
    state = plan.folder(name) / "state"
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = signing.public_text(signing.kept_key(state / signing.KEY_FILE))
    return {"name": name, "url": plan.hub(name).url, "key": key}


def write_pycoa(folder: Path) -> None:
    """Copy the notebooks and what shows one by buttons; make the data once for each version of what makes them."""
    source = Path(made_up_data.__file__).parent
    folder.mkdir(exist_ok=True)
    for name in ("premiers-pas.ipynb", "exercice-salon.ipynb", "exercice.py"):
        shutil.copyfile(source / name, folder / name)
    shutil.copytree(source / "buttons", folder, dirs_exist_ok=True)
    made_from = "".join((source / name).read_text() for name in ("made_up_data.py", "reminder.py"))
    mark = folder / "made-from.txt"
    if not mark.exists() or mark.read_text() != made_from:
        made_up_data.main(folder)
        mark.write_text(made_from)


def _secret(path: Path) -> str:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32))
    return path.read_text().strip()


def _flow(title: dict[str, str]) -> str:
    return (
        "{" + ", ".join(f"{language}: {json.dumps(text, ensure_ascii=False)}" for language, text in title.items()) + "}"
    )


def _replace(path: Path, content: str) -> None:
    new = path.with_name(f"{path.name}.new")
    new.write_text(content, encoding="utf-8")
    new.replace(path)
