"""Codes: what people mistype is noticed, what they type otherwise is read, and guesses find nothing."""

from __future__ import annotations

import random
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupytercloud_hub.events import codes
from jupytercloud_hub.events.pseudonyms import NUMBER, draw_name

KEY = b"k" * 32
some_code = st.integers(0, 2**63).map(lambda seed: codes.new_code(random.Random(seed).choice))


@given(some_code)
def test_a_code_is_read_as_it_is_shown_typed_small_or_with_spaces(code):
    for typed in (code, codes.shown(code), code.lower(), f" {codes.shown(code).replace('-', ' ')}\n"):
        assert codes.read(typed) == code


@given(some_code, st.integers(0, codes.LENGTH - 1), st.sampled_from(codes.ALPHABET))
def test_every_single_wrong_character_is_noticed(code, place, char):
    typed = code[:place] + char + code[place + 1 :]
    assert codes.read(typed) == (code if typed == code else None)


@given(some_code, st.integers(0, codes.LENGTH - 2))
def test_two_neighbours_exchanged_are_noticed(code, place):
    typed = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert codes.read(typed) == (code if typed == code else None)


@given(st.text(max_size=200))
def test_whatever_is_typed_is_read_or_refused_and_never_an_error(typed):
    found = codes.read(typed)
    assert found is None or (len(found) == codes.LENGTH and set(found) <= set(codes.ALPHABET))


@pytest.mark.parametrize("alike", ["0O", "1IL", "2Z", "5S", "6G", "8B", "UV"])
def test_of_letters_that_look_alike_at_most_one_is_used(alike):
    assert len(set(alike) & set(codes.ALPHABET)) <= 1


def test_ten_thousand_well_formed_guesses_find_none_of_two_thousand_codes():
    """The chance of one hit is 10,000 × 2,000 / 23^8 = 1 in 4,000; the seed makes the test the same each time."""
    draw = random.Random(8).choice
    kept = {codes.digest(code, KEY) for code in codes.new_codes(2000, secrets.choice)}
    assert not [guess for guess in codes.new_codes(10_000, draw) if codes.digest(guess, KEY) in kept]
    assert 10_000 * 2_000 / len(codes.ALPHABET) ** codes.RANDOM < 1 / 3_900


def test_what_is_kept_of_a_code_says_nothing_without_the_key():
    code = codes.new_code(secrets.choice)
    assert codes.digest(code, KEY) != codes.digest(code, b"x" * 32)
    assert code not in codes.digest(code, KEY)


def test_names_are_given_to_one_visitor_only_even_when_all_are_given():
    draw, taken = random.Random(1).choice, set()
    for _ in range(NUMBER + 20):
        name = draw_name(draw, taken)
        assert name not in taken
        taken.add(name)
