"""``auth:`` and ``institutions:`` of the configuration file become RenaterAuthenticator's traits."""

from __future__ import annotations

import stat
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from jupyterhub.auth import Authenticator
from oauthenticator.oauth2 import OAuthenticator
from traitlets import TraitError
from traitlets.config import Config

from jupytercloud_hub import configure
from jupytercloud_hub.auth import RenaterAuthenticator
from jupytercloud_hub.identity import Institution
from jupytercloud_hub.identity.model import Identity, Subject
from jupytercloud_hub.web.mail import address_of

FILE = """
site: {name: grenoble, url: "https://hub.example.fr/grenoble/", contact: aide@example.fr}
auth:
  issuer: https://proxy.example.fr
  client_id: hub
  client_secret: {env: TEST_OIDC_SECRET}
  algorithms: [ES256]
  claims: {eppn: login_national}
  admins: [anna@univ.fr]
  groups: [{name: teachers, affiliations: faculty}]
  refresh_every: 2 min
  unverified_grace: 3 h
  mfa: {admins: true, group: two-factors}
  organization_choice: page
institutions:
  - {name: uga, title: UGA, home_organizations: [univ.fr], affiliations: [staff], groups: [uga], home_site: grenoble}
"""


@pytest.fixture
def authenticator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RenaterAuthenticator:
    monkeypatch.setenv("TEST_OIDC_SECRET", "s-e-c-r-e-t")
    monkeypatch.delenv("JUPYTERHUB_CRYPT_KEY", raising=False)
    (tmp_path / "jupytercloud.yaml").write_text(FILE)
    config = Config()
    configure(config, tmp_path / "jupytercloud.yaml")
    made = RenaterAuthenticator(config=config)
    made.whole = config
    return made


def test_every_value_arrives(authenticator: RenaterAuthenticator) -> None:
    assert authenticator.issuer == "https://proxy.example.fr"
    assert authenticator.client_secret == "s-e-c-r-e-t"
    assert authenticator.oauth_callback_url == "https://hub.example.fr/grenoble/hub/oauth_callback"
    assert authenticator.allowed_algorithms == ["ES256"]
    assert authenticator.auth_refresh_age == 120
    assert authenticator.unverified_grace == 10_800
    assert authenticator.mfa_for_admins
    assert authenticator.mfa_group == "two-factors"
    assert authenticator.organization_choice == "page"
    assert authenticator.site.contact == "aide@example.fr"
    assert authenticator.policy.claims == {"eppn": ("login_national",)}
    assert authenticator.policy.groups[0].affiliations == ("faculty",)
    assert authenticator.policy.institutions == (
        Institution(
            name="uga",
            title="UGA",
            home_organizations=("univ.fr",),
            affiliations=("staff",),
            groups=("uga",),
            home_site="grenoble",
        ),
    )
    assert "--HubOAuth.cache_max_age=30" in authenticator.whole.Spawner.args.get_value([])


def test_what_jupyterhub_leaves_open_is_closed(authenticator: RenaterAuthenticator) -> None:
    for name in ("auto_login", "enable_auth_state", "manage_groups", "refresh_pre_spawn", "auth_refresh_strict"):
        assert getattr(authenticator, name), name
    assert not authenticator.allow_all


def test_the_key_that_encrypts_logins_is_made_once_and_readable_by_its_owner_only(
    authenticator: RenaterAuthenticator, tmp_path: Path
) -> None:
    path = tmp_path / "state" / "jupyterhub_crypt_key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = Config()
    configure(again, tmp_path / "jupytercloud.yaml")
    assert again.CryptKeeper["keys"] == authenticator.whole.CryptKeeper["keys"] == [path.read_text().strip()]


def test_the_entry_point_is_there_and_light() -> None:
    (found,) = entry_points(group="jupyterhub.authenticators", name="renater")
    assert issubclass(found.load(), Authenticator)


@pytest.mark.parametrize(
    ("traits", "words"),
    [
        ({"issuer": "http://proxy.example.fr"}, "https"),
        ({"issuer": "https://proxy.example.fr/?x"}, "issuer"),
        ({"institutions": [{"name": "x"}]}, "home_organizations or idps"),
        ({"institutions": [{"name": "x", "home_organization": ["y"]}]}, "home_organization"),
        ({"allowed_algorithms": ["HS256"]}, "HS256"),
        ({"enable_auth_state": False}, "auth_state"),
        ({"http_request_kwargs": {"follow_redirects": True}}, "follow_redirects"),
    ],
)
def test_a_mistake_ends_the_start_of_the_hub_with_words(traits: dict[str, object], words: str) -> None:
    with pytest.raises(TraitError, match=words):
        RenaterAuthenticator(**traits)


def test_every_trait_says_what_it_is_for() -> None:
    own = set(RenaterAuthenticator.class_trait_names(config=True))
    for name in own - set(OAuthenticator.class_trait_names(config=True)):
        text = RenaterAuthenticator.class_traits()[name].help
        assert len(text.split()) > 5, name


@pytest.mark.parametrize(
    ("mail", "published"),
    [("", None), ("sender: a@b.fr", None), ("sender: a@b.fr, to_people: true", "anna@example.fr")],
)
def test_an_address_is_shown_to_services_only_where_letters_go_to_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mail: str, published: str | None
) -> None:
    monkeypatch.setenv("TEST_OIDC_SECRET", "s-e-c-r-e-t")
    (tmp_path / "jupytercloud.yaml").write_text(FILE + (f"mail: {{{mail}}}\n" if mail else ""))
    config = Config()
    configure(config, tmp_path / "jupytercloud.yaml")
    subject = Subject(issuer="https://proxy.example.fr", sub="1")
    identity = Identity(subject=subject, username="anna", email="anna@example.fr")
    shown = RenaterAuthenticator(config=config)._user_info(identity)
    assert address_of({"user_info": shown}) == published
    assert ("anna@example.fr" in str(shown)) == bool(published)


ROLES = """
  roles: [{name: helpers, scopes: ["list:users"]}, {name: teachers, affiliations: faculty}]
  roles_from: group
  guests: {idps: ["*.example"], group: visitors}
  leavers: {export: 30 d, files: {fr: Demandez., en: Ask.}}
"""


def test_roles_guests_and_leavers_arrive_and_are_off_by_default(
    authenticator: RenaterAuthenticator, tmp_path: Path
) -> None:
    assert (authenticator.manage_roles, authenticator.guests, authenticator.leavers_export) == (False, False, 0)
    (tmp_path / "jupytercloud.yaml").write_text(
        FILE.replace("institutions:\n", f"{ROLES.lstrip(chr(10))}institutions:\n")
    )
    config = Config()
    configure(config, tmp_path / "jupytercloud.yaml")
    made = RenaterAuthenticator(config=config)
    assert made.manage_roles
    assert [rule.name for rule in made.policy.role_rules] == ["helpers", "teachers"]
    assert (made.guests, made.guest_idps, made.guest_group) == (True, ["*.example"], "visitors")
    assert (made.leavers_export, made.leavers_files) == (30 * 86_400, {"fr": "Demandez.", "en": "Ask."})


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        (FILE.partition("institutions:")[0] + "  guests: {}\n", "auth.guests"),
        (
            FILE.replace("home_site", 'roles: [{name: h1x, scopes: ["a"]}, {name: h1x, scopes: ["b"]}], home_site'),
            "h1x",
        ),
        (
            FILE.replace("home_site", 'roles: [{name: helpers, scopes: ["admin:users"]}], home_site').replace(
                "institutions:\n", f"{ROLES.lstrip(chr(10))}institutions:\n"
            ),
            "helpers",
        ),
    ],
)
def test_what_cannot_go_together_is_said_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: str, place: str
) -> None:
    (tmp_path / "jupytercloud.yaml").write_text(changed)
    with pytest.raises(SystemExit):
        configure(Config(), tmp_path / "jupytercloud.yaml")
    said = capsys.readouterr().err
    assert place in said, said
    assert "jupytercloud.yaml:" in said
