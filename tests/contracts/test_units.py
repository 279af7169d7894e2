"""Amounts with units survive being written and read again."""

from __future__ import annotations

import pydantic
import pytest

from jupytercloud_hub.contracts.units import Duration


@pytest.mark.parametrize("text", ["0.5 s", "90 s", "30 d", "730 d"])
def test_a_duration_that_is_dumped_is_read_back_as_the_same(text):
    adapter = pydantic.TypeAdapter(Duration)
    duration = adapter.validate_python(text)
    assert adapter.validate_python(adapter.dump_python(duration)) == duration
