"""What an administrator can set on how people log in: choice of organization, two factors, the emergency login."""

from __future__ import annotations

from oauthenticator.oauth2 import OAuthenticator
from traitlets import Any as AnyTrait
from traitlets import Bool, Enum, Float, List, Unicode, default

from .breakglass import Tries


class LoginTraits(OAuthenticator):
    """The traits of `RenaterAuthenticator` that say how people log in."""

    organization_choice = Enum(
        ["provider", "page", "discovery-service"],
        "provider",
        config=True,
        help="""
        Where people choose their organization.

        ``provider``: on the provider's own page. ``page``: on a page of this hub that lists ``institutions``.
        ``discovery-service``: at the federation's WAYF (``discovery_service``).
        """,
    )

    discovery_service = Unicode(
        "https://discovery.renater.fr/renater/WAYF",
        config=True,
        help="""
        Address of the federation's discovery service (SAML Identity Provider Discovery).

        It has to know this hub's login address as one to come back to.
        """,
    )

    discovery_entity_id = Unicode(
        config=True,
        help="""
        The entityID by which the discovery service knows the provider (the proxy's SAML side).
        """,
    )

    mfa_acr = List(
        Unicode(),
        ["https://refeds.org/profile/mfa"],
        config=True,
        help="""
        Values of ``acr`` that stand for a login with two factors (REFEDS' by default).
        """,
    )

    mfa_for_admins = Bool(
        config=True,
        help="""
        Let administrators in only after a login with two factors.

        They are sent to the provider a second time when the first login was not strong enough.
        """,
    )

    mfa_group = Unicode(
        config=True,
        help="""
        Group of people whose login with two factors is not older than ``mfa_max_age``.

        A profile that asks for this group is open to nobody else; ``/hub/oidc/step-up`` leads there. Empty: none.
        """,
    )

    mfa_max_age = Float(
        43_200.0,
        config=True,
        help="""
        Seconds for which a login with two factors counts as one.
        """,
    )

    guests = Bool(
        config=True,
        help="""
        Let in people whom somebody invited (``jupytercloud identity invite``) until their end date.

        Needs ``institutions``: an invitation counts for people whom their rules do not let in.
        """,
    )

    guest_idps = List(
        Unicode(),
        config=True,
        help="""
        Identity providers or home organizations of which guests may be: exact, glob or ``/regular expression/``.

        Empty: any that the provider lets log in.
        """,
    )

    guest_group = Unicode(
        "guests",
        config=True,
        help="""
        Group that every guest is in; an invitation can name more.

        Empty: none.
        """,
    )

    leavers_export = Float(
        config=True,
        help="""
        Seconds for which a person whose affiliation went may still log in for her files; 0 ends all at once.

        She can't start servers then, has no groups and no roles, and a page tells her until when.
        """,
    )

    leavers_files = AnyTrait(
        "",
        config=True,
        help="""
        What the page tells people who left about how to get their files: a text, or ``{"fr": …, "en": …}``.

        Empty: to write to the hub's contact.
        """,
    )

    break_glass_user = Unicode(
        config=True,
        help="""
        Username of the administrator who may come in by password while the provider does not answer.

        Empty: nobody, and ``/hub/oidc/break-glass`` is a 404. Each try is in the log, level critical.
        """,
    )

    break_glass_password = Unicode(
        config=True,
        help="""
        What ``jupytercloud identity break-glass`` printed for the emergency password (never the password).
        """,
    )

    break_glass_tries = AnyTrait(help="""How often the emergency password was tried lately.""")

    @default("break_glass_tries")
    def _break_glass_tries(self) -> Tries:
        return Tries()
