from typing import Any

import pytest
from pydantic import TypeAdapter

from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.profiles.catalogue import Catalogue, Profiles
from jupytercloud_hub.profiles.form import Card, Form, FormPlan
from jupytercloud_hub.profiles.refusal import Refused
from jupytercloud_hub.profiles.resources import Capabilities

VERSION = {"name": "version", "title": "Version", "choices": ["1", "2"]}
CATALOGUE = Catalogue(
    TypeAdapter(Profiles).validate_python(
        [
            {"name": "open", "title": "Open", "section": "General", "options": [VERSION]},
            {"name": "other", "title": "Other", "section": "General", "default": True, "options": [VERSION]},
            {
                "name": "course",
                "title": "Course",
                "section": "Courses",
                "access": {"groups": ["class"]},
                "options": [{"name": "week", "title": "Week", "choices": ["1", "2"]}],
            },
            {"name": "secret", "title": "Secret", "access": {"groups": ["few"], "hidden": True}},
            {"name": "gpu", "title": "GPU", "resources": {"gpu": 1}},
        ]
    )
)
PLAN = FormPlan(CATALOGUE, Capabilities())
PUPIL = Person(username="p", groups=("class",))
VISITOR = Person(username="v")


def cards(form: Form) -> dict[str, Card]:
    return {card.plan.profile.name: card for section in form.sections for card in section.cards}


def checked(form: Form) -> list[str]:
    return [name for name, card in cards(form).items() if card.checked]


def test_sections_keep_the_order_of_the_catalogue_and_hide_what_is_hidden() -> None:
    form = PLAN.for_person(VISITOR)
    assert [section.title and section.title.in_("fr") for section in form.sections] == ["General", "Courses", None]
    assert "secret" not in cards(form)
    assert "the group class" in str(cards(form)["course"].refusal)
    assert "has none" in str(cards(form)["gpu"].refusal)


@pytest.mark.parametrize(
    ("person", "last", "chosen"),
    [
        (PUPIL, None, "other"),
        (PUPIL, {"profile": "course", "options": {}}, "course"),
        (VISITOR, {"profile": "course", "options": {}}, "other"),
        (PUPIL, {"profile": "gone", "options": {}}, "other"),
        (PUPIL, {"profile": "gpu"}, "other"),
        (PUPIL, {"profile": ["course"]}, "other"),
        (PUPIL, "nonsense", "other"),
    ],
)
def test_last_choice_is_chosen_beforehand_while_it_still_exists(person: Person, last: Any, chosen: str) -> None:
    assert checked(PLAN.for_person(person, last)) == [chosen]


def test_answers_of_the_last_choice_are_kept_one_by_one() -> None:
    card = cards(PLAN.for_person(PUPIL, {"profile": "open", "options": {"version": "2", "gone": "x"}}))["open"]
    assert card.value(card.plan.questions[0].option) == "2"
    card = cards(PLAN.for_person(PUPIL, {"profile": "open", "options": {"version": "9"}}))["open"]
    assert card.value(card.plan.questions[0].option) == "1"


def test_name_of_a_field_names_its_profile_only_where_two_share_it() -> None:
    assert PLAN.posted_name("course", "week") == "option-week"
    assert PLAN.posted_name("open", "version") == "option-version@open"


@pytest.mark.parametrize(
    ("posted", "read"),
    [
        ({"profile": ["gpu"]}, {"profile": "gpu", "options": {}}),
        ({"profile": ["course"], "option-week": ["2"]}, {"profile": "course", "options": {"week": "2"}}),
        ({"profile": ["open"], "option-version": ["2"]}, {"profile": "open", "options": {"version": "2"}}),
        (
            {"profile": ["open"], "option-version@open": [" 2 "], "option-version@other": ["1"], "option-week": ["1"]},
            {"profile": "open", "options": {"version": "2"}},
        ),
        (
            {"profile": ["open"], "option-version": ["1"], "option-version@open": ["2"]},
            {"profile": "open", "options": {"version": "2"}},
        ),
        ({"profile": ["open"], "option-bogus": ["x"]}, {"profile": "open", "options": {"bogus": "x"}}),
        ({"profile": ["gpu"], "option-week@gpu": ["x"]}, {"profile": "gpu", "options": {"week": "x"}}),
        ({"profile": ["open"], "_xsrf": ["x"], "submit": ["x"]}, {"profile": "open", "options": {}}),
    ],
)
def test_posted_form_is_read_for_the_chosen_profile(posted: dict[str, list[str]], read: dict[str, Any]) -> None:
    assert PLAN.read(posted) == read


@pytest.mark.parametrize("posted", [{}, {"profile": []}, {"profile": [""]}, {"profile": ["open", "gpu"]}])
def test_form_without_one_profile_is_refused(posted: dict[str, list[str]]) -> None:
    with pytest.raises(Refused, match="choose a profile"):
        PLAN.read(posted)


def test_link_names_options_with_or_without_their_prefix() -> None:
    asked = PLAN.read_link({"profile": ["course"], "option-week": ["2"], "lang": ["fr"]})
    assert asked == {"profile": "course", "options": {"week": "2", "lang": "fr"}}
    card = cards(PLAN.for_person(PUPIL, asked))["course"]
    assert card.checked
    assert card.value(card.plan.questions[0].option) == "2"


def test_limits_that_nobody_enforces_are_said() -> None:
    assert "not enforced" in str(PLAN.for_person(VISITOR).notes[0])
    assert FormPlan(CATALOGUE, Capabilities(limits="enforced")).for_person(VISITOR).notes == ()
