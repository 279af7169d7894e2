"""Tests of a module that are the steps of one story: one that is run by itself walks the steps before it first."""

from __future__ import annotations

import asyncio
import inspect

import pytest


def steps_before(request: pytest.FixtureRequest) -> None:
    """Walk the tests that stand before this one in its module and did not run: CI runs one that failed again, alone."""
    walked: set[str] = request.module.__dict__.setdefault("_walked", set())
    steps = [(name, step) for name, step in vars(request.module).items() if name.startswith("test_")]
    for name, step in steps:
        if name == request.function.__name__:
            walked.add(name)
            return
        if name not in walked:
            walked.add(name)
            done = step(**{one: request.getfixturevalue(one) for one in inspect.signature(step).parameters})
            if inspect.iscoroutine(done):
                asyncio.run(done)
