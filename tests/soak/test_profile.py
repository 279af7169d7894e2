"""Which samples of a profile are ours."""

from __future__ import annotations

from .profile import ours

STACKS = [
    "run (/lib/asyncio/base.py:1);get (/src/jupytercloud_hub/federation/go.py:10);encode (/lib/json.py:3) 30",
    "run (/lib/asyncio/base.py:1);get (/src/jupytercloud_hub/federation/go.py:12) 10",
    "main (/src/jupytercloud_hub/__main__.py:1);get (/lib/jupyterhub/handlers/base.py:5) 60",
]


def test_a_function_of_ours_is_charged_with_what_it_calls() -> None:
    """But what starts a process is below everything, and says nothing."""
    assert ours(STACKS) == (0.4, [(0.4, "get (jupytercloud_hub/federation/go.py)")])


def test_nothing_recorded_is_nothing_of_ours() -> None:
    assert ours([]) == (0.0, [])
