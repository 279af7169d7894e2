"""Weighted rendezvous hashing: shares as the weights say, and nobody moves without need."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupytercloud_hub.federation.rendezvous import order, score


def test_scores_are_proportional_to_weights():
    assert score("marie", "reims", 6.0) == pytest.approx(3 * score("marie", "reims", 2.0))
    assert score("marie", "reims", 0) == 0


def test_a_person_and_a_site_are_not_run_together():
    assert score("ab", "c", 1) != score("a", "bc", 1)


def test_fifty_thousand_people_spread_as_the_weights_say():
    weights = {f"site{i}": float(i + 1) for i in range(10)}
    counts = dict.fromkeys(weights, 0)
    people = 50_000
    for i in range(people):
        counts[order(f"person-{i}@example.fr", weights.items())[0]] += 1
    for site, weight in weights.items():
        share = weight / sum(weights.values())
        four_sigma = 4 * math.sqrt(people * share * (1 - share))
        assert abs(counts[site] - people * share) < four_sigma, site


@given(
    st.text(max_size=20),
    st.dictionaries(st.text("abc", min_size=1, max_size=3), st.floats(0.01, 100), min_size=2, max_size=6),
)
def test_when_a_site_leaves_the_order_of_the_others_stays(person, weights):
    full = order(person, weights.items())
    gone = full[0]
    assert order(person, ((site, weight) for site, weight in weights.items() if site != gone)) == full[1:]


@given(
    st.text(max_size=20),
    st.dictionaries(st.text("abc", min_size=1, max_size=3), st.floats(0.01, 100), min_size=2, max_size=6),
)
def test_a_site_that_grows_only_draws_people_to_itself(person, weights):
    before = order(person, weights.items())[0]
    grown = sorted(weights)[0]
    after = order(person, {**weights, grown: weights[grown] * 3}.items())[0]
    assert after in (before, grown)
