"""Links for teachers: they go through the portal as they are, and what can't work is said before it is handed out."""

import pytest

from jupytercloud_hub.contracts.links import parse_go
from jupytercloud_hub.contracts.text import Localized
from jupytercloud_hub.federation.link_builder import LinkWish, build
from jupytercloud_hub.federation.model import SiteState, SiteView

BASE = "https://portail.example.fr/services/federation/go/"
SITES = {
    "reims": SiteView(
        "reims", "https://reims.example.fr/", Localized("Reims"), SiteState.UP, profiles=frozenset({"lab"})
    ),
    "paris": SiteView(
        "paris", "https://paris.example.fr/", Localized("Paris"), SiteState.UP, profiles=frozenset({"gpu"})
    ),
    "new": SiteView("new", "https://new.example.fr/", Localized("New"), SiteState.UNKNOWN),
}


@pytest.mark.parametrize(
    ("wish", "behind_go"),
    [
        (LinkWish(), "hub/user-redirect/lab"),
        (LinkWish(path="/été/a b.ipynb"), "hub/user-redirect/lab/tree/%C3%A9t%C3%A9/a%20b.ipynb"),
        (LinkWish(path="a.ipynb", app="tree"), "hub/user-redirect/tree/a.ipynb"),
        (LinkWish(profile="gpu", site="paris"), "~site=paris/~profile=gpu/hub/user-redirect/lab"),
        (
            LinkWish(kind="git", repository="https://git.example.fr/a/b", branch="main", path="x.ipynb"),
            "hub/user-redirect/git-pull?repo=https%3A%2F%2Fgit.example.fr%2Fa%2Fb&branch=main&urlpath=lab%2Ftree%2Fb%2Fx.ipynb",
        ),
    ],
)
def test_a_link_is_made_and_goes_through_the_portal(wish, behind_go):
    built = build(wish, BASE, SITES)
    assert built.url == BASE + behind_go
    assert parse_go(built.url, BASE).target() == behind_go


def test_it_says_which_sites_can_not_serve_it():
    assert set(build(LinkWish(profile="gpu"), BASE, SITES).unable) == {"reims"}
    assert set(build(LinkWish(profile="gpu", site="paris"), BASE, SITES).unable) == set()
    assert set(build(LinkWish(profile="nothing"), BASE, SITES).unable) == {"reims", "paris"}


@pytest.mark.parametrize(
    "wish",
    [
        LinkWish(site="atlantis"),
        LinkWish(profile="a/b"),
        LinkWish(kind="git", repository="git@example.fr:a/b"),
        LinkWish(kind="git", repository="https://me:secret@git.example.fr/a"),
        LinkWish(kind="git"),
        LinkWish(path="../../etc/passwd"),
        LinkWish(path="a//b"),
        LinkWish(path="x" * 3000),
    ],
)
def test_what_can_not_work_is_said_and_no_link_is_made(wish):
    built = build(wish, BASE, SITES)
    assert built.url is None
    assert str(built.problem)
