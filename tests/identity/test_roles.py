"""Roles: which names claims give, whom rules give one, and what the configuration may not say."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyterhub.roles import _validate_role_name
from pydantic import ValidationError

from jupytercloud_hub.identity import Institution, Policy, decide
from jupytercloud_hub.identity.roles import SOURCES, RoleSource, role_name

URN = "urn:geant:example.org:group:VO.math:gpu:role=member#proxy.example"
CLAIMS = {
    "sub": "s",
    "schac_home_organization": "univ.fr",
    "eduperson_principal_name": "anna@univ.fr",
    "eduperson_scoped_affiliation": ["faculty@univ.fr", "member@univ.fr"],
    "eduperson_entitlement": [URN],
}


def roles(**policy: Any) -> tuple[str, ...]:
    institution = {"name": "univ", "home_organizations": ["univ.fr"], **policy.pop("institution", {})}
    made = Policy.model_validate({"institutions": [institution], **policy})
    return decide(CLAIMS, "https://idp.example", made).unwrap().roles


def back(name: str) -> tuple[str, str]:
    """Read a name backwards, as the documentation says that it can be."""
    source, _, written = name.partition(".")
    data = re.sub(rb"~([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), written.encode())
    return source, data.decode("utf-8", "surrogatepass")


@given(st.sampled_from(SOURCES), st.text(max_size=300))
def test_every_name_is_one_that_jupyterhub_takes_and_leads_back_to_its_value(source: RoleSource, value: str) -> None:
    name = role_name(source, value)
    if name is None:
        assert not value or len(value.encode("utf-8", "surrogatepass")) * 3 + len(source) + 1 > 255
        return
    assert _validate_role_name(name)
    assert back(name) == (source, value), "so no two values give one role"


def test_what_claims_say_becomes_roles_where_the_operator_wants_it() -> None:
    assert roles() == ()
    assert roles(roles_from=["affiliation"]) == ("affiliation.faculty", "affiliation.member")
    assert roles(roles_from=["organization", "group"]) == ("group.~56~4f.math~3agpu", "organization.univ.fr")
    (entitlement,) = roles(roles_from=["entitlement"])
    assert back(entitlement) == ("entitlement", URN)


def test_rules_give_roles_by_affiliation_entitlement_and_organization() -> None:
    assert roles(
        roles=[{"name": "teachers", "affiliations": ["faculty"]}, {"name": "staff1", "affiliations": "staff"}]
    ) == ("teachers",)
    wanted = "urn:geant:example.org:group:VO.math:gpu"
    assert roles(roles=[{"name": "gpu", "entitlements": [wanted]}], institution={"roles": ["univ-people"]}) == (
        "gpu",
        "univ-people",
    )


@pytest.mark.parametrize("name", ["admin", "user", "server", "GPU", "ab", "é-quipe", "group.x", "9lives", "ends-"])
def test_a_rule_cannot_give_what_is_no_role_or_another_s(name: str) -> None:
    with pytest.raises(ValidationError):
        Institution.model_validate({"name": "x", "home_organizations": ["x.fr"], "roles": [name]})


def test_two_rules_cannot_give_one_role_different_scopes() -> None:
    rule = {"name": "helpers", "scopes": ["list:users"]}
    assert roles(roles=[rule, {**rule, "affiliations": ["staff"]}]) == ("helpers",)
    with pytest.raises(ValidationError, match="helpers"):
        roles(roles=[rule], institution={"roles": [{"name": "helpers", "scopes": ["admin:users"]}]})
