"""Routing as numbered cases, then what must hold for any snapshot."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupytercloud_hub.contracts.heartbeat import RunningServer
from jupytercloud_hub.contracts.limits import SharedLimit
from jupytercloud_hub.contracts.links import GoLink
from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.contracts.text import Localized
from jupytercloud_hub.federation.model import Decision, Failure, Held, Outcome, SiteState, SiteView
from jupytercloud_hub.federation.routing import decide
from jupytercloud_hub.settings.federation import FederationRule

UP, DOWN, UNKNOWN = SiteState.UP, SiteState.DOWN, SiteState.UNKNOWN
GRENOBLE, REIMS, PARIS = "grenoble", "reims", "paris-saclay"


def view(name, state=UP, **more) -> SiteView:
    return SiteView(name=name, url=f"https://{name}.example.fr/", title=Localized(name), state=state, **more)


def sites(**states) -> dict[str, SiteView]:
    """Three sites that are up, but for those that are named with another state or a whole view."""
    all_ = {name: view(name) for name in (GRENOBLE, REIMS, PARIS)}
    for name, other in states.items():
        name = name.replace("_", "-")
        all_[name] = other if isinstance(other, SiteView) else view(name, other)
    return all_


MARIE = Person(
    username="marie",
    person="marie@uga",
    home_organization="univ-grenoble-alpes.fr",
    affiliations=("member@univ-grenoble-alpes.fr", "employee@univ-grenoble-alpes.fr"),
    groups=("maths",),
)
PAUL = Person(username="paul", person="paul@x", home_organization="nowhere.example")

RULES = (
    FederationRule(
        name="grenoble", home_organizations=("univ-grenoble-alpes.fr",), allow=(GRENOBLE, REIMS), prefer=(GRENOBLE,)
    ),
    FederationRule(name="cnrs", home_organizations=("*.cnrs.fr",), affiliations=("employee",), allow=("*",)),
    FederationRule(name="lycees", home_organizations=("/lycee-.+/",), groups=("pupils",), allow=(REIMS,)),
)
DENY = (*RULES, FederationRule(name="not the members", affiliations=("member@univ-grenoble-alpes.fr",), deny=(REIMS,)))


PLAIN = GoLink("hub/")


@dataclass
class Case:
    number: int
    expect: tuple[Outcome, str | None]
    person: Person = MARIE
    link: GoLink = PLAIN
    home: str | None = None
    sites: dict = field(default_factory=sites)
    rules: tuple = RULES
    sets_home: bool = False
    choices: tuple | None = None
    reason: str = ""


CASES = [
    # rules
    Case(1, (Outcome.GO, GRENOBLE), sets_home=True, reason="people like you"),
    Case(2, (Outcome.NOT_ALLOWED, None), person=PAUL, reason="No site"),
    Case(3, (Outcome.GO, REIMS), sites=sites(grenoble=DOWN), sets_home=True),
    Case(4, (Outcome.NONE_LEFT, None), sites=sites(grenoble=DOWN, reims=UNKNOWN)),
    Case(5, (Outcome.NONE_LEFT, None), rules=DENY, sites=sites(grenoble=DOWN)),
    Case(
        6,
        (Outcome.GO, REIMS),
        person=Person(username="ana", home_organization="LYCEE-stendhal", groups=("pupils",)),
        sets_home=True,
    ),
    Case(7, (Outcome.NOT_ALLOWED, None), person=Person(username="ana", home_organization="lycee-stendhal")),
    Case(8, (Outcome.NOT_ALLOWED, None), person=Person(username="x")),
    # entitlements
    Case(
        9,
        (Outcome.GO, PARIS),
        person=Person(username="ana", entitlements=("urn:geant:math.cnrs.fr:group:GPU:role=member#portal",)),
        rules=(FederationRule(entitlements=("urn:geant:math.cnrs.fr:group:gpu*",), allow=(PARIS,)),),
        sets_home=True,
    ),
    # asked for by name
    Case(10, (Outcome.GO, REIMS), link=GoLink("hub/", site=REIMS), home=GRENOBLE, reason="by name"),
    Case(11, (Outcome.NOT_ALLOWED, PARIS), link=GoLink("hub/", site=PARIS)),
    Case(12, (Outcome.UNKNOWN_SITE, None), link=GoLink("hub/", site="atlantis")),
    Case(13, (Outcome.AWAY, REIMS), link=GoLink("hub/", site=REIMS), sites=sites(reims=DOWN)),
    Case(14, (Outcome.NOT_ALLOWED, REIMS), link=GoLink("hub/", site=REIMS), rules=DENY, reason="not the members"),
    Case(15, (Outcome.GO, REIMS), link=GoLink("hub/", site=REIMS)),
    # home site
    Case(20, (Outcome.GO, REIMS), home=REIMS, reason="files are there"),
    Case(21, (Outcome.AWAY, REIMS), home=REIMS, sites=sites(reims=DOWN)),
    Case(22, (Outcome.AWAY, REIMS), home=REIMS, sites=sites(reims=SiteState.MAINTENANCE)),
    Case(23, (Outcome.AWAY, REIMS), home=REIMS, sites=sites(reims=SiteState.DRAINING)),
    Case(24, (Outcome.AWAY, REIMS), home=REIMS, sites=sites(reims=UNKNOWN)),
    Case(25, (Outcome.GO, REIMS), home=REIMS, sites=sites(reims=SiteState.DEGRADED)),
    Case(
        26,
        (Outcome.OTHER_SITE, GRENOBLE),
        home=REIMS,
        sites=sites(reims=view(REIMS, DOWN, failure=Failure.EMPTY_HOME)),
        reason="not there",
    ),
    Case(
        27,
        (Outcome.AWAY, REIMS),
        home=REIMS,
        sites=sites(reims=view(REIMS, DOWN, failure=Failure.EMPTY_HOME), grenoble=DOWN),
    ),
    Case(
        28,
        (Outcome.GO, GRENOBLE),
        home=REIMS,
        sites=sites(reims=view(REIMS, DOWN, failure=Failure.PARTNER, partners=(PARIS, GRENOBLE))),
        reason="copies",
    ),
    Case(
        29,
        (Outcome.AWAY, REIMS),
        home=REIMS,
        sites=sites(reims=view(REIMS, DOWN, failure=Failure.PARTNER, partners=(PARIS,))),
    ),
    Case(30, (Outcome.NOT_ALLOWED, PARIS), home=PARIS, choices=(GRENOBLE, REIMS), reason="no longer open"),
    Case(31, (Outcome.AWAY, None), home="atlantis", choices=(GRENOBLE, REIMS), reason="left the federation"),
    Case(
        32, (Outcome.GO, GRENOBLE), home=GRENOBLE, sites=sites(grenoble=view(GRENOBLE, free={"*": 0})), reason="files"
    ),
    # profile
    Case(
        40,
        (Outcome.GO, REIMS),
        link=GoLink("hub/", profile="gpu"),
        sites=sites(
            grenoble=view(GRENOBLE, profiles=frozenset({"lab"})), reims=view(REIMS, profiles=frozenset({"gpu"}))
        ),
    ),
    Case(
        41,
        (Outcome.CHOOSE, GRENOBLE),
        link=GoLink("hub/", profile="gpu"),
        home=GRENOBLE,
        choices=(REIMS,),
        sites=sites(
            grenoble=view(GRENOBLE, profiles=frozenset({"lab"})), reims=view(REIMS, profiles=frozenset({"gpu"}))
        ),
    ),
    Case(
        42,
        (Outcome.NO_PROFILE, None),
        link=GoLink("hub/", profile="gpu"),
        sites=sites(grenoble=view(GRENOBLE, profiles=frozenset()), reims=view(REIMS, profiles=frozenset())),
    ),
    Case(
        43,
        (Outcome.NONE_LEFT, None),
        link=GoLink("hub/", profile="gpu"),
        sites=sites(grenoble=view(GRENOBLE, free={"gpu": 0}), reims=view(REIMS, free={"*": 0})),
        reason="full",
    ),
    Case(
        44,
        (Outcome.NONE_LEFT, None),
        link=GoLink("hub/", profile="gpu"),
        sites=sites(
            grenoble=view(GRENOBLE, DOWN, profiles=frozenset({"gpu"})), reims=view(REIMS, profiles=frozenset())
        ),
    ),
    Case(
        45,
        (Outcome.CHOOSE, GRENOBLE),
        link=GoLink("hub/", site=GRENOBLE, profile="gpu"),
        choices=(REIMS,),
        sites=sites(grenoble=view(GRENOBLE, profiles=frozenset({"lab"}))),
    ),
    Case(46, (Outcome.GO, GRENOBLE), link=GoLink("hub/", profile="gpu")),
    Case(
        47,
        (Outcome.NO_PROFILE, GRENOBLE),
        link=GoLink("hub/", profile="gpu"),
        home=GRENOBLE,
        choices=(),
        sites=sites(
            grenoble=view(GRENOBLE, profiles=frozenset({"lab"})), reims=view(REIMS, profiles=frozenset({"lab"}))
        ),
    ),
    # room and preference
    Case(50, (Outcome.GO, REIMS), sites=sites(grenoble=view(GRENOBLE, free={"*": 0})), sets_home=True),
    Case(
        51,
        (Outcome.GO, GRENOBLE),
        sites=sites(grenoble=view(GRENOBLE, free={"*": 1}), reims=view(REIMS, free={"*": 1000})),
        sets_home=True,
    ),
    Case(52, (Outcome.GO, PARIS), rules=(), sets_home=True, sites=sites(grenoble=DOWN, reims=DOWN)),
    Case(53, (Outcome.GO, REIMS), rules=(FederationRule(allow=(REIMS,)),), sets_home=True, reason="only site"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.number))
def test_case(case):
    decision = decide(case.person, case.link, case.home, case.sites, case.rules)
    assert (decision.outcome, decision.site) == case.expect
    assert decision.sets_home == case.sets_home
    assert case.reason in str(decision.reason)
    if case.choices is not None:
        assert set(decision.choices) == set(case.choices)


# --- what holds for any snapshot

NAMES = [f"s{i}" for i in range(6)]
STATES = st.sampled_from(list(SiteState))
FREE = st.dictionaries(st.sampled_from(["*", "lab", "gpu"]), st.integers(0, 5), max_size=3)
VIEWS = st.fixed_dictionaries(
    {
        name: st.builds(
            view,
            st.just(name),
            STATES,
            weight=st.floats(0.1, 50),
            ramp=st.floats(0.1, 1),
            profiles=st.none() | st.frozensets(st.sampled_from(["lab", "gpu"])),
            free=FREE,
            failure=st.sampled_from([Failure.WAIT, Failure.EMPTY_HOME]),
        )
        for name in NAMES
    }
)
PEOPLE = st.builds(
    Person,
    username=st.text("abc", min_size=1, max_size=8),
    home_organization=st.none() | st.sampled_from(["a.fr", "b.fr"]),
    groups=st.sampled_from([(), ("g",)]),
    entitlements=st.sampled_from([(), ("urn:x:group:gpu#p",), ("urn:x:group:big#p", "urn:y:z")]),
)
LINKS = st.builds(
    GoLink, st.just("hub/"), st.none() | st.sampled_from([*NAMES, "none"]), st.none() | st.sampled_from(["lab", "gpu"])
)
SOME = st.lists(st.sampled_from(NAMES), max_size=3).map(tuple)
RULE = st.builds(
    FederationRule,
    home_organizations=st.sampled_from([(), ("a.fr",), ("*.fr",)]),
    groups=st.sampled_from([(), ("g",)]),
    entitlements=st.sampled_from([(), ("urn:x:*",), ("urn:x:group:gpu#p",)]),
    allow=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(tuple),
    deny=SOME,
    prefer=SOME,
)
QUESTIONS = st.tuples(PEOPLE, LINKS, st.none() | st.sampled_from(NAMES), VIEWS, st.lists(RULE, max_size=4).map(tuple))


def allowed(person, rules) -> set[str]:
    """The rules once more, in another way than the code's."""
    if not rules:
        return set(NAMES)
    yes, no = set(), set()
    for rule in rules:
        organization = person.home_organization or ""
        fits = {(): True, ("a.fr",): organization == "a.fr", ("*.fr",): organization.endswith(".fr")}
        entitled = {
            (): True,
            ("urn:x:*",): any(one.startswith("urn:x:") for one in person.entitlements),
            ("urn:x:group:gpu#p",): "urn:x:group:gpu#p" in person.entitlements,
        }[rule.entitlements]
        grouped = not rule.groups or set(rule.groups) & set(person.groups)
        if fits[rule.home_organizations] and grouped and entitled:
            yes |= set(rule.allow)
            no |= set(rule.deny)
    return yes - no


@settings(max_examples=800, deadline=None)
@given(QUESTIONS)
def test_nobody_is_sent_to_a_site_that_is_not_allowed_or_not_up(question):
    person, _link, _home, views, rules = question
    decision = decide(*question)
    for name in (
        (decision.site, *decision.choices) if decision.outcome in (Outcome.GO, Outcome.OTHER_SITE) else decision.choices
    ):
        assert name in allowed(person, rules)
        assert views[name].state.routable


@settings(max_examples=400, deadline=None)
@given(QUESTIONS)
def test_the_same_question_has_the_same_answer_and_the_order_of_sites_does_not_count(question):
    person, link, home, views, rules = question
    turned = dict(reversed(views.items()))
    assert decide(*question) == decide(*question)
    first, second = decide(*question), decide(person, link, home, turned, rules)
    assert (first.outcome, first.site, first.choices) == (second.outcome, second.site, second.choices)


@settings(max_examples=400, deadline=None)
@given(QUESTIONS)
def test_every_site_is_accounted_for(question):
    decision: Decision = decide(*question)
    assert set(decision.others) | {decision.site} >= set(NAMES)
    assert all(str(reason) for reason in (decision.reason, *decision.others.values()))


@settings(max_examples=400, deadline=None)
@given(QUESTIONS)
def test_only_an_ordinary_first_visit_sets_the_home_site(question):
    _person, link, home, _views, _rules = question
    decision = decide(*question)
    if decision.sets_home:
        assert decision.outcome is Outcome.GO
        assert home is None
        assert link.plain


@settings(max_examples=400, deadline=None)
@given(QUESTIONS)
def test_whoever_has_a_home_site_that_is_up_and_open_goes_there_on_an_ordinary_visit(question):
    person, _link, home, views, rules = question
    if home is None or home not in allowed(person, rules) or not views[home].state.routable:
        return
    decision = decide(person, GoLink("hub/"), home, views, rules)
    assert (decision.outcome, decision.site) == (Outcome.GO, home)


@settings(max_examples=400, deadline=None)
@given(QUESTIONS)
def test_a_site_that_leaves_moves_only_the_people_who_went_there(question):
    person, _link, _home, views, rules = question
    link = GoLink("hub/")
    before = decide(person, link, None, views, rules)
    for gone in NAMES:
        rest = {name: site for name, site in views.items() if name != gone}
        after = decide(person, link, None, rest, rules)
        if before.outcome is Outcome.GO and before.site != gone:
            assert after.site == before.site


HELD = st.builds(
    Held,
    st.sampled_from(NAMES),
    st.builds(RunningServer, person=st.just("x"), profile=st.sampled_from(["lab", "gpu"]), gpu=st.sampled_from([0, 1])),
    st.just(datetime(2026, 11, 20, tzinfo=UTC)),
    st.booleans(),
)
LIMIT = st.builds(
    SharedLimit,
    name=st.just("limit"),
    most=st.integers(1, 3),
    gpu=st.booleans(),
    profiles=st.sampled_from([(), ("gpu",), ("l*",)]),
)


@settings(max_examples=800, deadline=None)
@given(QUESTIONS, st.lists(HELD, max_size=4), st.lists(LIMIT, max_size=2))
def test_a_limit_over_all_sites_only_ever_stops_a_link_with_a_profile_for_servers_that_are_known_elsewhere(
    question, held, limits
):
    free, decision = decide(*question), decide(*question, limits, held)
    if decision.outcome is not Outcome.LIMITED:
        assert decision == free
        return
    assert free.outcome is Outcome.GO
    assert question[1].profile is not None
    assert not decision.sets_home
    assert all(one.site != free.site and not one.stale for one in decision.held)
    assert any(len(decision.held) >= limit.most for limit in limits)
