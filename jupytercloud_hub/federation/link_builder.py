"""Makes links for teachers: a file or a git repository, a profile, a site, and which sites can't serve it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from ..contracts.links import NAME, GoLink, LinkRefused, check_rest, git_pull_path, parse_go
from ..contracts.text import Text
from .model import SiteView


@dataclass(frozen=True)
class LinkWish:
    """What a teacher filled in; everything may be empty."""

    kind: str = "file"
    path: str = ""
    repository: str = ""
    branch: str = ""
    profile: str = ""
    site: str = ""
    app: str = "lab"


@dataclass(frozen=True)
class BuiltLink:
    """The link, or what is wrong, and the sites where it can't work."""

    url: str | None = None
    problem: Text | None = None
    unable: Mapping[str, Text] = field(default_factory=dict)


def build(wish: LinkWish, base: str, sites: Mapping[str, SiteView]) -> BuiltLink:
    """Return the link; ``base`` is the absolute address of ``…/go/``."""
    for name in (wish.profile, wish.site):
        if name and not NAME.fullmatch(name):
            return BuiltLink(problem=Text("“{name}” is not a name of a site or profile.", name=name))
    if wish.site and wish.site not in sites:
        return BuiltLink(problem=Text("No site is called {site}.", site=wish.site))
    if wish.kind == "git":
        parts = urlsplit(wish.repository)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.password:
            return BuiltLink(problem=Text("The repository's address begins with https:// and holds no password."))
        rest = git_pull_path(wish.repository, branch=wish.branch, path=wish.path, app=wish.app)
    else:
        page = "lab" if wish.app == "lab" else "tree"
        inside = quote(wish.path.strip("/"), safe="/")
        rest = f"hub/user-redirect/{page}"
        if inside:
            rest += f"/tree/{inside}" if page == "lab" else f"/{inside}"
    link = GoLink(rest, wish.site or None, wish.profile or None)
    try:
        check_rest(rest)
        parse_go(link.target(), "")
    except LinkRefused as refused:
        return BuiltLink(problem=refused.reason)
    wanted = [sites[wish.site]] if wish.site else list(sites.values())
    unable = {
        site.name: Text("It does not offer the profile “{profile}”.", profile=wish.profile)
        for site in wanted
        if wish.profile and not site.offers(wish.profile)
    }
    return BuiltLink(base + link.target(), None, unable)
