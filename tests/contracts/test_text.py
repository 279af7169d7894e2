"""Words for people: pure rooms say them, an edge translates them, administrators write some themselves."""

from __future__ import annotations

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupytercloud_hub.contracts.text import Localized, Text

FRENCH = {"{left} left on {what}": "il reste {left} sur {what}", "the machine": "la machine"}.get
ADAPTER = pydantic.TypeAdapter(Localized)


def french(text: Text) -> str:
    return text.render(lambda msgid: FRENCH(msgid, msgid), "fr")


def test_a_sentence_is_translated_whole_and_then_filled():
    assert french(Text("{left} left on {what}", left="3 h", what="pycoa")) == "il reste 3 h sur pycoa"


def test_a_sentence_within_a_sentence_and_an_administrators_words_are_read_in_the_same_language():
    text = Text("{left} left on {what}", left="3 h", what=Text("the machine"))
    assert french(text) == "il reste 3 h sur la machine"
    assert str(text) == "3 h left on the machine"
    own = Text("{left} left on {what}", left="3 h", what=Localized({"fr": "Calcul", "en": "Computing"}))
    assert (french(own), str(own)) == ("il reste 3 h sur Calcul", "3 h left on Computing")


@given(st.text())
def test_what_a_person_or_a_file_says_never_changes_the_sentence(value):
    assert str(Text("here: {value}", value=value)) == f"here: {value}"


def test_a_sentence_is_the_same_as_one_with_the_same_words():
    assert Text("a {b}", b=1) == Text("a {b}", b=1)
    assert hash(Text("a {b}", b=1)) == hash(Text("a {b}", b=1))
    assert Text("a {b}", b=1) != Text("a {b}", b=2)


@pytest.mark.parametrize(
    ("written", "in_french", "in_english"),
    [
        ("PyCoA", "PyCoA", "PyCoA"),
        ({"fr": "Premiers pas", "en": "First steps"}, "Premiers pas", "First steps"),
        ({"fr": "Premiers pas"}, "Premiers pas", "Premiers pas"),
        ({"en": "First steps"}, "First steps", "First steps"),
    ],
)
def test_an_administrators_words_are_shown_in_the_readers_language_else_in_the_one_they_have(
    written, in_french, in_english
):
    text = ADAPTER.validate_python(written)
    assert (text.in_("fr"), text.in_("en")) == (in_french, in_english)
    assert ADAPTER.validate_python(ADAPTER.dump_python(text)) == text


@pytest.mark.parametrize("written", [3, None, [], {}, {"de": "Hallo"}, {"fr": 3}, {1: "a"}])
def test_what_is_no_words_is_refused(written):
    with pytest.raises(pydantic.ValidationError):
        ADAPTER.validate_python(written)
