"""Which language a page speaks: French for whoever prefers neither French nor English."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupytercloud_hub.contracts.text import LANGUAGES
from jupytercloud_hub.web.common import local_target
from jupytercloud_hub.web.i18n import negotiate, translations

NEGOTIATED = [
    # asked for in the address, cookie, Accept-Language → language
    (1, None, None, None, "fr"),
    (2, None, None, "", "fr"),
    (3, None, None, "en", "en"),
    (4, None, None, "en-GB,en;q=0.9", "en"),
    (5, None, None, "fr-CA, en;q=0.9", "fr"),
    (6, None, None, "de, en;q=0.5, fr;q=0.7", "fr"),
    (7, None, None, "de-DE, it;q=0.5", "fr"),
    (8, None, None, "fr;q=0, en;q=0.1", "en"),
    (9, None, None, "en;q=0", "fr"),
    (10, None, None, "*", "fr"),
    (11, None, "en", "fr", "en"),
    (12, "fr", "en", "en", "fr"),
    (13, "de", "en", "fr", "en"),
    (14, None, "xx", "en", "en"),
    (15, "EN", None, "fr", "en"),
    (16, None, None, "en;q=loud, fr;q=0.2", "fr"),
    (17, None, None, ",,;;q=", "fr"),
    (18, None, None, "EN-us", "en"),
    (19, "english", None, "fr", "en"),
]


@pytest.mark.parametrize(("_case", "asked", "cookie", "header", "language"), NEGOTIATED)
def test_the_language_is_the_first_of_address_cookie_browser_and_french(_case, asked, cookie, header, language):
    assert negotiate(asked, cookie, accept_language=header) == language


@given(st.text(), st.text())
def test_whatever_a_browser_sends_the_answer_is_one_of_our_languages(cookie, header):
    assert negotiate(cookie, accept_language=header) in LANGUAGES


@given(st.text())
def test_a_target_after_a_switch_is_always_on_this_service(target):
    found = local_target(target, "/labo/services/essai/")
    assert found.startswith("/labo/services/essai/")


def test_a_sentence_without_a_translation_stays_english_and_breaks_nothing():
    assert translations("fr").gettext("no such sentence anywhere") == "no such sentence anywhere"
    assert translations("en").gettext("Privacy") == "Privacy"
    assert translations("fr").gettext("Privacy") != "Privacy"
