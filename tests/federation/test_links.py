"""Deep links: what is cut off, what is left alone to the byte, and what is refused."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupytercloud_hub.contracts.links import (
    MAX_LINK,
    GoLink,
    LinkRefused,
    git_pull_path,
    parse_go,
    site_location,
    strip_prefix,
)

GO = "/portal/services/federation/go/"
SITE = "https://grenoble.example.fr/hub-a/"

KEPT = [
    "",
    "hub/user-redirect/lab/tree/premiers-pas.ipynb?reset&x=1%2F2&p=a%20b",
    "hub/user-redirect/lab?",
    "hub/user-redirect/lab?a=1&a=2&&=&b",
    "hub/user-redirect/git-pull?repo=https%3A%2F%2Fgitlab.example.fr%2Fa%2Fb&urlpath=lab%2Ftree%2Fb%2Fx.ipynb",
    "hub/user-redirect/git-pull?repo=https://gitlab.example.fr/a/b",
    "hub/user-redirect/lab/tree/%C3%A9t%C3%A9%202026.ipynb",
    "hub/user-redirect/lab/tree/100%25.ipynb",
    "hub/user-redirect/lab/tree/RTC:note.ipynb",
    "hub/user-redirect/lab/tree/a/",
    "hub/user-redirect/lab/tree/..data",
    "?next=//elsewhere.example",
    "?x=%5C%0d%0a..%2F..%2F",
    "hub/user-redirect/lab/tree/~me/x.ipynb",
]

REFUSED = {
    "two slashes": "/elsewhere.example/x",
    "two slashes inside": "hub//elsewhere.example",
    "encoded slash at the front": "%2Felsewhere.example",
    "encoded slashes inside": "hub/%2F%2felsewhere.example",
    "backslash": "\\\\elsewhere.example",
    "encoded backslash": "%5C%5Celsewhere.example",
    "backslash in the query": "hub?x=\\",
    "line end": "hub\r\nX: y",
    "encoded line end": "hub%0d%0aX:%20y",
    "encoded null": "hub%00",
    "tab": "hub\tx",
    "space": "hub x",
    "beyond ASCII": "hub/\u00e9t\u00e9",
    "fragment": "hub#x",
    "scheme": "javascript:alert(1)",
    "scheme with slashes": "https://elsewhere.example/",
    "encoded colon of a scheme": "https%3A%2F%2Felsewhere.example",
    "dots": "hub/../../other/hub",
    "one dot": "./hub",
    "encoded dots": "hub/%2e%2E/x",
    "half encoded dots": "hub/.%2e/x",
    "dots after an encoded slash": "hub%2F..%2Fx",
    "dots at the end": "hub/..",
    "dots with a parameter": "hub/..;x/y",
    "twice encoded dots": "hub/%252e%252e/x",
    "twice encoded slash": "hub/%252F",
    "percent sign that encodes nothing": "hub/%zz",
    "nested percent sign": "hub/%%32e%%32e/",
    "too long": "x" * (MAX_LINK + 1),
    "unknown prefix": "~user=a/hub",
    "prefix without a name": "~site=/hub",
    "prefix twice": "~site=a/~site=b/hub",
    "prefix with an encoded name": "~site=%67renoble/hub",
    "encoded prefix": "%7Esite=grenoble/hub",
    "name that climbs": "~site=../hub",
    "dots behind a prefix": "~site=grenoble/../x",
    "slash behind a prefix": "~site=grenoble//elsewhere.example",
}


@pytest.mark.parametrize("rest", KEPT)
def test_a_link_reaches_the_site_byte_for_byte(rest):
    assert site_location(SITE, parse_go(GO + rest, GO)) == SITE + rest


@pytest.mark.parametrize("rest", KEPT)
@pytest.mark.parametrize(
    ("prefix", "site", "profile"),
    [
        ("~site=grenoble/", "grenoble", None),
        ("~profile=pycoa/", None, "pycoa"),
        ("~site=grenoble/~profile=pycoa/", "grenoble", "pycoa"),
        ("~profile=pycoa/~site=grenoble/", "grenoble", "pycoa"),
    ],
)
def test_prefixes_are_cut_off_and_nothing_else(prefix, site, profile, rest):
    link = parse_go(GO + prefix + rest, GO)
    assert (link.site, link.profile) == (site, profile)
    assert site_location(SITE, link) == SITE + rest


def test_a_prefix_may_end_the_path():
    assert parse_go(GO + "~site=a?x=1/2", GO) == GoLink("?x=1/2", site="a")
    assert parse_go(GO + "~site=a", GO) == GoLink("", site="a")


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_lead_elsewhere_is_refused(name):
    with pytest.raises(LinkRefused) as refused:
        parse_go(GO + REFUSED[name], GO)
    assert str(refused.value.reason)


def test_a_target_outside_go_is_refused():
    with pytest.raises(LinkRefused):
        strip_prefix("/elsewhere/go/hub", GO)


@settings(max_examples=2000, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(
            st.sampled_from(
                [
                    "/",
                    "//",
                    "\\",
                    "%2F",
                    "%2f",
                    "%5c",
                    "..",
                    ".",
                    "%2e",
                    "%25",
                    "2e",
                    "http:",
                    "https://",
                    "@",
                    "e.example",
                    "~site=a/",
                    "~profile=b/",
                    "~",
                    "?",
                    "#",
                    "%0d%0a",
                    "\r\n",
                    "hub",
                    ";",
                    ":",
                    "[::1]",
                    "%00",
                    "\u2215",
                    "\uff0f",
                ]
            ),
            max_size=10,
        ).map("".join),
    )
)
def test_no_link_ever_leaves_the_site(rest):
    try:
        link = parse_go(GO + rest, GO)
    except LinkRefused:
        return
    location = site_location(SITE, link)
    assert location.startswith(SITE)
    assert rest.endswith(link.rest)
    parts = urlsplit(location)
    assert (parts.scheme, parts.netloc) == ("https", "grenoble.example.fr")
    assert location.isascii()
    assert location.isprintable()


@given(st.text(alphabet="abc/?&=%20.-_~", max_size=40))
def test_target_is_the_inverse_of_parse_go(rest):
    try:
        link = parse_go(GO + rest, GO)
    except LinkRefused:
        return
    for made in (link.at("a"), GoLink(link.rest, "a", "b"), GoLink(link.rest, None, "b")):
        if not link.rest.startswith("~"):
            assert parse_go(GO + made.target(), GO) == made


def test_a_git_pull_link_opens_the_file_in_the_repository():
    path = git_pull_path("https://gitlab.example.fr/a/cours.git", branch="main", path="tp/1 a.ipynb")
    assert path == (
        "hub/user-redirect/git-pull?repo=https%3A%2F%2Fgitlab.example.fr%2Fa%2Fcours.git"
        "&branch=main&urlpath=lab%2Ftree%2Fcours%2Ftp%2F1%20a.ipynb"
    )
    assert parse_go(GO + path, GO).rest == path
