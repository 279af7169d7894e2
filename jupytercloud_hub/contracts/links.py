"""Deep links through the portal, as pure functions on the raw request target.

A link that a teacher wrote must reach the person's site exactly as it was written: path and query are cut out
of ``request.uri`` and never decoded or built anew. What could lead elsewhere than to the chosen site
(``//host``, backslashes, control characters, dot segments, other schemes, and the same hidden in percent
signs) is refused rather than repaired, since a repaired link is no longer the link that was asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote

from .text import Text

MAX_LINK = 2000
"""Longest request target taken, in characters: what every browser, proxy and signed login state carries."""

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
"""Names of sites and profiles as they stand in a link (no character of theirs is ever encoded)."""

_TARGET = re.compile(r"[!-~]*")  # RFC 3986 knows printable ASCII only: anything else comes percent-encoded
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HIDDEN = re.compile(
    r"%(?:0[0-9A-F]|1[0-9A-F]|7F|5C)"  # encoded control characters and backslash
    r"|%25(?:2E|2F|5C|25|0[0-9A-F]|1[0-9A-F]|7F)",  # the same and dots, slashes once more encoded
    re.IGNORECASE,
)
_DOTS = re.compile(r"(?:\.|%2E){1,2}(?:;.*)?", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?::|%3A)", re.IGNORECASE)
_SLASHES = re.compile(r"/|%2F", re.IGNORECASE)
_PREFIX = re.compile(r"~([a-z]+)=([^/]*)")


class LinkRefused(ValueError):
    """A link that is not followed. ``reason`` is the `Text` to show; the status that goes with it is 400."""

    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True)
class GoLink:
    """What stands behind ``/go/``: the named site and profile, if any, and the rest untouched.

    ``rest`` is path and query as they were sent, without the leading slash: ``hub/user-redirect/lab?reset&x=1%2F2``.
    """

    rest: str = ""
    site: str | None = None
    profile: str | None = None

    @property
    def plain(self) -> bool:
        """True for an ordinary visit: neither a site nor a profile is named."""
        return self.site is None and self.profile is None

    def target(self) -> str:
        """The link as it stands behind ``/go/``, the inverse of `parse_go`."""
        site = f"~site={self.site}/" if self.site else ""
        profile = f"~profile={self.profile}/" if self.profile else ""
        return site + profile + self.rest

    def at(self, site: str) -> GoLink:
        """The same link, with the site named."""
        return replace(self, site=site)

    def without_profile(self) -> GoLink:
        """The same link for whoever stays where her files are."""
        return replace(self, profile=None)


def strip_prefix(uri: str, prefix: str) -> str:
    """What follows ``prefix`` in the raw request target ``uri``, byte for byte.

    Raises `LinkRefused` where the target does not begin with the prefix (an encoded prefix is not the prefix).
    """
    if not uri.startswith(prefix):
        raise LinkRefused(Text("This address does not begin with {prefix}.", prefix=prefix))
    return uri[len(prefix) :]


def check_rest(rest: str) -> None:
    """Refuse a ``path?query`` that could lead out of the site it is appended to.

    ``rest`` has no leading slash. The query is the site's own affair: only characters that no URL may contain
    are refused there. Raises `LinkRefused`.
    """
    if len(rest) > MAX_LINK:
        raise LinkRefused(
            Text("This link has {length} characters; {limit} are allowed.", length=len(rest), limit=MAX_LINK)
        )
    if not _TARGET.fullmatch(rest) or "\\" in rest or "#" in rest:
        raise LinkRefused(Text("This link contains a character that no address may contain."))
    path = rest.partition("?")[0]
    if _BAD_PERCENT.search(path):
        raise LinkRefused(Text("This link contains a percent sign that encodes nothing."))
    if _HIDDEN.search(path):
        raise LinkRefused(Text("This link hides a character behind percent signs."))
    if _SCHEME.match(path):
        raise LinkRefused(Text("This link names another scheme; it may only lead to a site of the federation."))
    segments = _SLASHES.split(path)
    if "" in segments[:-1]:
        raise LinkRefused(Text("This link contains an empty path segment (//)."))
    if any(_DOTS.fullmatch(segment) for segment in segments):
        raise LinkRefused(Text("This link contains a dot segment (. or ..)."))


def parse_go(uri: str, prefix: str) -> GoLink:
    """Read the raw request target of ``/go/…``.

    ``uri`` is ``request.uri`` as received, ``prefix`` the path up to and with ``/go/``. ``~site=NAME/`` and
    ``~profile=NAME/`` are taken off the front, each at most once. Raises `LinkRefused`.
    """
    rest = strip_prefix(uri, prefix)
    if rest[:1] not in ("~", "%"):  # the usual link; the rest of this function is for named sites and profiles
        check_rest(rest)
        return GoLink(rest)
    named: dict[str, str] = {}
    while rest.startswith("~"):
        segment, _, after = rest.partition("/")
        match = _PREFIX.fullmatch(segment.partition("?")[0])
        if match is None or match[1] not in ("site", "profile") or match[1] in named:
            raise LinkRefused(
                Text(
                    "A link may begin with ~site=NAME/ and ~profile=NAME/, each once; “{segment}” is neither.",
                    segment=segment[:80],
                )
            )
        if "?" in segment:
            after = "?" + segment.partition("?")[2] + ("/" + after if "/" in rest else "")
        if not NAME.fullmatch(match[2]):
            raise LinkRefused(Text("“{name}” is not a name of a site or profile.", name=match[2][:80]))
        named[match[1]] = match[2]
        rest = after
    check_rest(rest)
    if rest[:3].lower() == "%7e":
        raise LinkRefused(Text("~site= and ~profile= must stand in the link as they are, not percent-encoded."))
    return GoLink(rest, named.get("site"), named.get("profile"))


def site_location(site_url: str, link: GoLink) -> str:
    """The Location for a link at a site; ``site_url`` is absolute and ends with a slash.

    The link went through `check_rest`, so the result always begins with ``site_url``.
    """
    return site_url + link.rest


def git_pull_path(repository: str, *, branch: str = "", path: str = "", app: str = "lab") -> str:
    """Path and query of an nbgitpuller link for ``/go/``: ``hub/user-redirect/git-pull?repo=…&branch=…&urlpath=…``.

    ``repository`` is a URL of a git repository, ``path`` a file inside it to open, ``app`` "lab" or "tree"
    (nbgitpuller's documentation: the folder is the repository's last name, ``urlpath`` the page to open).
    """
    parts = [f"repo={quote(repository, safe='')}"]
    if branch:
        parts.append(f"branch={quote(branch, safe='')}")
    folder = repository.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git")
    page = "/".join(part for part in ("tree", folder, path.strip("/")) if part)
    if app == "lab":
        page = "lab/" + page
    parts.append(f"urlpath={quote(page, safe='')}")
    return "hub/user-redirect/git-pull?" + "&".join(parts)
