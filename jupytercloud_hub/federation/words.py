"""The words for sites' states and for decisions, the same on pages, in the API and on the command line. Pure."""

from __future__ import annotations

from ..contracts.text import Text
from .model import Outcome, SiteState

STATES: dict[SiteState, Text] = {
    SiteState.UNKNOWN: Text("Not looked at yet"),
    SiteState.UP: Text("Up"),
    SiteState.DEGRADED: Text("Slow"),
    SiteState.DRAINING: Text("Takes no new people"),
    SiteState.MAINTENANCE: Text("Under maintenance"),
    SiteState.FULL: Text("Full"),
    SiteState.DOWN: Text("Does not answer"),
}
"""A state in a few words, behind a site's name."""

LOOKS: dict[SiteState, str] = {
    SiteState.UNKNOWN: "warn",
    SiteState.UP: "good",
    SiteState.DEGRADED: "warn",
    SiteState.DRAINING: "warn",
    SiteState.MAINTENANCE: "warn",
    SiteState.FULL: "warn",
    SiteState.DOWN: "bad",
}
"""The class of the mark that shows a state."""

TITLES: dict[Outcome, Text] = {
    Outcome.GO: Text("You are sent to {site}"),
    Outcome.OTHER_SITE: Text("{site} can take you, but your files are not there"),
    Outcome.CHOOSE: Text("Stay with your files, or go where the profile is"),
    Outcome.NOT_ALLOWED: Text("This is not open to you"),
    Outcome.UNKNOWN_SITE: Text("There is no such site"),
    Outcome.NO_PROFILE: Text("No site offers this profile to you"),
    Outcome.LIMITED: Text("You already have what is allowed over all sites"),
    Outcome.AWAY: Text("The site is away for now"),
    Outcome.NONE_LEFT: Text("No site can take you now"),
}
"""What becomes of a link, as the heading of its page."""

ADVICE: dict[Outcome, Text] = {
    Outcome.NOT_ALLOWED: Text(
        "Which sites are open depends on your home organization. If you think that you should be let in, write to the "
        "contact below and name your organization."
    ),
    Outcome.UNKNOWN_SITE: Text("The link may be old or mistyped. Ask whoever gave it to you."),
    Outcome.NO_PROFILE: Text("Open the link without the profile, or ask whoever gave it to you."),
    Outcome.LIMITED: Text(
        "Use the server that runs, or stop it and open this link again: a site tells the portal within seconds that it "
        "has stopped."
    ),
    Outcome.AWAY: Text("Your files stay where they are. Open the same link again later."),
    Outcome.NONE_LEFT: Text("Open the same link again in a minute."),
}
"""What to do about it."""
