"""A person of the demo without a browser: cookies, redirects and forms by hand."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import urljoin

import httpx


def log_in(person: dict[str, Any], address: str) -> tuple[httpx.Client, httpx.Response]:
    """Open an address, log in where the provider asks, and return the client with the page that she arrives at."""
    client = httpx.Client(follow_redirects=True, timeout=60, headers={"Accept-Language": "fr"}, trust_env=False)
    page = client.get(address)
    if "/interaction/" in str(page.url):
        page = client.post(
            page.url.copy_with(params={"organization": person["home_organization"]}),
            data={"username": person["login"], "password": person["password"]},
        )
    return client, page


def start_server(client: httpx.Client, site: str, profile: str) -> httpx.Response:
    """Send the spawn form as it stands, with one profile chosen."""
    form = client.get(f"{site}hub/spawn")
    action = re.search(r'<form[^>]*spawn_form[^>]*action="([^"]+)"', form.text)
    assert action, form.text
    xsrf = re.search(r'name="_xsrf" value="([^"]+)"', form.text)
    # As the browser does (enctype multipart/form-data), so that the hub reads the form in its own way.
    data = {"profile": profile, **({"_xsrf": xsrf[1]} if xsrf else {})}
    return client.post(
        urljoin(str(form.url), action[1].replace("&amp;", "&")),
        files={name: (None, value) for name, value in data.items()},
    )


def stop_server(client: httpx.Client, site: str) -> None:
    """Stop her server as her home page does, once it runs, and wait until it has ended."""
    home = client.get(f"{site}hub/home")
    xsrf = next(one.value for one in client.cookies.jar if one.name == "_xsrf" and home.url.path.startswith(one.path))
    headers = {"X-XSRFToken": str(xsrf), "Referer": str(home.url)}
    person = f"{site}hub/api/user"
    while not (she := client.get(person, headers=headers).json())["servers"][""]["ready"]:
        time.sleep(0.2)
    while client.delete(f"{person}s/{she['name']}/server", headers=headers).status_code == 202:
        time.sleep(0.2)
