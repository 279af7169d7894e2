"""The API's description says what the handlers do."""

from __future__ import annotations

import re

from jupytercloud_hub.culling.openapi import document
from jupytercloud_hub.culling.pages import HANDLERS

METHODS = ("get", "post", "put", "delete")


def test_every_handler_of_the_api_is_described_and_nothing_else() -> None:
    served = set()
    for pattern, handler in HANDLERS:
        if not pattern.startswith("api/") or "openapi" in pattern:
            continue
        path = "/" + re.sub(r"\(.*?\)", "{user}", pattern, count=1)
        path = re.sub(r"\(.*?\)", "{server}", path, count=1)
        served |= {(method, path) for method in METHODS if method in vars(handler)}
    paths = document("/hub/services/culler/")["paths"]
    assert {(method, path) for path, operations in paths.items() for method in operations} == served


def test_every_reference_in_the_description_leads_somewhere() -> None:
    described = document("/services/culler/")
    names = set(re.findall(r"#/components/schemas/(\w+)", str(described)))
    assert names == set(described["components"]["schemas"])
