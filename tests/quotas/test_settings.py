"""Mistakes in the section ``quotas:`` and what is said of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from jupytercloud_hub.settings import SettingsError
from jupytercloud_hub.settings.loading import parse
from jupytercloud_hub.settings.quotas import Limit, QuotasSettings

HEAD = 'site: {name: x, url: "http://127.0.0.1/"}\nquotas:\n'


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(SettingsError) as found:
        parse(HEAD + text, Path("jupytercloud.yaml"))
    return [(problem.line, str(problem.rule)) for problem in found.value.problems]


@pytest.mark.parametrize(
    ("number", "text", "line", "words"),
    [
        (1, "  budgets:\n    - {name: a, limits: [{units: 5, cpu_hours: 3}]}", 4, "one of units, cpu_hours"),
        (2, "  budgets:\n    - {name: a, limits: [{}]}", 4, "one of units, cpu_hours"),
        (3, "  budgets:\n    - {name: a, limits: [{units: 5, window: week}]}", 4, "rolling window"),
        (4, "  budgets:\n    - {name: a, limits: [{units: 5, window: 36 h}]}", 4, "rolling window"),
        (5, "  budgets:\n    - {name: a}\n    - {name: a}", 3, "two budgets are named a"),
        (6, "  budgets:\n    - {name: a, account: group, affiliations: student}", 4, "chooses among people"),
        (7, "  tariff:\n    - {cpu: 1}\n    - {cpu: 2}", 3, "only the first tariff"),
        (8, "  tariff:\n    - {valid_from: 2026-09-01}\n    - {valid_from: 2026-01-01}", 3, "in the order"),
        (9, "  tariff:\n    - {gpu: {a100: 40}}", 4, 'an entry "*"'),
        (10, "  academic_year_starts: '02-29'", 3, "29 February"),
        (11, "  budgets:\n    - {name: a, limits: [{units: 5, gpu_type: a100}]}", 4, "goes with gpu_hours"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_to_write(number, text, line, words):
    [(found, rule)] = problems(text)
    assert words in rule
    assert abs(found - line) <= 1  # a rule of a whole list is told where the list begins


def test_a_dump_reads_back_as_the_same_settings():
    settings = QuotasSettings.model_validate(
        {
            "tariff": [{"gpu": 3}, {"valid_from": "2026-09-01", "rule": "sum"}],
            "budgets": [
                {
                    "name": "a",
                    "names": "x-*",
                    "limits": [{"window": "30 d", "units": 5, "hard": True, "grace": "5 min"}],
                }
            ],
        }
    )
    assert QuotasSettings.model_validate(settings.model_dump(mode="json")) == settings
    assert settings.tariff[0].gpu == {"*": 3}
    assert Limit(window="30 d", units=1).window == timedelta(days=30)
