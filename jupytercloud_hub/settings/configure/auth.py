"""What ``auth:`` and ``institutions:`` set on a hub."""

from __future__ import annotations

import os
from typing import Any

from ..auth import AuthSettings
from ..model import Settings
from .registry import Services

SERVERS_BELIEVE_SECONDS = 30


def configure_auth(config: Any, settings: Settings, services: Services) -> None:
    """Set RenaterAuthenticator's traits, and the keys that encrypt what is kept of a login."""
    auth = settings.auth
    if auth is None:
        return
    config.JupyterHub.authenticator_class = "jupytercloud_hub.auth.RenaterAuthenticator"
    renater = config.RenaterAuthenticator
    renater.issuer = auth.issuer
    renater.preset = auth.preset
    renater.oauth_callback_url = f"{settings.site.url}hub/oauth_callback"
    renater.scope = list(auth.scopes)
    renater.allowed_algorithms = list(auth.algorithms)
    renater.offline_access = auth.offline_access
    renater.claim_names = {name: list(names) for name, names in auth.claims.items()}
    renater.username_from = auth.username or ""
    renater.person_from = auth.person or ""
    rules = settings.federation.rules if settings.federation else ()
    renater.published_entitlements = sorted({pattern for rule in rules for pattern in rule.entitlements})
    renater.publish_email = settings.mail is not None and settings.mail.to_people
    renater.group_rules = [rule.model_dump(mode="json") for rule in auth.groups]
    renater.role_rules = [rule.model_dump(mode="json") for rule in auth.roles]
    renater.roles_from = list(auth.roles_from)
    renater.institutions = [
        institution.model_dump(mode="json", exclude_defaults=True) for institution in settings.institutions
    ]
    renater.organization_choice = auth.organization_choice
    renater.discovery_service = auth.discovery_service
    renater.discovery_entity_id = auth.discovery_entity_id
    renater.allowed_hints = list(auth.allowed_hints)
    renater.allow_all = auth.allow_anybody
    renater.admin_users = set(auth.admins)
    renater.manage_groups = True
    renater.admin_groups = set(auth.admin_groups)
    renater.mfa_acr = list(auth.mfa.acr)
    renater.mfa_for_admins = auth.mfa.admins
    renater.mfa_group = auth.mfa.group
    renater.mfa_max_age = auth.mfa.max_age.total_seconds()
    renater.guests = auth.guests is not None
    if auth.guests is not None:
        renater.guest_idps = list(auth.guests.idps)
        renater.guest_group = auth.guests.group
    renater.leavers_export = auth.leavers.export.total_seconds()
    renater.leavers_files = auth.leavers.files.dump() if auth.leavers.files else ""
    renater.auth_refresh_age = round(auth.refresh_every.total_seconds())
    renater.unverified_grace = auth.unverified_grace.total_seconds()
    renater.recheck_interval = auth.refresh_every.total_seconds()
    renater.stop_servers_on_loss = auth.stop_servers_on_loss
    renater.database_url = settings.database_url("auth")
    renater.site_settings = settings.site.model_dump(mode="json")
    renater.privacy = settings.privacy.model_dump(mode="json")
    if auth.title is not None:
        renater.login_service = auth.title.in_("fr")
    if auth.ca_certificates is not None:
        renater.http_request_kwargs = {"ca_certs": str(settings.folder / auth.ca_certificates)}
    _credentials(renater, auth, settings)
    _crypt_keys(config, auth, settings)
    # A server believes for five minutes what the hub said of a browser: a logout has to reach it sooner.
    config.Spawner.args.append(f"--HubOAuth.cache_max_age={SERVERS_BELIEVE_SECONDS}")


def _credentials(renater: Any, auth: AuthSettings, settings: Settings) -> None:
    renater.client_id = auth.client_id
    if auth.break_glass is not None:
        renater.break_glass_user = auth.break_glass.user
        renater.break_glass_password = auth.break_glass.password.read(settings.folder)
    renater.basic_auth = auth.client_authentication == "basic"
    if auth.client_secret is not None:
        renater.client_secret = auth.client_secret.read(settings.folder)
    if auth.private_key_jwt is not None:
        renater.private_key = auth.private_key_jwt.key.read(settings.folder)
        renater.private_key_id = auth.private_key_jwt.kid or ""
        renater.private_key_algorithm = auth.private_key_jwt.algorithm


def _crypt_keys(config: Any, auth: AuthSettings, settings: Settings) -> None:
    if auth.crypt_keys is not None:
        config.CryptKeeper.keys = [key for key in auth.crypt_keys.read(settings.folder).split(";") if key]
    elif not os.environ.get("JUPYTERHUB_CRYPT_KEY"):
        # Imported here: services load the settings without any part of the hub.
        from ...web.context import kept_secret

        config.CryptKeeper.keys = [kept_secret(settings.state_folder, "jupyterhub_crypt_key").hex()]
