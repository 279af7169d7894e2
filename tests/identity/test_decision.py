"""Who is let in: a table of cases, each with the rule that decides."""

from __future__ import annotations

from typing import Any

import pytest

from jupytercloud_hub.identity import Policy, decide

ISSUER = "https://proxy.example"
UGA: dict[str, Any] = {
    "name": "uga",
    "title": {"fr": "Université Grenoble Alpes", "en": "Grenoble Alpes University"},
    "home_organizations": ["univ-grenoble-alpes.fr"],
    "scopes": ["univ-grenoble-alpes.fr", "*.univ-grenoble-alpes.fr"],
    "affiliations": ["faculty", "staff"],
    "groups": ["uga", {"name": "gpu", "entitlements": ["urn:geant:math.cnrs.fr:group:gpu"]}],
    "home_site": "grenoble",
    "contact": "identites@univ-grenoble-alpes.fr",
}
CNRS: dict[str, Any] = {"name": "cnrs", "home_organizations": ["/.+\\.cnrs\\.fr/", "cnrs.fr"], "username": "unique_id"}
BY_IDP: dict[str, Any] = {"name": "ens", "idps": ["https://idp.ens.example/*"], "home_organizations": ["ens.example"]}
IDP_ONLY: dict[str, Any] = {"name": "labo", "idps": ["https://idp.labo.example/metadata"], "scopes": ["labo.example"]}
STRONG: dict[str, Any] = {
    "name": "strong",
    "home_organizations": ["strong.example"],
    "assurance": ["https://refeds.org/assurance/IAP/medium"],
    "acr": ["https://refeds.org/profile/mfa"],
}
BANNED: dict[str, Any] = {"name": "banned", "idps": ["https://bad.example/idp"], "deny": True}
BANNED_TOO: dict[str, Any] = {"name": "banned-too", "home_organizations": ["*.spam.example"], "deny": True}
ANY: dict[str, Any] = {"name": "spam-family", "home_organizations": ["*.example"], "deny_affiliations": ["alum"]}

RULES = [UGA, CNRS, BY_IDP, IDP_ONLY, STRONG, BANNED, ANY, BANNED_TOO]
GOOD = {
    "sub": "s-1",
    "eduperson_principal_name": "anna@univ-grenoble-alpes.fr",
    "schac_home_organization": "univ-grenoble-alpes.fr",
    "eduperson_scoped_affiliation": ["staff@univ-grenoble-alpes.fr"],
}


def claims(**more: Any) -> dict[str, Any]:
    return {name: value for name, value in {**GOOD, **more}.items() if value is not None}


def at(scope: str, **more: Any) -> dict[str, Any]:
    return claims(
        eduperson_principal_name=f"anna@{scope}",
        schac_home_organization=scope,
        eduperson_scoped_affiliation=f"member@{scope}",
        **more,
    )


ANNA = "anna@univ-grenoble-alpes.fr"
LABO = {"schac_home_organization": None, "idp": "https://idp.labo.example/metadata"}
CASES: list[tuple[int, dict[str, Any], str]] = [
    (1, claims(), ANNA),
    (2, claims(schac_home_organization="UNIV-Grenoble-Alpes.FR"), ANNA),
    (
        3,
        claims(schac_home_organization=None, schacHomeOrganization=["univ-grenoble-alpes.fr"]),
        ANNA,
    ),
    (
        4,
        claims(eduperson_scoped_affiliation="member@x.fr;staff@univ-grenoble-alpes.fr"),
        ANNA,
    ),
    (5, claims(eduperson_scoped_affiliation="staff@im2ag.univ-grenoble-alpes.fr"), ANNA),
    (6, claims(eduperson_scoped_affiliation=None, eduperson_affiliation="staff"), ANNA),
    (7, claims(eduperson_scoped_affiliation="student@univ-grenoble-alpes.fr"), "affiliation-not-accepted"),
    (8, claims(eduperson_scoped_affiliation="staff@univ-lyon.fr"), "scope-not-owned"),
    (9, claims(eduperson_scoped_affiliation=None), "claim-missing"),
    (10, claims(eduperson_principal_name="anna@univ-lyon.fr"), "scope-not-owned"),
    (11, claims(eduperson_principal_name=None), "claim-missing"),
    (12, claims(eduperson_principal_name="anna"), "claim-malformed"),
    (
        13,
        claims(eduperson_principal_name=[ANNA, "b@univ-grenoble-alpes.fr"]),
        "claim-malformed",
    ),
    (14, claims(eduperson_principal_name={"value": "anna"}), "claim-malformed"),
    (15, claims(eduperson_principal_name=7), "claim-malformed"),
    (16, claims(sub=None), "claim-missing"),
    (17, claims(sub=["s-1"]), "claim-malformed"),
    (18, claims(sub="é"), "claim-malformed"),
    (19, claims(schac_home_organization="univ-nulle-part.fr"), "organization-unknown"),
    (20, claims(schac_home_organization=None), "claim-missing"),
    (21, claims(schac_home_organization="evil-univ-grenoble-alpes.fr"), "organization-unknown"),
    (22, at("math.cnrs.fr", eduperson_unique_id="42@math.cnrs.fr"), "42@math.cnrs.fr"),
    (23, at("math.cnrs.fr", eduperson_unique_id="42@evil.fr"), "scope-not-owned"),
    (24, at("math.cnrs.fr.evil.com"), "organization-unknown"),
    (25, at("ens.example", idp="https://idp.ens.example/shibboleth"), "anna@ens.example"),
    (
        26,
        claims(
            schac_home_organization=None,
            idp="https://idp.labo.example/metadata",
            eduperson_principal_name="x@labo.example",
        ),
        "x@labo.example",
    ),
    (27, claims(**LABO), "scope-not-owned"),
    (28, at("strong.example"), "assurance-too-low"),
    (29, at("strong.example", eduperson_assurance="https://refeds.org/assurance/IAP/medium"), "mfa-needed"),
    (30, claims(idp="https://bad.example/idp"), "organization-denied"),
    (31, at("x.spam.example"), "organization-denied"),
    (32, at("other.example"), "anna@other.example"),
    (33, {**at("other.example"), "eduperson_scoped_affiliation": "alum@other.example"}, "affiliation-not-accepted"),
    (34, claims(eduperson_principal_name="Anna@univ-grenoble-alpes.fr"), ANNA),
    (35, claims(email="someone@univ-lyon.fr"), ANNA),
    (36, claims(schac_home_organization="gmail.com", email=ANNA), "organization-unknown"),
]


CASES += [
    # An identity provider that a rule names speaks for that rule only, whatever organization it puts forward.
    (37, claims(idp="https://idp.labo.example/metadata"), "scope-not-owned"),
    (38, {**at("labo.example"), **LABO, "schac_home_organization": "labo.example"}, "anna@labo.example"),
    (
        39,
        {**at("cnrs.fr", eduperson_unique_id="1@cnrs.fr"), "idp": "https://idp.ens.example/x"},
        "organization-unknown",
    ),
    (41, {**at("x.spam.example"), "idp": "https://idp.labo.example/metadata"}, "organization-denied"),
    (40, claims(idp="https://idp.univ-grenoble-alpes.fr/shibboleth"), ANNA),
]


@pytest.mark.parametrize(("number", "raw", "expected"), CASES, ids=[str(case[0]) for case in CASES])
def test_case(number: int, raw: dict[str, Any], expected: str) -> None:
    decision = decide(raw, ISSUER, Policy(institutions=RULES))
    got = decision.identity.username if decision.identity else decision.refused and decision.refused.reason
    assert got == expected, [str(step) for step in decision.steps]
    assert decision.steps


def test_an_organization_that_an_identity_provider_only_says_of_itself_is_not_believed() -> None:
    lone = {"name": "lone", "idps": ["https://idp.lone.example/x"], "username": "sub"}
    policy = Policy(institutions=(lone,), person="subject")
    raw = {"sub": "s1", "idp": "https://idp.lone.example/x", "schac_home_organization": "cnrs.fr"}
    raw |= {"eduperson_principal_name": "victim@cnrs.fr", "eduperson_scoped_affiliation": "staff@cnrs.fr"}
    identity = decide(raw, ISSUER, policy).unwrap()
    assert (identity.home_organization, identity.affiliations, identity.identifiers) == (None, (), {})
    by_name = Policy(institutions=({**lone, "username": "eppn"},))
    refused = decide(raw, ISSUER, by_name).refused
    assert refused is not None
    assert refused.reason == "scope-not-owned"


@pytest.mark.parametrize(("idp", "told"), [("https://moved.example/idp", "came from https://moved.example/idp"), (None, "came from —")])  # fmt: skip # noqa: E501
def test_an_administrator_is_told_that_a_known_organizations_identity_provider_has_moved(
    idp: str | None, told: str
) -> None:
    decision = decide(at("ens.example", idp=idp), ISSUER, Policy(institutions=(BY_IDP,)))
    assert decision.refused is not None
    assert decision.refused.reason == "organization-unknown"
    step = str(decision.steps[0])
    assert "“ens” knows the organization ens.example" in step
    assert "https://idp.ens.example/*" in step
    assert told in step


def test_groups_come_from_organization_affiliation_and_entitlement() -> None:
    policy = Policy(institutions=RULES, groups=({"name": "teachers", "affiliations": ["faculty"]},))
    plain = decide(claims(), ISSUER, policy).unwrap()
    assert plain.groups == ("uga",)
    rich = decide(
        claims(
            eduperson_scoped_affiliation="faculty@univ-grenoble-alpes.fr",
            eduperson_entitlement=["urn:geant:math.cnrs.fr:group:gpu:role=member#portal.example"],
        ),
        ISSUER,
        policy,
    ).unwrap()
    assert rich.groups == ("gpu", "teachers", "uga")
    assert rich.home_site == "grenoble"


def test_a_refusal_names_attribute_organization_and_whom_to_write_to_but_nobody() -> None:
    refused = decide(claims(eduperson_principal_name="anna@univ-lyon.fr"), ISSUER, Policy(institutions=RULES)).refused
    assert refused is not None
    assert refused.attribute == "eduperson_principal_name"
    assert refused.organization == "univ-grenoble-alpes.fr"
    assert refused.contact == "identites@univ-grenoble-alpes.fr"
    assert "anna" not in str(refused)
    assert "univ-lyon.fr" in str(refused.message)


def test_an_institution_may_be_asked_for_mfa() -> None:
    raw = at("strong.example", eduperson_assurance=["https://refeds.org/assurance/IAP/medium"])
    policy = Policy(institutions=RULES)
    assert decide(raw, ISSUER, policy, acr="https://refeds.org/profile/mfa").unwrap().acr
    assert decide({**raw, "acr": "https://refeds.org/profile/mfa"}, ISSUER, policy).refused, (
        "only the ID token says how"
    )


def test_presets_have_their_own_usernames_and_persons() -> None:
    raw = {"sub": "S-1", "preferred_username": "anna", "voperson_id": "ab12@egi.eu", "name": "Anna B"}
    plm = decide(raw, ISSUER, Policy(preset="plm")).unwrap()
    assert plm.person == f"{ISSUER}#S-1"
    assert plm.username.startswith("s-1--"), "capitals of a subject count, and JupyterHub would lower them"
    assert decide(raw, ISSUER, Policy(preset="egi-checkin")).unwrap().username == "ab12@egi.eu"
    assert decide(raw, ISSUER, Policy(preset="keycloak")).unwrap().username == "anna"


def test_who_has_no_federation_wide_identifier_comes_in_without_one() -> None:
    raw = {"sub": "S-1", "preferred_username": "anna", "name": "Anna B"}
    assert decide(raw, ISSUER, Policy(preset="keycloak", person="voperson_id")).unwrap().person is None


def test_another_name_of_a_claim_replaces_the_usual_ones() -> None:
    policy = Policy(institutions=RULES, claims={"eppn": ("login_national",)})
    assert decide(claims(), ISSUER, policy).refused
    raw = claims(login_national="nat@univ-grenoble-alpes.fr")
    assert decide(raw, ISSUER, policy).unwrap().username == "nat@univ-grenoble-alpes.fr"
