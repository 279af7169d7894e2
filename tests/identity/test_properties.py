"""Whatever comes, nothing but a decision goes out; and different people never become one."""

from __future__ import annotations

import json
import string
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jupytercloud_hub.contracts.text import Text
from jupytercloud_hub.identity import Policy, Refused, Subject, decide, usernames
from jupytercloud_hub.identity.claims import ATTRIBUTES, Claims, labelled, scoped
from jupytercloud_hub.identity.entitlements import parse
from tests.identity.test_decision import ISSUER, RULES

NAMES = st.sampled_from(sorted({name for attribute in ATTRIBUTES.values() for name in attribute.names} | {"sub"}))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
SCOPES = st.sampled_from(["univ-grenoble-alpes.fr", "cnrs.fr", "math.cnrs.fr", "evil.example", "x.spam.example"])
LOCAL = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
NEAR = st.one_of(
    JSON,
    st.builds("{}@{}".format, LOCAL, SCOPES),
    SCOPES,
    st.lists(st.builds("{}@{}".format, st.sampled_from(["staff", "faculty", "alum", "x"]), SCOPES), max_size=4),
    st.lists(st.builds("{}@{}".format, LOCAL, SCOPES), max_size=4).map(";".join),
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(NAMES, NEAR, max_size=8), st.sampled_from(["renater", "plm", "egi-checkin", "keycloak"]))
def test_no_claims_raise_anything(raw: dict[str, Any], preset: str) -> None:
    for policy in (Policy(preset=preset, institutions=RULES), Policy(preset=preset)):
        decision = decide(raw, ISSUER, policy)
        assert (decision.identity is None) != (decision.refused is None)
        if decision.refused is not None:
            assert isinstance(decision.refused.message, Text)
            assert str(decision.refused.message)
        else:
            json.dumps(decision.identity and decision.identity.model_dump(mode="json"))


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(NAMES, NEAR, max_size=8))
def test_nobody_comes_in_by_a_scope_that_her_organization_does_not_own(raw: dict[str, Any]) -> None:
    identity = decide(raw, ISSUER, Policy(institutions=RULES)).identity
    if identity is None:
        return
    rule = next(one for one in Policy(institutions=RULES).institutions if one.name == identity.institution)
    for value in identity.scoped_affiliations:
        assert rule.owns(value.partition("@")[2], identity.home_organization)
    if "@" in identity.username and "--" not in identity.username:
        assert rule.owns(identity.username.partition("@")[2], identity.home_organization)


@settings(max_examples=500)
@given(st.text(max_size=200))
def test_usernames_are_safe_everywhere(text: str) -> None:
    name = usernames.safe(text)
    assert 0 < len(name) <= usernames.MAX_LENGTH
    assert set(name) <= set(string.ascii_lowercase + string.digits + "._@-")
    assert name[0].isalnum()
    assert name[-1].isalnum()
    assert ".." not in name
    assert name == name.lower()


@settings(max_examples=500)
@given(st.text(max_size=60), st.text(max_size=60))
def test_different_texts_never_give_one_username(one: str, other: str) -> None:
    if one != other:
        assert usernames.safe(one) != usernames.safe(other)
        assert usernames.safe(usernames.safe(one)) == usernames.safe(one) or one != usernames.safe(one)
        assert usernames.safe(one) == one or usernames.safe(one) != usernames.safe(usernames.safe(one))


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60), st.sampled_from(["hash", "sub"]))
def test_different_subjects_never_give_one_username(one: str, other: str, rule: str) -> None:
    made = [usernames.username(Claims({}), rule, Subject(issuer=ISSUER, sub=sub))[0] for sub in (one, other)]
    assert (made[0] == made[1]) == (one == other)


@given(st.text(max_size=80))
def test_small_readers_take_any_text(text: str) -> None:
    parts = scoped(text)
    assert parts is None or (parts.value and parts.scope and "@" not in parts.value)
    label = labelled(text)
    assert label.label is None or label.label.upper() == label.label
    group = parse(text)
    assert group is None or all(group.path)


PART = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=12).filter(
    lambda text: text != "group"
)


@given(PART, st.lists(PART, min_size=1, max_size=8), st.none() | PART, st.none() | PART)
def test_entitlements_of_any_depth_are_read_back(
    nss: str, path: list[str], role: str | None, authority: str | None
) -> None:
    text = f"urn:geant:{nss}:group:{':'.join(path)}"
    text += f":role={role}" if role else ""
    text += f"#{authority}" if authority else ""
    group = parse(text)
    assert group is not None
    assert (group.path, group.role, group.authority) == (tuple(path), role, authority)


@given(st.dictionaries(NAMES, JSON, max_size=6), NAMES)
def test_reading_an_attribute_refuses_or_gives_clean_texts(raw: dict[str, Any], name: str) -> None:
    try:
        values = Claims(raw).all(name)
    except Refused as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert refused.reason == "claim-malformed"
        return
    for value in values:
        assert value == value.strip()
        assert value.isprintable() or not value.isascii()
