"""Numbered cases: who is let in by which rules, and what the others read."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.profiles.access import AccessRule, hidden, needs_step_up, refusal

PHYSICIST = Person(
    username="amelie",
    home_organization="univ-grenoble-alpes.fr",
    affiliations=("member@univ-grenoble-alpes.fr", "student@univ-grenoble-alpes.fr"),
    groups=("physique", "calcul"),
)
NOBODY = Person(username="bob")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
STRONG = Person(username="zoe", groups=("physique",), mfa_until=NOON)


@pytest.mark.parametrize(
    ("number", "rules", "person", "site", "said"),
    [
        (1, [], NOBODY, None, None),
        (2, [{"groups": ["physique"]}], PHYSICIST, None, None),
        (3, [{"groups": ["physique"]}], NOBODY, None, "the group physique"),
        (4, [{"groups": ["a", "b"]}], PHYSICIST, None, "the groups a, b"),
        (5, [{"groups": ["phys*"]}], PHYSICIST, None, None),
        (6, [{"groups": ["/phys.*|math/"]}], PHYSICIST, None, None),
        (7, [{"groups": ["phys"]}], PHYSICIST, None, "the group phys"),
        (8, [{"affiliations": ["student"]}], PHYSICIST, None, None),
        (9, [{"affiliations": ["student@univ-grenoble-alpes.fr"]}], PHYSICIST, None, None),
        (10, [{"affiliations": ["student@elsewhere.fr"]}], PHYSICIST, None, "student@elsewhere.fr"),
        (11, [{"affiliations": ["staff"]}], PHYSICIST, None, "Reserved for: staff"),
        (12, [{"organizations": ["*-grenoble-alpes.fr"]}], PHYSICIST, None, None),
        (13, [{"organizations": ["cnrs.fr"]}], NOBODY, None, "people of cnrs.fr"),
        (14, [{"organizations": ["*"]}], NOBODY, None, "people of *"),
        (15, [{"groups": ["physique"], "organizations": ["cnrs.fr"]}], PHYSICIST, None, "people of cnrs.fr"),
        (16, [{"groups": ["none"]}, {"affiliations": ["student"]}], PHYSICIST, None, None),
        (17, [{"groups": ["none"]}, {"affiliations": ["staff"]}], PHYSICIST, None, "the group none"),
        (18, [{"sites": ["grenoble"]}], NOBODY, "grenoble", None),
        (19, [{"sites": ["grenoble"]}], NOBODY, "reims", "Not offered at this site"),
        (20, [{"sites": ["grenoble"]}], NOBODY, None, "Not offered at this site"),
        (21, [{"users": ["bob"]}], NOBODY, None, None),
        (22, [{"users": ["bob"]}], PHYSICIST, None, "named persons"),
        (23, [{"groups": ["x"], "reason": {"fr": "Demandez à Zoé.", "en": "Ask Zoé."}}], NOBODY, None, "Zoé"),
    ],
)
def test_rules_let_in_and_refuse_with_their_reason(
    number: int, rules: list[dict[str, object]], person: Person, site: str | None, said: str | None
) -> None:
    no = refusal(tuple(AccessRule.model_validate(rule) for rule in rules), person, site)
    assert (no is None) if said is None else (no is not None and said in str(no)), f"case {number}: {no}"


@pytest.mark.parametrize(
    ("person", "now", "said", "step_up"),
    [
        (STRONG, NOON, None, False),
        (STRONG, NOON + timedelta(seconds=1), "Needs a login with two factors.", True),
        (STRONG.model_copy(update={"mfa_until": None}), NOON, "Needs a login with two factors.", True),
        (NOBODY, NOON, "Reserved for the group physique.", False),
    ],
)
def test_two_factors_count_for_their_time_and_a_stronger_login_is_offered_only_where_it_helps(
    person: Person, now: datetime, said: str | None, step_up: bool
) -> None:
    rules = (AccessRule(groups=("physique",), mfa=True),)
    no = refusal(rules, person, None, now)
    assert (str(no) if no else None) == said
    assert needs_step_up(rules, person, None, now) is step_up


def test_profile_is_hidden_only_where_every_rule_says_so() -> None:
    assert hidden((AccessRule(groups=("a",), hidden=True),))
    assert not hidden((AccessRule(groups=("a",), hidden=True), AccessRule(groups=("b",))))
    assert not hidden(())


def test_expression_that_python_cannot_read_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="not a regular expression"):
        AccessRule(groups=("/(/",))
